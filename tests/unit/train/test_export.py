import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from milligray.errors import InputError
from milligray.train.export import OPSET, export_onnx

AXES = {0: "batch", 2: "z", 3: "y", 4: "x"}
TINY = torch.randn(5, 4)


class Volumes(nn.Module):
    """All that the networks of this package are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4), nn.LeakyReLU())
        self.deep = nn.Sequential(
            nn.Conv3d(4, 8, 3, padding=2, dilation=2), nn.InstanceNorm3d(8, affine=True),
            nn.ReLU(), nn.Dropout3d(0.5),
        )  # fmt: skip
        self.up = nn.ConvTranspose3d(8, 4, 2, stride=2)
        self.out = nn.Conv3d(16, 2, 1)

    def forward(self, image: Tensor, kerma: Tensor) -> tuple[Tensor, Tensor]:
        first = self.down(torch.cat([image, kerma], dim=1))
        deep = self.deep(functional.max_pool3d(first, 2))
        wide = functional.interpolate(deep, scale_factor=2.0, mode="trilinear", align_corners=False)
        y = self.out(torch.cat([first, self.up(deep), wide], dim=1))
        return functional.softplus(y[:, :1]) * kerma, y[:, 1:].clamp(-10, 10)


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))


def test_volumes_of_any_size_agree_with_torch(tmp_path):
    module = Volumes()
    for _ in range(3):  # running means that are not those of the first batch
        module(torch.randn(2, 1, 4, 4, 8), torch.randn(2, 1, 4, 4, 8))
    module.down.eval()  # a part that is frozen stays so
    names = ("image", "kerma", "dose", "log_variance")
    difference = export_onnx(
        module, {"image": torch.randn(1, 1, 4, 6, 8), "kerma": torch.rand(1, 1, 4, 6, 8)},
        tmp_path / "net.onnx", output_names=names[2:],
        dynamic_axes=dict.fromkeys(names, AXES),
    )  # fmt: skip
    assert difference < 1e-5
    assert module.training
    assert not module.down.training
    assert module.deep.training


def test_one_file_of_float32_with_names_and_a_fixed_opset(tmp_path):
    export_onnx(Net(), {"features": TINY}, tmp_path / "net.onnx", output_names=("dose",))
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {one.version for one in model.opset_import if not one.domain} == {OPSET}
    assert [one.name for one in (*model.graph.input, *model.graph.output)] == ["features", "dose"]
    assert {one.data_type for one in model.graph.initializer} <= {
        onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    }  # fmt: skip
    assert str(tmp_path) not in str(model)


def test_the_same_module_gives_the_same_file(tmp_path):
    module = Net()
    for name in "ab":
        export_onnx(module, {"x": TINY}, tmp_path / f"{name}.onnx", output_names=("y",))
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


class Paths(nn.Module):
    """A trace knows one of the two."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) if x.shape[0] == TINY.shape[0] else 2.0 * x.sum(1)


class FixedLength(nn.Module):
    """The length of the example becomes a constant."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(int(x.shape[0]), 1).cumsum(0)


@pytest.mark.parametrize("module", [Paths(), FixedLength()])
def test_what_a_trace_takes_as_fixed_is_found_at_another_size(tmp_path, module):
    with pytest.raises(InputError, match=r"differ by|run at other lengths"):
        export_onnx(module, {"x": TINY}, tmp_path / "net.onnx", output_names=("y",))
    assert not list(tmp_path.iterdir())


def test_a_difference_is_an_error_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("milligray.train.export._difference", lambda *_: 0.5)
    with pytest.raises(InputError, match=r"differ by 0\.5"):
        export_onnx(Net(), {"x": TINY}, tmp_path / "net.onnx", output_names=("y",))
    monkeypatch.setattr("milligray.train.export._difference", lambda *_: np.nan)
    with pytest.raises(InputError, match="differ by nan"):
        export_onnx(Net(), {"x": TINY}, tmp_path / "net.onnx", output_names=("y",))
    assert not list(tmp_path.iterdir())


def test_names_must_fit(tmp_path):
    with pytest.raises(InputError, match="did you mean 'dose'"):
        export_onnx(Net(), {"x": TINY}, tmp_path / "net.onnx", output_names=("dose",),
                    dynamic_axes={"doze": {0: "batch"}})  # fmt: skip
    with pytest.raises(InputError, match="outputs"):
        export_onnx(Net(), {"x": TINY}, tmp_path / "net.onnx", output_names=("a", "b"))

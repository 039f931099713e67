"""Two exporters of torch on one small 3-D U-Net: seconds, and difference to torch.

The figures of docs/decisions/0016: ``python tools/compare_onnx_exporters.py``.
"""

import logging
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

OPSETS = {False: 17, True: 18}


class SmallUNet(nn.Module):
    """Two levels, with all kinds of layers that the networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(2, 8, 3, padding=1), nn.BatchNorm3d(8), nn.LeakyReLU())
        self.deep = nn.Sequential(
            nn.Conv3d(8, 16, 3, padding=2, dilation=2), nn.InstanceNorm3d(16, affine=True),
            nn.ReLU(), nn.Dropout3d(0.2),
        )  # fmt: skip
        self.up = nn.ConvTranspose3d(16, 8, 2, stride=2)
        self.last = nn.Conv3d(32, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Dose of two input maps."""
        first = self.first(x)
        deep = self.deep(functional.max_pool3d(first, 2))
        wide = functional.interpolate(deep, scale_factor=2.0, mode="trilinear", align_corners=False)
        result: Tensor = self.last(torch.cat([first, self.up(deep), wide], dim=1))
        return result


def main() -> None:
    """One line an export; the first of each kind includes its imports."""
    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    module = SmallUNet().eval()
    example = torch.randn(2, 2, 16, 16, 24)
    axes = {0: "batch", 2: "z", 3: "y", 4: "x"}
    free = (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),)
    for dynamo in (False, False, True, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            began = time.perf_counter()
            more = {"dynamic_shapes": free, "verbose": False} if dynamo else {
                "dynamic_axes": {"x": axes, "y": axes}}  # fmt: skip
            torch.onnx.export(
                module, (example,), str(path), dynamo=dynamo, input_names=["x"],
                output_names=["y"], opset_version=OPSETS[dynamo], **more,
            )  # fmt: skip
            seconds = time.perf_counter() - began
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            x = torch.randn(1, 2, 8, 32, 16)
            with torch.no_grad():
                there = module(x).numpy()
            worst = float(np.abs(session.run(None, {"x": x.numpy()})[0] - there).max())
        name = "torch.export" if dynamo else "tracing"
        print(f"{name:13s} {seconds:6.2f} s, largest difference {worst:.1e},"
              f" axes {session.get_inputs()[0].shape}")  # fmt: skip


if __name__ == "__main__":
    main()

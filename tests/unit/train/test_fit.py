import csv
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from milligray.errors import DeviceError, FormatError, InputError
from milligray.train import loop
from milligray.train.fit import FitSettings, Fitted, fit, seed_all
from milligray.train.loop import should_stop


class Tiny(lightning.LightningModule):
    """Batch norm, dropout and a learning rate that falls: all that can go wrong in a resume."""

    def __init__(self, stop_in_epoch: int | None = None, plateau: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters({"config": Path("objects must not matter")})
        self.net = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1)
        )
        self.stop_in_epoch, self.plateau = stop_in_epoch, plateau
        self.factor = 1.0

    def loss(self, batch: list[Tensor]) -> Tensor:
        return self.factor * ((self.net(batch[0]) - batch[1]) ** 2).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        if self.current_epoch == self.stop_in_epoch and batch_idx == 2:
            raise KeyboardInterrupt
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:  # noqa: ARG002
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler
        if self.plateau:
            falling = schedule.ReduceLROnPlateau(optimizer, patience=0, threshold=0.3)
            return {"optimizer": optimizer,
                    "lr_scheduler": {"scheduler": falling, "monitor": "val_loss"}}  # fmt: skip
        return {"optimizer": optimizer, "lr_scheduler": schedule.StepLR(optimizer, 2, 0.5)}


def loaders(workers: int = 0) -> tuple[DataLoader, DataLoader]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 4, generator=generator)
    y = x.sum(1, keepdim=True) + 0.1 * torch.randn(64, 1, generator=generator)
    return (
        DataLoader(TensorDataset(x[:48], y[:48]), batch_size=8, shuffle=True, num_workers=workers),
        DataLoader(TensorDataset(x[48:], y[48:]), batch_size=16),
    )


def run(folder: Path, *, chaos: int = 0, workers: int = 0, make: Callable[[], Tiny] = Tiny,
        **changes: object) -> tuple[Tiny, Fitted]:  # fmt: skip
    """Fit; `chaos` numbers are drawn in between, as other code might."""
    seed_all(1)
    module = make()
    torch.rand(chaos)
    settings = FitSettings(**({"folder": folder, "epochs": 5, "device": "cpu"} | changes))
    return module, fit(module, *loaders(workers), settings)


def same(a: nn.Module, b: nn.Module) -> bool:
    there = b.state_dict()
    return all(torch.equal(value, there[key]) for key, value in a.state_dict().items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Tiny, Fitted]:
    return run(tmp_path_factory.mktemp("fit") / "whole")


def test_a_fit_learns_and_leaves_the_best_weights(whole, tmp_path):
    module, fitted = whole
    losses = [row["val_loss"] for row in fitted.history]
    assert losses[-1] < 0.7 * losses[0]
    assert fitted.best_loss == min(losses)
    assert not module.training
    assert module.loss(next(iter(loaders()[1]))).item() == pytest.approx(fitted.best_loss)
    assert (fitted.epochs, fitted.is_finished, fitted.device) == (5, True, "cpu")
    _, other = run(tmp_path / "b", epochs=2)
    text = (tmp_path / "b" / "history.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(losses[:2])
    assert other.document()["best_epoch"] == 2


def test_same_seed_same_weights_other_seed_other_weights(whole, tmp_path):
    assert same(whole[0], run(tmp_path / "a", chaos=7)[0])
    assert not same(whole[0], run(tmp_path / "b", seed=2)[0])


def test_worker_processes_change_nothing(whole, tmp_path):
    assert same(whole[0], run(tmp_path / "a", workers=1)[0])


def test_a_resumed_fit_is_the_uninterrupted_one(whole, tmp_path):
    run(tmp_path, epochs=2)
    module, fitted = run(tmp_path, resume=True, chaos=9)
    assert same(whole[0], module)
    for here, there in zip(fitted.history, whole[1].history, strict=True):
        for name in ("epoch", "learning_rate", "train_loss", "val_loss"):
            assert here[name] == there[name]


def test_a_fit_that_ctrl_c_stopped_goes_on_to_the_same_weights(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, make=partial(Tiny, stop_in_epoch=3))
    assert not list(tmp_path.glob(".*"))
    module, _ = run(tmp_path, resume=True, chaos=3)
    assert same(whole[0], module)


def test_a_plateau_schedule_is_resumed_too(tmp_path):
    falling = partial(run, make=partial(Tiny, plateau=True))
    first, whole = falling(tmp_path / "a", epochs=8)
    falling(tmp_path / "b", epochs=4)
    second, parts = falling(tmp_path / "b", epochs=8, resume=True)
    rates = [row["learning_rate"] for row in whole.history]
    assert rates[0] > rates[-1]
    assert [row["learning_rate"] for row in parts.history] == rates
    assert same(first, second)


def test_resume_without_an_earlier_fit_begins_and_a_finished_one_is_left(whole, tmp_path):
    module, _ = run(tmp_path, resume=True)
    assert same(whole[0], module)
    before = (tmp_path / "last.ckpt").read_bytes()
    again, fitted = run(tmp_path, resume=True)
    assert same(whole[0], again)
    assert fitted.epochs == 5
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_patience_stops_and_keeps_the_best(tmp_path):
    module = Tiny()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
    module.configure_optimizers = lambda: optimizer
    for one in module.modules():
        if isinstance(one, nn.BatchNorm1d):
            one.momentum = 0.0
    _, fitted = run(tmp_path, make=lambda: module, epochs=50, patience=3)
    assert (fitted.epochs, fitted.best_epoch, fitted.stopped_early) == (4, 1, True)
    _, again = run(tmp_path, epochs=50, patience=3, resume=True)
    assert again.epochs == 4


def test_patience_counts_from_the_best():
    assert not should_stop([], 3)
    assert not should_stop([1.0, 2.0, 3.0], 3)
    assert should_stop([1.0, 2.0, 3.0, 4.0], 3)
    assert not should_stop([1.0, 2.0, 3.0, 4.0], 0)
    assert not should_stop([2.0, 3.0, 1.0, 4.0, 4.0], 3)


def test_time_stops_between_epochs_and_can_be_resumed(whole, tmp_path):
    _, fitted = run(tmp_path, max_minutes=1e-6)
    assert (fitted.epochs, fitted.is_finished) == (1, False)
    module, fitted = run(tmp_path, resume=True)
    assert fitted.is_finished
    assert same(whole[0], module)


def test_an_earlier_fit_is_not_overwritten_nor_resumed_with_other_settings(tmp_path):
    run(tmp_path, epochs=1)
    with pytest.raises(InputError, match="holds an earlier fit"):
        run(tmp_path)
    with pytest.raises(InputError, match="begun with seed 1, not 2"):
        run(tmp_path, resume=True, seed=2)
    (tmp_path / "last.ckpt").write_bytes(b"damaged")
    with pytest.raises(FormatError, match="no checkpoint of this program"):
        run(tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_with_a_reason(tmp_path):
    module = Tiny()
    module.factor = math.nan
    with pytest.raises(InputError, match="lower the learning rate"):
        run(tmp_path, make=lambda: module)
    module = Tiny()
    module.validation_step = lambda batch, batch_idx: None  # noqa: ARG005
    with pytest.raises(InputError, match="must log 'val_loss'"):
        run(tmp_path / "b", make=lambda: module)


def test_progress_and_silence(tmp_path, capfd):
    states = []
    run(tmp_path, progress=states.append, epochs=2)
    assert [s.epoch for s in states if s.batch == 0] == [1, 2]
    assert max(s.batch for s in states) == states[0].batches == 6
    assert states[-1].best <= states[-1].loss
    assert capfd.readouterr() == ("", "")


def test_settings_of_torch_are_left_as_they_were(tmp_path):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run(tmp_path, epochs=1, threads=2)
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"patience": -1}, {"learning_rate": 0.0}, {"batch_size": 0}, {"threads": 0},
     {"device": "gpu"}, {"precision": "8"}, {"max_minutes": 0.0}, {"seed": -1},
     {"learning_rate": math.nan}],
)  # fmt: skip
def test_wrong_settings_are_refused(tmp_path, wrong):
    with pytest.raises(InputError):
        replace(FitSettings(folder=tmp_path), **wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_absent_is_an_error_only_when_asked_for(tmp_path):
    with pytest.raises(DeviceError, match="no GPU"):
        run(tmp_path / "a", device="cuda")
    assert run(tmp_path / "b", device="auto", precision="bf16-mixed", epochs=1)[1].device == "cpu"


def test_names_of_settings_that_must_not_change_exist():
    assert set(loop._SAME) <= set(FitSettings(folder=Path()).document())

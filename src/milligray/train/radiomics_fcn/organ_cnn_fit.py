"""The convolutional comparator: organ doses from planes through the organs."""

import numpy as np
import torch

from milligray.learn.inputs.organ_network_rows import Scaler
from milligray.train.modules.organ_cnn import OrganCnn, OrganCnnConfig
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.table_fit import TableFit, run_epochs
from milligray.typing import FloatArray


def predict_by_images(
    train: OrganTable, train_planes: FloatArray, test: OrganTable, test_planes: FloatArray, *,
    epochs: int, seed: int, width: int = 8,
) -> FloatArray:  # fmt: skip
    """Fit the residual network on training patients and predict others.

    Parameters
    ----------
    train : OrganTable
    train_planes : ndarray, shape (len(train), channels, y, x)
        `milligray.train.organ_planes.organ_planes`.
    test : OrganTable
    test_planes : ndarray, shape (len(test), channels, y, x)
    epochs, seed : int
    width : int
        Of the network.

    Returns
    -------
    ndarray, shape (len(test),) [mGy/mGy]
        Dose over CTDIvol.

    Notes
    -----
    The target is the logarithm of the dose over CTDIvol, standardized; mean square error; half of
    the images of a batch are mirrored left to right.
    """
    logs = np.log(train.dose_per_ctdi)
    mean, scale = float(logs.mean()), float(logs.std())
    axes = (0, 2, 3)
    scaler = Scaler(mean=train_planes.mean(axis=axes)[:, None, None],
                    scale=train_planes.std(axis=axes)[:, None, None] + 1e-6)  # fmt: skip
    names = np.array(train.organ_names)

    def tensors(table: OrganTable, planes: FloatArray) -> tuple[torch.Tensor, torch.Tensor]:
        which = (table.organs[:, None] == names[None]).astype(np.float32)
        return torch.as_tensor(scaler(planes)), torch.as_tensor(which)

    images, organ = tensors(train, train_planes)
    target = torch.as_tensor(((logs - mean) / scale).astype(np.float32))
    settings = TableFit(epochs=epochs, batch_size=32, learning_rate=2e-3, weight_decay=1e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = OrganCnn(OrganCnnConfig(channels=images.shape[1], organs=len(names), width=width))

        def loss_of(rows: torch.Tensor, *, warm: bool) -> torch.Tensor:  # noqa: ARG001
            some = images[rows]
            mirrored = torch.rand(len(rows)) < 0.5
            # the last axis runs across the patient in two planes, along y in the sagittal one
            across = slice(0, some.shape[1] - some.shape[1] // 3)
            some = some.clone()
            some[mirrored, across] = some[mirrored, across].flip(-1)
            squared: torch.Tensor = ((network(some, organ[rows]) - target[rows]) ** 2).mean()
            return squared

        run_epochs(network, len(train), settings, loss_of)
        new, its = tensors(test, test_planes)
        with torch.no_grad():
            found = network(new, its).numpy().astype(np.float64)
    return np.asarray(np.exp(mean + scale * found))

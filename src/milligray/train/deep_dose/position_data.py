"""Positions of the tube as a deep-dose network learns them: cut to the body, mirrored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from milligray.dataset.folder import SetFolder
from milligray.dataset.storage import read_sample
from milligray.errors import InputError
from milligray.learn.inputs.position_channels import isocenter_dose
from milligray.train.deep_dose.position_view import PositionView, even_box
from milligray.typing import BoolArray, FloatArray

SMOOTH_VOXELS = 5
LEAST_BODY = 200
"""Voxels of the body in the slab; positions with fewer teach nothing."""
FLOOR_OF_LOCAL, FLOOR_OF_REFERENCE = 0.03, 0.003
LARGEST_UNCERTAINTY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Position:
    """One position of the tube, cut to the box of the body.

    Parameters
    ----------
    name, patient, split : str
    channels : ndarray, shape (n_channels, z, depth, lateral), float32
        What the network sees.
    terms : ndarray, shape (3, z, depth, lateral), float32
        What its outputs f and g correct: ``dose = terms[0] + terms[1] exp(f) + terms[2]
        exp(f + g)``; see `cylinder_terms` and `traced_terms`.
    dose : ndarray, shape (z, depth, lateral), float32
        Monte Carlo, over the dose in the water cylinder at the isocenter.
    uncertainty : ndarray, same shape, float32
        Relative standard deviation of `dose`.
    log_dose, sigma : ndarray, same shape, float32
        Expected logarithm of the dose, and how sharply it is known: `loss_target`.
    mask : ndarray of bool
        Where it counts.
    body : ndarray of bool
    reference_mgy : float
        Dose of the cylinder at the isocenter, per CTDI_w of a rotation.
    """

    name: str
    patient: str
    split: str
    channels: FloatArray
    terms: FloatArray
    dose: FloatArray
    uncertainty: FloatArray
    log_dose: FloatArray
    sigma: FloatArray
    mask: BoolArray
    body: BoolArray
    reference_mgy: float


def position_files(sets: Sequence[Path]) -> list[Path]:
    """Files of the finished samples of sets, also of sets that still grow."""
    found: list[Path] = []
    for root in sets:
        files = sorted(p for p in SetFolder(root).samples.glob("*.h5") if p.name[0] != ".")
        if not files:
            raise InputError(f"{root} holds no sample of a training set")
        found += files
    return found


def read_positions(path: Path, view: PositionView) -> list[Position]:
    """Positions of one sample of kind source-positions; those beside the patient are left out.

    Parameters
    ----------
    path : Path
        File of the sample, in the folder of its set.
    view : PositionView
        What the network sees of them.
    """
    sample = read_sample(path)
    if "cylinder_dose" not in sample.arrays:
        raise InputError(f"{path.name} is no sample of the kind source-positions")
    arrays = {name: one.values for name, one in sample.arrays.items()}
    reference = isocenter_dose(arrays["cylinder_dose"])
    see = view(path, sample)
    found = []
    for n, inside in enumerate(arrays["body"] > 0):
        if inside.sum() < LEAST_BODY:
            continue
        box = even_box(inside)
        seen = see(n, box)
        if seen is None:
            continue
        body = inside[box]
        dose = arrays["dose"][n][box] / reference
        uncertainty = arrays["relative_uncertainty"][n][box]
        log_dose, sigma, mask = loss_target(dose, uncertainty, body)
        found.append(
            Position(
                name=f"{sample.attributes['sample']}_{n}", body=body.copy(),
                patient=sample.attributes["patient"], split=sample.attributes["split"],
                channels=seen[0], terms=seen[1], dose=dose.astype(np.float32),
                uncertainty=uncertainty.astype(np.float32),
                log_dose=log_dose, sigma=sigma, mask=mask, reference_mgy=reference,
            )
        )  # fmt: skip
    return found


def loss_target(
    dose: FloatArray, uncertainty: FloatArray, body: BoolArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """What the logarithm of the network's dose should be, how sharply, and where.

    Parameters
    ----------
    dose, uncertainty : ndarray, shape (z, depth, lateral)
        Monte Carlo, with its relative standard deviation.
    body : ndarray of bool, same shape

    Returns
    -------
    log_dose, sigma : ndarray, same shape, float32
    mask : ndarray of bool, same shape

    Notes
    -----
    ``log_dose = ln(dose) + u^2 / 2`` with the local u: the mean of the logarithm of a noisy dose
    lies ``u^2 / 2`` below the logarithm of its mean.
    ``sigma^2 = u^2 + 0.03^2 + (0.003 reference / <dose>)^2``: u, and the mean dose <>, are over
    cubes of five voxels of the body, the reference is the mean dose of its upper tenth. A weight
    made of a voxel's own noisy dose would favor voxels that are low by chance; the local one hardly
    knows the voxel's own noise. Voxels without a photon, or with an uncertainty above one half,
    are left out.
    """
    from scipy.ndimage import uniform_filter  # noqa: PLC0415 - slow to import

    mask = body & (dose > 0) & (uncertainty < LARGEST_UNCERTAINTY)
    inside = body.astype(np.float64)
    cover = np.maximum(uniform_filter(inside, SMOOTH_VOXELS), 1e-3)
    local = uniform_filter(dose * inside, SMOOTH_VOXELS) / cover
    variance = uniform_filter((uncertainty * dose) ** 2 * inside, SMOOTH_VOXELS) / cover
    high = dose[body]
    reference = float(high[high >= np.quantile(high, 0.9)].mean())
    least = np.maximum(local, 1e-3 * reference)
    noise = np.clip(variance, 0.0, None) / least**2
    sigma = np.sqrt(noise + FLOOR_OF_LOCAL**2 + (FLOOR_OF_REFERENCE * reference / least) ** 2)
    log_dose = np.log(np.where(mask, dose, 1.0))
    log_dose = np.where(mask, log_dose + 0.5 * np.minimum(noise, 0.1), 0.0)
    return log_dose.astype(np.float32), sigma.astype(np.float32), mask


class PositionSet(Dataset[dict[str, Tensor]]):
    """Positions, cut or filled up to one size so that several make a batch.

    Parameters
    ----------
    positions : sequence of Position
    crop : (depth, lateral), optional
        Voxels; at a random place within larger positions. Default: whole, of their own size.
        Odd sides are filled up by one voxel.
    repeats : int
        Of each position in an epoch.
    is_mirrored : bool
        Turn left and right, head and foot round, each with a chance of one half: beam and
        cylinder are alike.
    """

    def __init__(
        self,
        positions: Sequence[Position],
        *,
        crop: tuple[int, int] | None = None,
        repeats: int = 1,
        is_mirrored: bool = False,
    ) -> None:
        if not positions:
            raise InputError("no position to learn from")
        self.positions, self.crop = list(positions), crop
        self.repeats, self.is_mirrored = repeats, is_mirrored

    def __len__(self) -> int:
        return len(self.positions) * self.repeats

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        one = self.positions[index % len(self.positions)]
        draw = torch.rand(4).tolist()
        axes = [a for a, u in ((-3, draw[0]), (-1, draw[1])) if self.is_mirrored and u < 0.5]
        found = {}
        for key, outside in (
            ("channels", 0.0), ("terms", 1.0), ("dose", 0.0), ("log_dose", 0.0), ("sigma", 1.0),
            ("mask", 0.0),
        ):  # fmt: skip
            values = np.asarray(getattr(one, key), dtype=np.float32)
            if self.crop is not None:
                values = cut_or_fill(values, self.crop, (draw[2], draw[3]), outside)
            odd = [(0, 0)] * (values.ndim - 3) + [(0, n % 2) for n in values.shape[-3:]]
            values = np.pad(values, odd, constant_values=outside)
            found[key] = torch.from_numpy(
                np.flip(values, tuple(axes)).copy() if axes else values.copy()
            )
        return found


def cut_or_fill(
    values: FloatArray, crop: tuple[int, int], place: tuple[float, float], outside: float
) -> FloatArray:
    """Part of an array along the last two axes, filled up where it is smaller.

    Parameters
    ----------
    values : ndarray, shape (..., depth, lateral)
    crop : (depth, lateral)
    place : (depth, lateral)
        0: the first part, 1: the last.
    outside : float

    Examples
    --------
    >>> from milligray.train.deep_dose.position_data import cut_or_fill
    >>> cut_or_fill(np.array([[1.0, 2.0, 3.0]]), (2, 2), (0.0, 0.99), 0.0)
    array([[2., 3.],
           [0., 0.]])
    """
    for axis, wanted, share in zip((-2, -1), crop, place, strict=True):
        have = values.shape[axis]
        if have > wanted:
            begin = min(int(share * (have - wanted + 1)), have - wanted)
            values = np.take(values, range(begin, begin + wanted), axis=axis)
        elif have < wanted:
            spare = [(0, 0)] * values.ndim
            spare[axis] = (0, wanted - have)
            values = np.pad(values, spare, constant_values=outside)
    return values

"""Samples of dose maps as a U-Net learns them: normalized fields, and patches of them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample
from milligray.dataset.storage import read_sample
from milligray.dataset.stored_scan import stored_grid, stored_source
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.learn.inputs.dose_unet_inputs import (
    GuessOptions,
    MapName,
    air_kerma_map_mgy,
    domain_features,
    dose_unet_inputs,
)
from milligray.learn.inputs.fitted_attenuation_map import traced_ratio
from milligray.typing import BoolArray, FloatArray, LabelArray

PATCH, MANY = 32, 2**24
FITTED = "fitted_attenuation_map"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseCase:
    """One sample, cut to the box of the body.

    Parameters
    ----------
    name, patient, split : str
    is_synthetic : bool
    channels : ndarray, shape (n_channels, nz, ny, nx), float32
    guess : ndarray, shape (nz, ny, nx), float32
    dose : ndarray, same shape, float32
        Monte Carlo, over the scale.
    floor : ndarray, same shape, float32
        Its standard deviation, over the scale (`sigma_floor_mgy`).
    body : ndarray of bool
    labels : ndarray of uint16
        Row of `organs` plus 1.
    weight : ndarray, float32
        Electrons of the voxel: stands for its mass in organ means.
    is_scanned : ndarray of bool, shape (nz,)
    organs : tuple of str
    scale_mgy, ctdi_vol_mgy, phantom_diameter_mm, tube_voltage_kv : float
    features : ndarray
        `milligray.learn.inputs.dose_unet_inputs.domain_features`.
    feature_names : tuple of str
    """

    name: str
    patient: str
    split: str
    is_synthetic: bool
    channels: FloatArray
    guess: FloatArray
    dose: FloatArray
    floor: FloatArray
    body: BoolArray
    labels: LabelArray
    weight: FloatArray
    is_scanned: BoolArray
    organs: tuple[str, ...]
    scale_mgy: float
    ctdi_vol_mgy: float
    phantom_diameter_mm: float
    tube_voltage_kv: float
    features: FloatArray
    feature_names: tuple[str, ...]


def sample_files(sets: Iterable[Path]) -> list[Path]:
    """Files of the finished samples of sets, also of sets that still grow."""
    found: list[Path] = []
    for root in sets:
        folder = SetFolder(root)
        files = sorted(
            path for path in folder.samples.glob("*.h5") if not path.name.startswith(".")
        )
        if not files:
            raise InputError(f"{root} holds no sample of a training set")
        found += files
    return found


def kerma_map_of(sample: Sample, which: MapName, cache: Path | None) -> FloatArray:
    """Air-kerma map of a sample [mGy]: as stored, else from a side file, else made again."""
    stored = {"cylinder32": "attenuation_map", "fitted": FITTED}.get(which, "")
    if stored in sample.arrays:
        return np.asarray(sample.arrays[stored].values, dtype=np.float32)
    name = sample.attributes["sample"]
    digest = f"{sample.attributes['seed']:x}"
    side = cache / f"{name}-{digest}-{which}.npy" if cache is not None else None
    if side is not None and side.exists():
        return np.asarray(np.load(side, allow_pickle=False), dtype=np.float32)
    source, grid = stored_source(sample), stored_grid(sample)
    density, body = sample.arrays["electron_density"].values, sample.arrays["body"].values > 0
    if which == "traced":
        fitted = kerma_map_of(sample, "fitted", cache)
        made = (fitted * traced_ratio(source, grid, density, body)).astype(np.float32)
    else:
        made = air_kerma_map_mgy(
            which, source, grid, density, body, photons=sample.attributes["photons"]
        )
    if side is not None:
        side.parent.mkdir(parents=True, exist_ok=True)
        # several trainings may fill a cache at the same time
        partial = side.with_name(f".{side.name}.{os.getpid()}.partial.npy")
        np.save(partial, made)
        partial.replace(side)
    return made


def read_case(
    path: Path,
    which: MapName,
    guess: GuessOptions,
    cache: Path | None = None,
) -> DoseCase:
    """Read a sample.

    Parameters
    ----------
    path : Path
    which : str
        One of `milligray.learn.inputs.dose_unet_inputs.MAPS`.
    guess : GuessOptions
    cache : Path, optional
        Folder for maps that the sample does not store.
    """
    sample = read_sample(path)
    about, arrays = sample.attributes, {key: one.values for key, one in sample.arrays.items()}
    body = arrays["body"] > 0
    grid = stored_grid(sample)
    z = grid.axis_centers_mm(0)
    is_scanned = (z >= about["scan_low_mm"]) & (z <= about["scan_high_mm"])
    inputs = dose_unet_inputs(
        arrays["electron_density"], kerma_map_of(sample, which, cache), body, is_scanned,
        voxel_mm=grid.spacing_mm[0], half_value_layer_mm_al=about["half_value_layer_mm_al"],
        guess=guess,
    )  # fmt: skip
    names, features = domain_features(
        arrays["electron_density"], body, is_scanned, voxel_mm=grid.spacing_mm[0],
        half_value_layer_mm_al=about["half_value_layer_mm_al"],
        map_per_ctdi=inputs.scale_mgy / about["ctdi_vol_mgy"],
    )  # fmt: skip
    box = _box(body)
    dose = arrays["dose"] / inputs.scale_mgy
    least = FLOOR_OF_REFERENCE * about["reference_dose_mgy"] / inputs.scale_mgy
    floor = np.maximum(arrays["relative_uncertainty"] * dose, least)
    return DoseCase(
        name=about["sample"], patient=about["patient"], split=about["split"],
        is_synthetic=about["kind_of_anatomy"] == "synthetic",
        channels=np.ascontiguousarray(inputs.channels[(slice(None), *box)]),
        guess=np.ascontiguousarray(inputs.guess[box]),
        dose=np.ascontiguousarray(dose[box], dtype=np.float32),
        floor=np.ascontiguousarray(floor[box], dtype=np.float32),
        body=body[box].copy(), labels=arrays["labels"][box].copy(),
        weight=np.where(body, arrays["electron_density"], 0.0)[box].astype(np.float32),
        is_scanned=is_scanned[box[0]].copy(),
        organs=tuple(name.decode() for name in arrays.get("organ_names", np.empty(0, "S1"))),
        scale_mgy=inputs.scale_mgy, ctdi_vol_mgy=about["ctdi_vol_mgy"],
        phantom_diameter_mm=float(about["phantom_diameter_mm"]),
        tube_voltage_kv=about["tube_voltage_kv"], features=features, feature_names=names,
    )  # fmt: skip


def _box(body: BoolArray) -> tuple[slice, slice, slice]:
    ends = []
    for axis in range(3):
        found = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append(slice(int(found[0]), int(found[-1]) + 1))
    return ends[0], ends[1], ends[2]


class PatchSet(Dataset[dict[str, Tensor]]):
    """Patches of cases, zero outside the image; the same number is always the same patch.

    Parameters
    ----------
    cases : sequence of DoseCase
    n_patches : int
        How many there are; for training more than are ever taken, of which a sampler draws.
    edge : int
        Voxels; a multiple of the network's.
    mirror : str
        Axes along which a patch is turned round with a chance of one half, out of ``"xyz"``.
        Left and right of a person are alike; front and back are for the beam whose start angle is
        averaged over, not for the anatomy.
    seed : int
    """

    def __init__(
        self,
        cases: Sequence[DoseCase],
        n_patches: int = MANY,
        *,
        edge: int = PATCH,
        mirror: str = "",
        seed: int = 0,
    ) -> None:
        if not cases:
            raise InputError("no sample to take patches from")
        if not set(mirror) <= set("xyz"):
            raise InputError(f"mirror must name axes out of xyz, got {mirror!r}")
        self.cases, self.n, self.edge, self.seed = list(cases), n_patches, edge, seed
        self.axes = tuple("zyx".index(axis) for axis in mirror)
        self.voxels = [np.flatnonzero(case.body.ravel()) for case in self.cases]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        u = [fraction(self.seed, "patch", index, what) for what in ("voxel", "z", "y", "x")]
        number = index % len(self.cases)
        case, voxels = self.cases[number], self.voxels[number]
        center = np.unravel_index(int(voxels[int(u[0] * len(voxels))]), case.body.shape)
        starts = [self._start(int(c), n) for c, n in zip(center, case.body.shape, strict=True)]
        turned = [axis for axis in self.axes if u[1 + axis] < 0.5]
        found = {
            "channels": self._cut(case.channels, starts, turned),
            "guess": self._cut(case.guess, starts, turned, outside=1.0),
            "dose": self._cut(case.dose, starts, turned),
            "floor": self._cut(case.floor, starts, turned, outside=1.0),
            "body": self._cut(case.body.astype(np.float32), starts, turned),
        }
        return {key: torch.from_numpy(value) for key, value in found.items()}

    def _start(self, center: int, size: int) -> int:
        if size <= self.edge:
            return -((self.edge - size) // 2)
        margin = self.edge // 4
        return int(min(max(center - self.edge // 2, -margin), size - self.edge + margin))

    def _cut(
        self, values: FloatArray, starts: Sequence[int], turned: Sequence[int], outside: float = 0.0
    ) -> FloatArray:
        lead = values.ndim - 3
        out = np.full((*values.shape[:lead], *(self.edge,) * 3), outside, dtype=np.float32)
        source, target = [slice(None)] * lead, [slice(None)] * lead
        for start, size in zip(starts, values.shape[lead:], strict=True):
            low, high = max(0, start), min(size, start + self.edge)
            source.append(slice(low, high))
            target.append(slice(low - start, high - start))
        out[tuple(target)] = values[tuple(source)]
        if turned:
            out = np.flip(out, axis=tuple(axis + lead for axis in turned))
        return np.ascontiguousarray(out)

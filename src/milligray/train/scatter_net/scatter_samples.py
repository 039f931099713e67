"""Samples of the scatter network: what it is given, and what it must find."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.folder import SetFolder
from milligray.dataset.kinds import Sample
from milligray.dataset.reader import TrainingSet, open_set
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.dataset.uncertainty import FLOOR_OF_REFERENCE
from milligray.errors import InputError
from milligray.learn.inputs.basis_materials import basis_densities, basis_fractions
from milligray.learn.inputs.coarse_grid import averaged
from milligray.learn.inputs.scatter_channels import CHANNELS, GUESS_WEIGHTS
from milligray.learn.inputs.scatter_inputs import (
    VOXEL_SIZE_MM,
    ScatterInputs,
    scatter_inputs,
)
from milligray.learn.predictors.scatter_net import domain_features
from milligray.learn.scan import Scan
from milligray.train.prepared import prepared_file
from milligray.typing import BoolArray, FloatArray

KIND = "dose-maps"
BONE_FROM = 0.1
"""Share of cortical bone, of a tissue's absorption, from which on a voxel counts as bone."""
LIT_SHARE = 0.1
LEAST_MASS = 0.1
"""Density of the body in a cube, and of either tissue in it, below which it is not judged."""
_ARRAYS = ("channels", "guess", "absorbing", "primary_energy", "energy", "sigma", "weight",
           "features")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterSample:
    """One scan on the network's cubes, cropped to the body.

    Parameters
    ----------
    channels : ndarray, shape (n_channels, z, y, x), float32
    guess : ndarray, shape (z, y, x), float32 [mGy]
    absorbing : ndarray, shape (2, 2, z, y, x), float32 [g/cm3]
        Of the body: voxels of soft tissue and of bone in a cube (first axis), by basis (second).
    primary_energy : ndarray, shape (2, z, y, x), float32 [mGy g/cm3]
        ``sum_b absorbing_b primary_b`` of the patient's voxels, mean over the cube.
    energy : ndarray, shape (2, z, y, x), float32 [mGy g/cm3]
        Dose times density of the body: the truth.
    sigma : ndarray, same shape [mGy g/cm3]
        Its standard deviation.
    weight : ndarray, same shape
        1 where the truth is known and there is enough of the tissue, else 0.
    bone_ratio : float
    features : ndarray, shape (n_features,)
        Of the scan in the network's domain.
    facts : dict
        Sample, patient, split, protocol.

    Notes
    -----
    Soft tissue and bone of a cube are told apart because their sum could be right with too little
    dose in the one and too much in the other: a spinal cord lies in cubes that are mostly bone.
    """

    channels: FloatArray
    guess: FloatArray
    absorbing: FloatArray
    primary_energy: FloatArray
    energy: FloatArray
    sigma: FloatArray
    weight: FloatArray
    bone_ratio: float
    features: FloatArray
    facts: dict[str, Any]


def prepare_samples(
    sets: tuple[Path, ...], cache: Path, splits: tuple[str, ...], *, most: int | None = None
) -> list[ScatterSample]:
    """Samples of sets of dose maps; what was computed before is read from the cache.

    Parameters
    ----------
    sets : tuple of Path
        Made by ``milligray dataset make --kind dose-maps``.
    cache : Path
        Folder; made if absent.
    splits : tuple of str
    most : int, optional
        Only so many of each split of each set, evenly picked.
    """
    found = []
    for path in sets:
        training = open_set(path)
        if training.kind != KIND:
            raise InputError(f"{path} is a set of {training.kind}; the network needs {KIND}")
        for split in splits:
            names = training.samples(split)
            for name in names[:: max(1, len(names) // most)][:most] if most else names:
                stored = SetFolder(training.root).sample_file(name)
                file = prepared_file(cache, stored, CHANNELS, GUESS_WEIGHTS)
                file.parent.mkdir(parents=True, exist_ok=True)
                if not file.exists():
                    _write(make_sample(training, name), file)
                found.append(_read(file))
    return found


def open_sample(training: TrainingSet, name: str) -> tuple[Scan, Sample]:
    """Scan of a stored sample, and the sample."""
    sample = training.read(name)
    spec = spec_of(dict(training.manifest), name, training.root)
    scan = open_scan(spec, is_regridded=True, photons=float(sample.attributes["photons"]))
    return scan, sample


def stored_name(organ: str) -> str:
    """Name of an organ as sets hold it: the first 64 bytes."""
    return organ.encode()[:64].decode(errors="ignore")


def make_sample(training: TrainingSet, name: str) -> ScatterSample:
    """Bring a sample of a set of dose maps to the network's cubes."""
    scan, sample = open_sample(training, name)
    return scatter_sample(scan, scatter_inputs(scan), sample)


def scatter_sample(scan: Scan, inputs: ScatterInputs, sample: Sample) -> ScatterSample:
    """Inputs and truth on the network's cubes, cropped to the body."""
    patient = scan.patient
    dose, sigma, known = (np.zeros(patient.grid.shape, dtype=np.float32) for _ in range(3))
    part = stored_slices(scan, sample)
    stored = sample.arrays["dose"].values
    relative = sample.arrays["relative_uncertainty"].values
    dose[part], known[part] = stored, 1.0
    floor = FLOOR_OF_REFERENCE * float(sample.attributes["reference_dose_mgy"])
    sigma[part] = np.maximum(stored * relative, floor)
    density = patient.density_g_cm3 * patient.body
    is_bone = basis_fractions(patient.materials).absorption[:, 1] >= BONE_FROM
    bone = is_bone[patient.material_index]
    tissues = np.stack([~bone, bone])

    def onto(values: FloatArray) -> FloatArray:
        return averaged(values, patient.grid, inputs.grid)

    # variances of voxels within a cube add up; the cube's mean has the sum over their number
    per_cube = np.prod(inputs.grid.spacing_mm) / np.prod(patient.grid.spacing_mm)
    absorbing = basis_densities(patient)[1] * patient.body
    primary = (absorbing * inputs.fine_primary_mgy).sum(axis=0)
    mass = onto(density * tissues)
    box = _box(inputs.body > 0)
    enough = (mass > LEAST_MASS) & (onto(known) > 0.99)
    cut = (slice(None), *box)
    return ScatterSample(
        channels=inputs.channels[cut], guess=inputs.guess_mgy[box],
        absorbing=np.stack([onto(absorbing * tissue) for tissue in tissues])[:, *cut],
        primary_energy=onto(primary * tissues)[cut],
        energy=onto(dose * density * tissues)[cut],
        sigma=np.sqrt(onto((sigma * density) ** 2 * tissues) / per_cube)[cut],
        weight=enough[cut].astype(np.float32), bone_ratio=inputs.bone_ratio,
        features=domain_features(inputs),
        facts={
            key: sample.attributes[key]
            for key in ("sample", "patient", "split", "tube_voltage_kv", "scanner",
                        "kind_of_anatomy", "mean_diameter_mm")
        },
    )  # fmt: skip


def within_reach(sample: ScatterSample, reach_mm: float) -> ScatterSample:
    """Sample whose cubes count only up to a distance beyond the beam along z.

    A slice of cubes is lit if the primary beam brings a tenth of its energy.
    """
    primary, energy = (
        (values * sample.weight).sum(axis=(0, 2, 3), dtype=np.float64)
        for values in (sample.primary_energy, sample.energy)
    )
    lit = np.flatnonzero(primary > LIT_SHARE * energy)
    away = np.abs(np.arange(primary.size)[:, None] - lit[None]).min(axis=1, initial=10**6)
    near = (away * VOXEL_SIZE_MM <= reach_mm).astype(np.float32)
    return replace(sample, weight=sample.weight * near[:, None, None])


def stored_slices(scan: Scan, sample: Sample) -> slice:
    """Slices of the scan's grid that the sample's maps stand for."""
    grid = scan.patient.grid
    first = float(sample.attributes["first_voxel_lps_mm"][2])
    start = round((first - grid.axis_centers_mm(0)[0]) / grid.spacing_mm[0])
    stored = sample.arrays["dose"].values.shape
    if stored[1:] != grid.shape[1:] or not 0 <= start <= grid.shape[0] - stored[0]:
        raise InputError(
            f"sample {sample.attributes['sample']} does not fit its scan's grid; were images or"
            " package changed since the set was made?"
        )
    return slice(start, start + stored[0])


def _box(mask: BoolArray) -> tuple[slice, slice, slice]:
    """Box around a mask."""
    found = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=other))
        low, high = int(hit[0]), int(hit[-1]) + 1
        found.append(slice(low, high))
    return found[0], found[1], found[2]


def _write(sample: ScatterSample, file: Path) -> None:
    partial = file.with_name(f".{file.stem}.partial.npz")
    facts = np.array([sample.bone_ratio]), np.array(repr(sample.facts))
    arrays = {
        name: getattr(sample, name).astype(np.float64 if name == "features" else np.float32)
        for name in _ARRAYS
    }
    np.savez(partial, bone_ratio=facts[0], facts=facts[1], **arrays)
    partial.replace(file)


def _read(file: Path) -> ScatterSample:
    import ast  # noqa: PLC0415

    with np.load(file) as stored:
        return ScatterSample(
            bone_ratio=float(stored["bone_ratio"][0]),
            facts=ast.literal_eval(str(stored["facts"])),
            **{name: stored[name] for name in _ARRAYS},
        )

"""What a CT exam would be, from headers: what was found, what would be done, what it needs."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milligray.errors import InputError, MilligrayError
from milligray.exam.ct_exam import check_scale
from milligray.exam.memory import (
    ExamSize,
    MemoryEstimate,
    available_memory_bytes,
    check_memory,
    estimate_disk_bytes,
    estimate_memory,
)
from milligray.exam.predict_settings import PredictSettings
from milligray.exam.settings import CtSettings
from milligray.patient import find_body
from milligray.patient.layout import Box, Layout, body_box, lay_out
from milligray.read import CtInput
from milligray.read.nifti_axes import read_nifti_header
from milligray.source.ct_scan import choose_scanner, nominal_range_mm, over_ranging_mm
from milligray.transport.monte_carlo.batches import available_threads
from milligray.volume import Grid

SAMPLED_SLICES = 12
BODY_RIM = 0.03
"""The sampled slices may miss the widest one: the box is taken larger by this on every side."""
TYPICAL_BODY_WIDTH = 0.8
"""Share of the image's width and height that the body is taken to fill where it was not looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CtPlan:
    """What a run would do; every grid as (z, y, x).

    Parameters
    ----------
    image : dict
        What was found: words, number of files, shape, spacing.
    transport : dict
        Expected transport grid and what its voxels cost.
    scan : dict
        Protocol and scanner that would be used.
    memory : MemoryEstimate
    memory_at_most : MemoryEstimate
        If the body filled the image.
    available_bytes : int or None
    disk_bytes : int
    disk_free_bytes : int or None
    notes : tuple of str
    obstacles : tuple of str
        Why the run would be refused; empty if it would not.
    """

    image: dict[str, Any]
    transport: dict[str, Any]
    scan: dict[str, Any]
    memory: MemoryEstimate
    memory_at_most: MemoryEstimate
    available_bytes: int | None
    disk_bytes: int
    disk_free_bytes: int | None
    notes: tuple[str, ...]
    obstacles: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        document = asdict(self)
        for name, estimate in (
            ("memory", self.memory), ("memory_at_most", self.memory_at_most)
        ):  # fmt: skip
            document[name] = {
                "stage_bytes": dict(estimate.stage_bytes),
                "peak_bytes": estimate.peak_bytes,
                "peak_stage": estimate.peak_stage,
                "tally_bytes_per_thread": estimate.tally_bytes_per_thread,
            }
        return document


class SizeOfExam:
    """Sizes of an exam as a function of voxel size and threads, before its pixels are read."""

    def __init__(
        self, found: CtInput, settings: CtSettings | PredictSettings, organs: Path | None
    ) -> None:
        self._found, self._settings = found, settings
        self._box = _body_box_from_samples(found)
        image = read_nifti_header(organs) if organs is not None else None
        self._labels = None if image is None else image.grid
        self._label_bytes = 0 if image is None else image.values.dtype.itemsize

    def layout(self, voxel_size_mm: float | None, *, at_most: bool = False) -> Layout:
        """Transport grid as far as it can be told."""
        grid, settings = self._found.grid, self._settings
        n = int(np.ceil(settings.extend_mm / grid.spacing_mm[0] - 1e-9))
        whole = ((0, grid.shape[0]), (0, grid.shape[1]), (0, grid.shape[2]))
        box = None
        if settings.couch == "remove":
            box = whole if at_most else self._box
        return lay_out(grid, box, voxel_size_mm, extension=(n, n))

    def __call__(self, voxel_size_mm: float, threads: int, *, at_most: bool = False) -> ExamSize:
        """Return the size; voxel size 0 stands for the CT's own grid."""
        found, labels = self._found, self._labels
        return ExamSize(
            ct_voxels=_count(found.grid), ct_bytes_per_voxel=found.dtype.itemsize,
            transport_voxels=_count(self.layout(voxel_size_mm or None, at_most=at_most).grid),
            threads=threads, is_copied=self._settings.couch == "remove",
            stored_bytes_per_voxel=found.stored_bytes_per_voxel if found.choice is None else 0,
            label_voxels=0 if labels is None else _count(labels),
            label_bytes_per_voxel=self._label_bytes,
            labels_on_ct_grid=labels is None or labels.is_same_as(found.grid),
            is_resampled=found.is_resampled,
        )  # fmt: skip


def check_beforehand(found: CtInput, settings: CtSettings, organs: Path | None) -> None:
    """Refuse a run that would not fit into the memory that is free, before its pixels are read."""
    threads = settings.threads or available_threads()
    check_memory(
        SizeOfExam(found, settings, organs), settings.voxel_size_mm or 0.0, threads,
        available=available_memory_bytes(),
    )  # fmt: skip


def plan_ct_exam(
    found: CtInput,
    settings: CtSettings,
    *,
    organs: Path | None = None,
    out: Path | None = None,
    dose_grid: Literal["ct", "transport"] = "ct",
) -> CtPlan:
    """Plan of an exam.

    Parameters
    ----------
    found : CtInput
    settings : CtSettings
    organs : Path, optional
        Organ labels; only the header is read.
    out : Path, optional
        Where the result would go, to see how much room there is.
    dose_grid : {"ct", "transport"}
        Grid of the dose files.

    Returns
    -------
    CtPlan

    Notes
    -----
    Of a DICOM series some slices are decoded, to see how much of the image the patient fills; all
    else is from headers. A NIfTI image is not looked into: the body is taken to fill 80 % of its
    width and height.
    """
    threads = settings.threads or available_threads()
    size_of = SizeOfExam(found, settings, organs)
    wanted = settings.voxel_size_mm or 0.0
    layout = size_of.layout(settings.voxel_size_mm)
    memory = estimate_memory(size_of(wanted, threads))
    available = available_memory_bytes()
    disk = estimate_disk_bytes(_count(layout.grid), on_ct_grid=dose_grid == "ct")
    free = _free_disk(out)
    obstacles: list[str] = []
    notes = list(found.protocol.notes)
    scan = _scan(found, settings, notes, obstacles)
    for check in (
        lambda: check_scale(found.protocol, settings),
        lambda: check_memory(size_of, wanted, threads, available=available),
        lambda: _check_disk(disk, free),
    ):
        _collect(check, obstacles)
    if organs is None:
        notes.append(
            "no organ labels were given: TotalSegmentator if installed (a program of its own, whose"
            " memory is not counted here), else tissues by CT number"
        )
    return CtPlan(
        image={
            "found": found.label, "files": found.n_files, "shape": found.grid.shape,
            "spacing_mm": found.grid.spacing_mm, "bytes_per_voxel": found.dtype.itemsize,
        },
        transport={
            "shape": layout.grid.shape, "spacing_mm": layout.grid.spacing_mm,
            "ct_voxels_per_voxel": layout.block, "voxels": _count(layout.grid),
            "voxels_at_most": _count(size_of.layout(wanted or None, at_most=True).grid),
            "threads": threads, "precision": settings.precision, "histories": settings.histories,
            "dose_grid": dose_grid,
        },
        scan=scan, memory=memory,
        memory_at_most=estimate_memory(size_of(wanted, threads, at_most=True)),
        available_bytes=available, disk_bytes=disk, disk_free_bytes=free,
        notes=tuple(dict.fromkeys(notes)), obstacles=tuple(obstacles),
    )  # fmt: skip


def _scan(
    found: CtInput, settings: CtSettings, notes: list[str], obstacles: list[str]
) -> dict[str, Any]:
    protocol = found.protocol
    scan: dict[str, Any] = {
        name: getattr(protocol, name)
        for name in ("tube_voltage_kv", "scan_mode", "pitch", "collimation_mm", "ctdi_vol_mgy",
                     "phantom_diameter_mm", "effective_mas", "tube_current_ma", "rotation_time_s",
                     "patient_position", "origin")
    }  # fmt: skip
    current = protocol.relative_current
    scan["current_over_mean"] = (float(current.min()), float(current.max()))

    def beam() -> None:
        scanner, bowtie, told = choose_scanner(
            protocol, scanner=settings.scanner, bowtie=settings.bowtie
        )
        notes.extend(told)
        scan["scanner"], scan["bowtie"] = scanner.label, bowtie
        scan["half_value_layer_mm_al"] = scanner.half_value_layer_at(
            bowtie, protocol.tube_voltage_kv
        )
        low, high = nominal_range_mm(protocol)
        scan["range_mm"], scan["over_ranging_mm"] = (low, high), over_ranging_mm(protocol)

    _collect(beam, obstacles)
    return scan


def _collect(check: Callable[[], None], obstacles: list[str]) -> None:
    try:
        check()
    except MilligrayError as error:
        obstacles.append(str(error))


def _body_box_from_samples(found: CtInput) -> Box:
    """Where the body lies in the image; all of its height, as the slices between were not seen."""
    nz, ny, nx = found.grid.shape
    sampled = found.sample(SAMPLED_SLICES)
    body = None if sampled is None else find_body(sampled)
    if body is None or not body.any():
        rim_y, rim_x = (round(0.5 * (1 - TYPICAL_BODY_WIDTH) * n) for n in (ny, nx))
        return (0, nz), (rim_y, ny - rim_y), (rim_x, nx - rim_x)
    _, *seen = body_box(body)
    ends = []
    for (low, high), n in zip(seen, (ny, nx), strict=True):
        rim = round(BODY_RIM * (high - low))
        ends.append((max(0, low - rim), min(n, high + rim)))
    return (0, nz), ends[0], ends[1]


def _count(grid: Grid) -> int:
    nz, ny, nx = grid.shape
    return nz * ny * nx


def _free_disk(out: Path | None) -> int | None:
    if out is None:
        return None
    existing = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def _check_disk(needed: int, free: int | None) -> None:
    if free is not None and needed > free:
        raise InputError(
            f"the result takes about {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free in --out"
        )

"""How much memory an exam will take, stage by stage, from the sizes of its grids alone.

The terms are the arrays that live at each stage's fullest moment; the constants beside them were
measured (``python -m benchmarks large`` prints the estimate beside the measured peak).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from milligray.errors import InputError
from milligray.exam.settings import CtSettings
from milligray.patient.patient import Patient
from milligray.read.series import LabelMap
from milligray.transport.monte_carlo.batches import available_threads

GB = 1e9
SHARE_TO_USE = 0.95
"""Of the free memory; the rest is for the estimate's own error and everybody else."""
LARGEST_VOXEL_MM = 10.0

_PROGRAM_BYTES = {
    "read": 215e6, "patient": 225e6, "organs": 240e6, "calibration": 475e6, "transport": 270e6,
    "score": 270e6, "report": 410e6,
}  # fmt: skip
"""Program, libraries and what does not grow with the exam (report: its pictures; calibration: the
CTDI phantom, if this beam has not been simulated before)."""
_BODY_SHARE = 0.7
"""Of a transport grid that was cropped to the body; organs fill the body."""
_PATIENT = 6  # density float32, material uint8, body bool
_ORGAN_ENTRY = 12  # mass float64 and column int32 of one organ in one voxel
_SUMS = 8 + 8 + 4  # sum and sum of squares float64, packed voxels uint32
_STATISTICS = 40  # mean, variance and their temporaries, after the tallies are gone
_TALLY = 8  # float64, per thread
_DEPOSIT = 8 + 4  # energy float64, relative uncertainty float32
_DOSE = 4 + 4
_SCORING = 24  # temporaries of dose and dose-volume histograms
_PROFILES = 12  # temporaries of pictures and profiles
_LABEL = 2  # uint16
_FILE_VALUE = 12.5
"""Bytes of a compressed noisy float32 of the transport grid repeated on the CT's finer grid."""
_FILE_VALUE_OWN_GRID = 2.7
_REPORT_BYTES = 2.5e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamSize:
    """What the memory depends on.

    Parameters
    ----------
    ct_voxels, ct_bytes_per_voxel : int
    transport_voxels : int
    threads : int
    stored_bytes_per_voxel : int
        In a NIfTI file, decompressed; 0 for DICOM, which is read slice by slice.
    label_voxels, label_bytes_per_voxel : int
        Of the organ labels that were given, 0 without.
    labels_on_ct_grid : bool
    is_copied : bool
        The couch is taken off, which needs a second CT for a moment.
    is_resampled : bool
        Tilted or uneven slices, which also needs a second CT for a moment.
    """

    ct_voxels: int
    ct_bytes_per_voxel: int
    transport_voxels: int
    threads: int
    stored_bytes_per_voxel: int = 0
    label_voxels: int = 0
    label_bytes_per_voxel: int = 0
    labels_on_ct_grid: bool = True
    is_copied: bool = True
    is_resampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Estimated memory.

    Parameters
    ----------
    stage_bytes : mapping of str to int
        Resident memory at the fullest moment of each stage.
    tally_bytes_per_thread : int
    """

    stage_bytes: Mapping[str, int]
    tally_bytes_per_thread: int

    @property
    def peak_bytes(self) -> int:
        """Largest of the stages."""
        return max(self.stage_bytes.values())

    @property
    def peak_stage(self) -> str:
        """Stage with the largest."""
        return max(self.stage_bytes, key=lambda name: self.stage_bytes[name])


def estimate_memory(size: ExamSize) -> MemoryEstimate:
    """Memory of an exam, by stage.

    Parameters
    ----------
    size : ExamSize

    Returns
    -------
    MemoryEstimate

    Examples
    --------
    >>> small = ExamSize(
    ...     ct_voxels=512 * 512 * 100, ct_bytes_per_voxel=2, transport_voxels=10**6, threads=2
    ... )
    >>> estimate_memory(small).peak_stage
    'calibration'
    """
    n, t = size.ct_voxels, size.transport_voxels
    ct = n * size.ct_bytes_per_voxel
    given_labels = size.label_voxels * _LABEL
    labels = n * _LABEL + (0 if size.labels_on_ct_grid else given_labels)
    organs = t * _BODY_SHARE * _ORGAN_ENTRY
    kept = ct + labels + t * _PATIENT + organs
    reading = ct + size.label_voxels * size.label_bytes_per_voxel + given_labels
    reading = max(reading, ct + n * size.stored_bytes_per_voxel, (1 + size.is_resampled) * ct)
    no_labels = size.label_voxels == 0
    grows = {
        "read": reading,
        "patient": (1 + size.is_copied) * ct + n + t * _PATIENT + given_labels,
        # without labels the tissues are found by threshold, inside an outline of the body
        "organs": kept + (1.3 * n if no_labels else 0.0),
        "calibration": kept,
        "transport": kept + organs * 2 + t * (_SUMS + max(_TALLY * size.threads, _STATISTICS)),
        "score": kept + t * (_DEPOSIT + _DOSE + _SCORING),
        "report": kept + t * (_DEPOSIT + _DOSE + _PROFILES),
    }
    return MemoryEstimate(
        stage_bytes={name: int(_PROGRAM_BYTES[name] + value) for name, value in grows.items()},
        tally_bytes_per_thread=_TALLY * t,
    )


def estimate_disk_bytes(transport_voxels: int, *, on_ct_grid: bool) -> int:
    """Size of the result's files; dose and uncertainty are nearly all of it."""
    per_voxel = _FILE_VALUE if on_ct_grid else _FILE_VALUE_OWN_GRID
    return int(2 * per_voxel * transport_voxels + _REPORT_BYTES)


def available_memory_bytes() -> int | None:
    """Memory that this process can still get, None where the system does not tell.

    The least of what is free on the machine and, in a container or batch job, below its limit.
    """
    found = []
    meminfo = _read(Path("/proc/meminfo"))
    free = re.search(r"MemAvailable:\s+(\d+) kB", meminfo)
    if free:
        found.append(int(free[1]) * 1024)
    for limit, used, statistics in _CGROUP_FILES:
        most, now = _read(Path(limit)).strip(), _read(Path(used)).strip()
        cache = re.search(
            r"^(?:total_)?inactive_file (\d+)$", _read(Path(statistics)), re.MULTILINE
        )
        if most.isdigit() and now.isdigit():
            reclaimable = int(cache[1]) if cache else 0
            found.append(max(0, int(most) - int(now) + reclaimable))
    return min(found) if found else None


_CGROUP_FILES = (
    tuple(f"/sys/fs/cgroup/memory.{name}" for name in ("max", "current", "stat")),
    tuple(
        f"/sys/fs/cgroup/memory/memory.{name}"
        for name in ("limit_in_bytes", "usage_in_bytes", "stat")
    ),
)


def resident_bytes() -> int:
    """Memory that this process holds now, 0 where the system does not tell."""
    found = re.search(r"VmRSS:\s+(\d+) kB", _read(Path("/proc/self/status")))
    return int(found[1]) * 1024 if found else 0


def check_memory(
    size_of: Callable[[float, int], ExamSize],
    voxel_size_mm: float,
    threads: int,
    *,
    available: int | None,
    estimate: Callable[[ExamSize], MemoryEstimate] = estimate_memory,
) -> None:
    """Refuse a run that would not fit, and say what would.

    Parameters
    ----------
    size_of : callable (voxel_size_mm, threads) -> ExamSize
    voxel_size_mm : float [mm]
        As wanted.
    threads : int
    available : int or None
        Memory for the whole run, what it already holds included; None: unknown, nothing is refused.
    estimate : callable (ExamSize) -> MemoryEstimate
        Of Monte Carlo, or of another kind of exam.

    Raises
    ------
    InputError
        With a larger voxel or fewer threads that fit, if there are any.
    """
    if available is None:
        return
    limit = SHARE_TO_USE * available
    needed = estimate(size_of(voxel_size_mm, threads))
    if needed.peak_bytes <= limit:
        return
    ways = []
    size_mm = voxel_size_mm
    while size_mm < LARGEST_VOXEL_MM:
        size_mm = float(int(size_mm) + 1)
        peak = estimate(size_of(size_mm, threads)).peak_bytes
        if peak <= limit:
            ways.append(f"--voxel-size-mm {size_mm:g} needs about {peak / GB:.1f} GB")
            break
    for fewer in range(threads - 1, 0, -1):
        peak = estimate(size_of(voxel_size_mm, fewer)).peak_bytes
        if peak <= limit:
            ways.append(f"--threads {fewer} about {peak / GB:.1f} GB")
            break
    advice = (
        ", ".join(ways) or "no voxel size or number of threads helps: the CT itself is too large"
    )
    raise InputError(
        f"this run would need about {needed.peak_bytes / GB:.1f} GB of memory"
        f" ({needed.peak_stage}), {available / GB:.1f} GB are free; {advice}"
    )


def check_rest_of_exam(patient: Patient, labels: LabelMap | None, settings: CtSettings) -> None:
    """Refuse to go on if the rest of the exam would not fit, now that the body is known."""
    if patient.ct is None:
        return
    grid, values = patient.ct.grid, patient.ct.values
    size = ExamSize(
        ct_voxels=values.size, ct_bytes_per_voxel=values.itemsize,
        transport_voxels=patient.body.size, threads=settings.threads or available_threads(),
        label_voxels=0 if labels is None else labels.volume.values.size,
        labels_on_ct_grid=labels is None or labels.volume.grid.is_same_as(grid),
    )  # fmt: skip
    now_mm = settings.voxel_size_mm or min(grid.spacing_mm)

    def size_of(voxel_size_mm: float, threads: int) -> ExamSize:
        share = min(1.0, now_mm / (voxel_size_mm or now_mm)) ** 3
        return replace(size, transport_voxels=int(share * patient.body.size), threads=threads)

    free = available_memory_bytes()
    check_memory(
        size_of, settings.voxel_size_mm or 0.0, size.threads,
        available=None if free is None else free + resident_bytes(),
    )  # fmt: skip


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""

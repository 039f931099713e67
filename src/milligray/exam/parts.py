"""What exams by Monte Carlo and by network have in common."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from milligray.errors import InputError
from milligray.materials.hu_calibration import (
    HuCalibration,
    load_hu_calibration,
    read_hu_calibration,
)
from milligray.patient import water_equivalent_diameter_mm
from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol, LabelMap
from milligray.score.ctdi import CtdiSimulation
from milligray.score.ssde import ssde_conversion_factor
from milligray.segment import segment_organs
from milligray.segment.label_check import check_labels
from milligray.segment.organs import OrganMap
from milligray.segment.total_segmentator import is_installed
from milligray.source.ct_source import CtSource
from milligray.typing import FloatArray
from milligray.volume import Grid


class StageClock:
    """Wall time of the stages of an exam.

    Parameters
    ----------
    tell : callable, optional
        Told the name of each stage as it begins.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a stage."""
        if self.tell is not None:
            self.tell(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def check_ctdi_vol(protocol: CtProtocol, *, otherwise: str = "") -> None:
    """Refuse a scan without CTDIvol and its phantom; `otherwise` ends the advice."""
    if protocol.ctdi_vol_mgy is None:
        raise InputError(
            "the scan has no CTDIvol, so its dose has no absolute scale; give ctdi_vol_mgy and"
            f" phantom_diameter_mm in a protocol file (--protocol){otherwise}"
        )
    if protocol.phantom_diameter_mm is None:
        raise InputError(
            f"CTDIvol is {protocol.ctdi_vol_mgy:g} mGy, but not in which phantom; give"
            " phantom_diameter_mm = 160 or 320 in a protocol file (--protocol)"
        )


def read_calibration(name: str) -> HuCalibration:
    """Return the named HU calibration, or the facility's own from a file."""
    return read_hu_calibration(name) if _is_file_name(name) else load_hu_calibration(name)


def calibration_input(name: str) -> dict[str, str]:
    """Hash of the calibration, if it is a file."""
    if not _is_file_name(name):
        return {}
    return {"calibration": sha256(Path(name).read_bytes()).hexdigest()}


def _is_file_name(calibration: str) -> bool:
    return Path(calibration).suffix.lower() in (".csv", ".toml")


def find_organs(
    patient: Patient,
    labels: LabelMap | None,
    segmenter: Literal["threshold", "totalsegmentator"] | None,
    *,
    ct_grid: Grid,
    accept_labels: bool = False,
) -> tuple[OrganMap, tuple[str, ...]]:
    """Organs from the labels, else by the segmenter, else by what is installed; with warnings.

    Parameters
    ----------
    patient : Patient
    labels : LabelMap or None
    segmenter : str or None
    ct_grid : Grid
        Of the CT as it was read.
    accept_labels : bool
        See `milligray.segment.label_check.check_labels`.
    """
    if labels is not None:
        organs = segment_organs(patient, labels)
        return organs, check_labels(
            patient, organs, ct_grid=ct_grid, labels_grid=labels.volume.grid, accept=accept_labels
        )
    if segmenter is None:
        segmenter = "totalsegmentator" if is_installed() else "threshold"
    organs = segment_organs(patient, segmenter=segmenter)
    return organs, check_labels(patient, organs, accept=accept_labels)


def scale_record(
    protocol: CtProtocol, ctdi: CtdiSimulation | None, photons: float, source: CtSource
) -> dict[str, Any]:
    """How the absolute scale was made, for the report."""
    common = {
        "factor": photons, "irradiated_length_mm": source.scan_length_mm,
        "rotations": source.rotations,
    }  # fmt: skip
    if ctdi is None:
        return {"basis": "tube output of the spectrum model, per 100 effective mAs"} | common
    return {
        "ctdi_vol_mgy": protocol.ctdi_vol_mgy,
        "phantom_diameter_mm": ctdi.phantom_diameter_mm,
        "simulated_ctdi_w_mgy_per_history": ctdi.weighted_mgy,
        "simulated_center_to_periphery": ctdi.center_mgy / ctdi.periphery_mgy,
        "relative_uncertainty": ctdi.relative_uncertainty,
        **common,
    }


def size_and_indices(
    patient: Patient, protocol: CtProtocol, source: CtSource
) -> tuple[FloatArray, float | None, float | None]:
    """Water-equivalent diameter by slice [mm], SSDE [mGy], DLP [mGy cm]."""
    if patient.ct is None:
        raise InputError("a CT exam needs a CT")
    diameter = water_equivalent_diameter_mm(patient.ct)
    if protocol.ctdi_vol_mgy is None or protocol.phantom_diameter_mm is None:
        return diameter, None, None
    z = patient.ct.grid.axis_centers_mm(0)
    current = np.interp(z, protocol.slice_position_mm, protocol.relative_current)
    inside = diameter > 0
    factor = ssde_conversion_factor(diameter[inside], protocol.phantom_diameter_mm)
    ssde = float(protocol.ctdi_vol_mgy * np.mean(current[inside] * factor))
    dlp = float(protocol.ctdi_vol_mgy * source.scan_length_mm * 0.1)
    return diameter, ssde, dlp

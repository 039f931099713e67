"""Read from DICOM headers how a CT scan was made."""

from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from milligray.errors import InputError
from milligray.read.dicom_folder import scan_folder
from milligray.read.scan_dose import ctdi, effective_mas, relative_current
from milligray.read.scan_motion import collimation_mm, pitch, rotation_time_s, scan_mode
from milligray.read.series import CtProtocol, PatientPosition
from milligray.read.series_choice import SeriesChoice, choose_series
from milligray.read.slice_header import ScanHeader
from milligray.read.slice_stack import SliceStack, stack_slices

_HEAD_PARTS = ("HEAD", "BRAIN", "SKULL", "SINUS", "ORBIT", "FACE", "TEMPORAL", "IAC", "EAR")


def read_ct_protocol(path: str | Path, *, series: str | int | None = None) -> CtProtocol:
    """Read the scan protocol of a CT series from its DICOM headers.

    Parameters
    ----------
    path : str or Path
        Folder (searched with all below it), or one file: then the series it belongs to.
    series : str or int, optional
        As for `read_ct_series`.

    Returns
    -------
    CtProtocol
        With ``origin="dicom"``; whatever was assumed or computed stands in ``notes``.

    Raises
    ------
    InputError
        If the tube voltage is missing or unlikely, or no single series is meant.

    Notes
    -----
    Tube current by slice: XRayTubeCurrent, else Exposure, else CTDIvol, else constant.
    Effective mAs: current x rotation time / pitch; if one of them is unknown, Exposure where the
    vendor writes effective mAs into it (Siemens, Philips).
    """
    return ct_protocol_of(choose_series(scan_folder(path), series))


def ct_protocol_of(choice: SeriesChoice, *, tube_voltage_kv: float | None = None) -> CtProtocol:
    """Protocol of a chosen series; a given tube voltage replaces that of the header."""
    stack = stack_slices(choice.headers)
    scans = [header.scan for header in stack.headers]
    notes: list[str] = []
    kv = _tube_voltage(scans) if tube_voltage_kv is None else tube_voltage_kv
    mode = scan_mode(scans, [header.image_type for header in stack.headers], notes)
    width = collimation_mm(scans, notes)
    turn = rotation_time_s(scans, mode, notes)
    advance = pitch(scans, mode, width, turn, notes)
    current = relative_current(scans, notes)
    dose = ctdi(scans, notes)
    position = _patient_position(scans, notes)
    return CtProtocol(
        tube_voltage_kv=kv,
        slice_position_mm=stack.center_z_mm,
        relative_current=current.relative,
        scan_mode=mode,
        pitch=advance.value,
        collimation_mm=width.value,
        ctdi_vol_mgy=dose.ctdi_vol_mgy,
        phantom_diameter_mm=dose.phantom_diameter_mm,
        effective_mas=effective_mas(scans, current, turn, advance, notes),
        tube_current_ma=current.mean_ma,
        rotation_time_s=turn,
        slice_thickness_mm=stack.slice_thickness_mm,
        isocenter_lps_mm=_isocenter(stack, scans, position, notes),
        patient_position=position,
        manufacturer=scans[0].manufacturer,
        model=scans[0].model,
        filter_type=scans[0].filter_type,
        body_region=_body_region(scans[0], dose.phantom_diameter_mm),
        origin="dicom",
        notes=tuple(notes),
    )


def _tube_voltage(scans: list[ScanHeader]) -> float:
    known = [scan.kvp for scan in scans if scan.kvp is not None]
    if not known:
        raise InputError(
            "the tube voltage is missing: KVP (0018,0060) is empty or 0 in all slices; give"
            " tube_voltage_kv in a protocol file (--protocol)"
        )
    if max(known) - min(known) > 0.5:
        raise InputError(
            f"KVP (0018,0060) varies from {min(known):g} to {max(known):g} kV within the series"
            " (dual energy with switching?): one tube voltage is needed; give it in a protocol file"
        )
    return known[0]


def _patient_position(scans: list[ScanHeader], notes: list[str]) -> PatientPosition:
    given = scans[0].patient_position
    if given in get_args(PatientPosition):
        return cast("PatientPosition", given)
    notes.append(
        f"PatientPosition (0018,5100) is {given or 'missing'!s}: head first, supine was taken"
    )
    return "HFS"


def _body_region(
    scan: ScanHeader, phantom_diameter_mm: int | None
) -> Literal["head", "body"] | None:
    if "HEAD" in scan.filter_type:
        return "head"
    if "BODY" in scan.filter_type:
        return "body"
    if phantom_diameter_mm is not None:
        return "head" if phantom_diameter_mm == 160 else "body"
    if not scan.body_part:
        return None
    return "head" if any(scan.body_part.startswith(part) for part in _HEAD_PARTS) else "body"


def _isocenter(
    stack: SliceStack, scans: list[ScanHeader], position: PatientPosition, notes: list[str]
) -> tuple[float, float] | None:
    """(x, y) of the axis of rotation; from the header, else from the vendor's coordinates."""
    centers = [s.rotation_center_lps_mm for s in scans if s.rotation_center_lps_mm is not None]
    if centers:
        x, y = np.median(np.array(centers)[:, :2], axis=0)
        if _is_in_image(stack, x, y):
            return float(x), float(y)
        notes.append(
            "DataCollectionCenterPatient (0018,9313) lies outside the image and was not used"
        )
        return None
    maker = scans[0].manufacturer.upper()
    guess: tuple[float, float] | None = None
    how = ""
    if maker.startswith(("GE", "TOSHIBA", "CANON")):
        guess, how = (0.0, 0.0), "the origin of this vendor's patient coordinates"
    height = scans[0].table_height_mm
    if maker.startswith("SIEMENS") and position in ("HFS", "FFS") and height is not None:
        guess, how = (0.0, -height), "the table height, as this vendor places it"
    if guess is not None and _is_in_image(stack, *guess):
        notes.append(
            f"isocenter at x, y = {guess[0]:g}, {guess[1]:g} mm assumed from {how}"
            " (DataCollectionCenterPatient is missing)"
        )
        return guess
    notes.append("the header does not tell where the isocenter is")
    return None


def _is_in_image(stack: SliceStack, x: float, y: float) -> bool:
    grid = stack.even_grid()
    _, j, i = grid.to_index_kji([x, y, grid.affine[2, 3]])
    return bool(0 <= j <= grid.shape[1] - 1 and 0 <= i <= grid.shape[2] - 1)

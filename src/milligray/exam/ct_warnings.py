"""What the user must know about an exam: missing scatter, doubtful labels, a removed couch."""

import numpy as np

from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol, CtSeries
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource

SHORT_IMAGE_MM = 150.0
REMOVED_TO_TELL = 0.02
CUT_AREA = 0.1
"""An end slice with more than this share of the largest cross-section cuts the patient."""


def cut_image_mm(patient: Patient, extend_mm: float) -> float | None:
    """Length of the image if it ends inside the patient and nothing was put beyond, else None."""
    area = patient.body.sum(axis=(1, 2))
    occupied = np.flatnonzero(area)
    if extend_mm > 0 or occupied.size == 0:
        return None
    ends = max(area[occupied[0]], area[occupied[-1]])
    if ends < CUT_AREA * area.max():
        return None
    return float(occupied.size * patient.grid.spacing_mm[0])


def removed_mass_fraction(ct: CtSeries, patient: Patient) -> float:
    """Mass that couch removal took away, as water by CT number, over the mass of the body."""
    if patient.ct is None:
        return 0.0
    removed = 0.0
    for before, after in zip(ct.volume.values, patient.ct.values, strict=True):
        changed = before != after
        removed += float(np.clip(before[changed] + 1000.0, 0.0, None).sum()) / 1000.0
    removed_g = removed * ct.volume.grid.voxel_volume_cm3
    return removed_g / float(patient.mass_g[patient.body].sum(dtype=np.float64))


def couch_warning(removed: float) -> tuple[str, ...]:
    """Warn of a removed couch, from the share of the patient's mass that went with it."""
    if removed < REMOVED_TO_TELL:
        return ()
    told = (
        f"COUCH REMOVED: matter outside the body (couch, blankets) of {100 * removed:.0f} % of the"
        " patient's mass was taken away; it shields the patient in the scanner, so organ doses are"
        " too high by about as much; --couch keep transports through it"
    )
    return (told,)


def scan_warnings(
    organs: OrganMap, protocol: CtProtocol, source: CtSource, patient: Patient, extend_mm: float
) -> list[str]:
    """Warnings about organs, scale, isocenter and the ends of the image."""
    found = []
    if organs.method.startswith("threshold"):
        found.append(
            "NO ORGANS: no labels were given and no segmenter is installed; the rows are tissues"
            " by CT number, not organs"
        )
    if protocol.ctdi_vol_mgy is None:
        found.append("NO CTDIvol: doses are per 100 effective mAs of a modelled tube, not absolute")
    if protocol.isocenter_lps_mm is None:
        x, y = source.isocenter_lps_mm
        found.append(
            f"isocenter not given: put at the center of the body outline, x = {x:.0f} mm,"
            f" y = {y:.0f} mm"
        )
    cut = cut_image_mm(patient, extend_mm)
    if cut is not None and cut < SHORT_IMAGE_MM:
        found.append(
            f"SHORT IMAGE: it ends inside the patient after {cut:.0f} mm, and scatter from beyond"
            " is missing, so organ doses are too low, by up to half; give the true range"
            " (scan_start_mm, scan_end_mm in a protocol file) and continue the tissue with"
            " --extend-mm 150"
        )
    elif cut is not None:
        found.append(
            "the image ends inside the patient: organs within some 5 cm of that end get too little"
            " scatter; --extend-mm 150 continues the tissue"
        )
    if protocol.scan_mode == "helical":
        image = patient.ct.grid.shape[0] * patient.ct.grid.spacing_mm[0] if patient.ct else 0.0
        found.append(
            f"irradiated length {source.scan_length_mm:.0f} mm, image {image:.0f} mm: over-ranging"
            " is modelled; scan range beyond the image and its tissue are unknown"
        )
    return found

"""What the user must know of a nuclear-medicine exam: missing activity, assumptions, cut bodies."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import numpy as np

from milligray.exam.nm_settings import NmSettings
from milligray.patient.patient import Patient
from milligray.source.activity_on_patient import PatientActivity

PARTIAL_IMAGE = 0.7
"""Share of the administered activity below which the image is told to be of a part of the body."""
CUT_AREA = 0.1
"""An end slice with more than this share of the largest cross-section cuts the patient."""
SECONDS_PER_HOUR = 3600.0


def image_facts(placed: PatientActivity) -> Mapping[str, Any]:
    """Facts of one time point for the report."""
    image = placed.image
    return {
        "modality": image.modality, "units": image.units,
        "decay_correction": image.decay_correction,
        "hours_after_administration": image.reference_s_after_administration / SECONDS_PER_HOUR,
        "total_activity_mbq": image.total_activity_mbq,
        "on_patient_mbq": float(placed.activity_mbq.sum()),
        "voxel_mm": image.grid.spacing_mm, "frame_duration_s": image.frame_duration_s,
        "outside_ct_fraction": placed.outside_ct_fraction,
        "outside_body_fraction": placed.outside_body_fraction,
        "resampling_correction": placed.correction,
        "registration": placed.registration.method,
    }  # fmt: skip


def nm_warnings(
    placed: Sequence[PatientActivity], patient: Patient, settings: NmSettings
) -> list[str]:
    """Reasons to read the doses with care."""
    found = []
    image = placed[0].image
    given = image.administered_activity_mbq
    if given is not None:
        time = image.reference_s_after_administration
        decayed = given * np.exp(-log(2.0) / (image.half_life_s or np.inf) * time)
        share = image.total_activity_mbq / decayed
        if share < PARTIAL_IMAGE:
            found.append(
                f"PART OF THE BODY: the image holds {100 * share:.0f} % of the activity that was"
                " given; dose from activity outside the image is missing"
            )
    if settings.kinetics == "physical":
        found.append(
            "ASSUMED KINETICS: one image, physical decay alone; nothing is washed out, so doses"
            " are upper estimates for most organs"
        )
    area = patient.body.sum(axis=(1, 2))
    ends = [area[k] for k in (np.flatnonzero(area)[0], np.flatnonzero(area)[-1])]
    if max(ends) > CUT_AREA * area.max():
        found.append(
            "CUT BODY: the CT ends within the patient; scatter from beyond it is missing near the"
            " ends"
        )
    return found

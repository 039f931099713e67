"""Do the labels belong to this patient? Organs that look like something else are named."""

import numpy as np

from milligray.patient.patient import Patient
from milligray.segment.organs import OrganMap

AIR_HU = -500.0
BONE_HU = 100.0
MAX_AIR_SHARE = 0.25
HOLLOW = (
    *("lung", "trachea", "bronch", "larynx", "pharynx", "nas", "oral", "sinus", "airway"),
    *("ear_canal", "mastoid"),
    *("stomach", "bowel", "colon", "duodenum", "esophagus", "rectum", "cavity"),
    *("body", "skin", "breast", "threshold", "remaining", "couch"),
)
"""Parts of names of organs that may hold air or reach the surface."""
BONES = ("mandible", "rib_", "vertebra", "femur", "hip_", "sacrum", "humerus", "scapula",
         "clavicula", "sternum", "skull")  # fmt: skip
"""Parts of names of bones."""
NO_BONES = ("cartilage", "disc", "ligament")
"""Parts of names of what only lies at a bone."""
MIN_DENSE_SHARE = 0.2
MIN_VOXELS = 20


def implausible_organs(patient: Patient, organs: OrganMap) -> tuple[str, ...]:
    """Sentences about organs whose CT numbers contradict their names; none if all is well.

    Parameters
    ----------
    patient : Patient
        With a CT.
    organs : OrganMap

    Returns
    -------
    tuple of str
        Solid organs of which more than a quarter is air, and bones of which less than a fifth is
        above 100 HU. Labels of another patient or a shifted grid show so; metal artifacts can, too.
    """
    if patient.ct is None:
        return ()
    largest = max(organs.names, default=0)
    total = np.zeros(largest + 1)
    air = np.zeros(largest + 1)
    dense = np.zeros(largest + 1)
    for labels, values in zip(organs.labels, patient.ct.values, strict=True):
        chosen = (labels > 0) & (labels <= largest)
        label, hu = labels[chosen], values[chosen]
        total += np.bincount(label, minlength=largest + 1)
        air += np.bincount(label[hu < AIR_HU], minlength=largest + 1)
        dense += np.bincount(label[hu >= BONE_HU], minlength=largest + 1)
    airy, soft = [], []
    for label, name in sorted(organs.names.items()):
        if total[label] < MIN_VOXELS:
            continue
        lower = name.lower()
        if not any(part in lower for part in HOLLOW) and air[label] > MAX_AIR_SHARE * total[label]:
            airy.append(f"{name} ({100 * air[label] / total[label]:.0f} % air)")
        elif _is_bone(lower) and dense[label] < MIN_DENSE_SHARE * total[label]:
            soft.append(f"{name} ({100 * dense[label] / total[label]:.0f} % above {BONE_HU:g} HU)")
    found = []
    if airy:
        found.append(f"solid organs that hold air: {', '.join(airy)}")
    if soft:
        found.append(f"bones that are not dense: {', '.join(soft)}")
    return tuple(found)


def _is_bone(name: str) -> bool:
    if any(part in name for part in NO_BONES):
        return False
    return any(part in name for part in BONES)

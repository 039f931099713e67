"""Do organs look like what they are called? Tissue, place and surroundings of every label."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from milligray.patient.patient import Patient
from milligray.segment.catalog import organ_catalog
from milligray.segment.organs import OrganMap
from milligray.typing import BoolArray, LabelArray

AIR_HU = -500.0
BONE_HU = 100.0
CLEARLY_BONE_HU = 150.0
LUNG_HU = -400.0
WORKING_SPACING_MM = 3.0
"""Images are looked at in steps of about this length."""
RING_MM = (3.0, 9.0)
"""From where to where a surrounding is looked at, from the organ's faces."""
MIN_VOXELS = 20

NO_ORGANS = ("body", "skin", "threshold", "remain", "couch")
"""Parts of names of what may lie anywhere."""
HOLLOW = (
    *("lung", "trachea", "bronch", "larynx", "pharynx", "nas", "oral", "sinus", "airway"),
    *("ear_canal", "mastoid"),
    *("stomach", "bowel", "colon", "duodenum", "esophagus", "rectum", "cavity"),
    "breast",
)
"""Parts of names of organs that may hold air or reach the surface."""
OPEN = ("nas", "oral", "sinus", "ear_canal", "airway", "pharynx", "breast")
"""Parts of names of organs that reach, or open to, the surface."""
BONES = ("mandible", "rib_", "vertebra", "femur", "hip_", "sacrum", "humerus", "scapula",
         "clavicula", "sternum", "skull")  # fmt: skip
"""Parts of names of bones."""
COMPACT_BONES = ("mandible", "skull")
"""Bones that are dense in every patient; vertebrae of the old may hardly be."""
NO_BONES = ("cartilage", "disc", "ligament")
"""Parts of names of what only lies at a bone."""
NO_CONTRAST = ("brain", "spinal_cord", "parotid", "submandibular", "eye", "gluteus", "autochthon")
"""Parts of names of soft organs that neither bone nor contrast medium makes dense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A property that labels of the right patient have.

    Parameters
    ----------
    told : str
        What is wrong where it does not hold.
    unit : str
        What the number is, behind it.
    doubtful, wrong : float
        A value beyond the first is to be told, beyond the second no label of this patient. Where
        ``doubtful < wrong`` large values are bad, else small ones.
    """

    told: str
    unit: str
    doubtful: float
    wrong: float

    def is_wrong(self, value: float) -> bool:
        """Beyond what labels of the patient show."""
        return value > self.wrong if self.doubtful < self.wrong else value < self.wrong

    def is_doubtful(self, value: float) -> bool:
        """Rare in labels of the patient."""
        return value > self.doubtful if self.doubtful < self.wrong else value < self.doubtful


RULES = {
    "air": Rule(told="solid organs that hold air", unit="air", doubtful=0.10, wrong=0.25),
    "outside": Rule(
        told="organs outside the body", unit="outside", doubtful=0.15, wrong=0.35
    ),
    "bone": Rule(
        told="soft organs that hold bone", unit=f"above {CLEARLY_BONE_HU:g} HU",
        doubtful=0.13, wrong=0.20,
    ),
    "soft": Rule(
        told="bones that are not dense", unit=f"above {BONE_HU:g} HU", doubtful=0.3, wrong=0.2
    ),
    "not compact": Rule(
        told="bones that are not dense", unit=f"above {BONE_HU:g} HU", doubtful=0.65, wrong=0.5
    ),
    "canal": Rule(
        told="a spinal cord without bone around it", unit="more bone around than within",
        doubtful=0.28, wrong=0.15,
    ),
    "lung": Rule(
        told="lungs that hold no air", unit=f"below {LUNG_HU:g} HU", doubtful=0.5, wrong=0.25
    ),
    "airway": Rule(told="a windpipe that holds no air", unit="air", doubtful=0.5, wrong=0.25),
}  # fmt: skip
"""Limits, set with a margin around 39 patients with their own labels; see docs/validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A measured property of one organ.

    Parameters
    ----------
    rule : str
        Of `RULES`.
    organ : str
    value : float
        A share, or a difference of shares.
    """

    rule: str
    organ: str
    value: float

    def __str__(self) -> str:
        return f"{self.organ} ({100 * self.value:.0f} % {RULES[self.rule].unit})"


def measure_organs(patient: Patient, organs: OrganMap) -> tuple[Finding, ...]:
    """Measure all that `RULES` judge.

    Parameters
    ----------
    patient : Patient
        Without a CT (shapes) there is nothing to measure.
    organs : OrganMap
        On the CT's grid.

    Returns
    -------
    tuple of Finding
        For every organ of the catalog of 20 looked-at voxels and more; regions of other names
        (targets, say) may lie anywhere.
    """
    if patient.ct is None:
        return ()
    steps = tuple(max(1, int(WORKING_SPACING_MM / s + 0.25)) for s in patient.ct.grid.spacing_mm)
    every = tuple(slice(None, None, step) for step in steps)
    labels = np.ascontiguousarray(organs.labels[every])
    hu = np.ascontiguousarray(patient.ct.values[every])
    inside = _body_on_ct(patient, labels.shape, steps)
    spacing = tuple(n * s for n, s in zip(steps, patient.ct.grid.spacing_mm, strict=True))
    found: list[Finding] = []
    boxes = ndimage.find_objects(labels)
    for label, name in sorted(organs.names.items()):
        box = boxes[label - 1] if label <= len(boxes) else None
        if box is None or name not in organ_catalog() or _has(name, NO_ORGANS):
            continue
        mask = labels[box] == label
        if mask.sum() < MIN_VOXELS:
            continue
        values = hu[box][mask]
        for rule, value in _of_tissue(name.lower(), values):
            found.append(Finding(rule=rule, organ=name, value=value))
        if not _has(name, OPEN):
            share = float(1.0 - inside[box][mask].mean())
            found.append(Finding(rule="outside", organ=name, value=share))
        if "spinal_cord" in name:
            around = _around(labels == label, box, hu, spacing)
            if around.size >= MIN_VOXELS:
                value = _bone_share(around) - _bone_share(values)
                found.append(Finding(rule="canal", organ=name, value=value))
    return tuple(found)


def implausible_organs(
    patient: Patient, organs: OrganMap, *, doubtful: bool = False
) -> tuple[str, ...]:
    """Sentences about organs that cannot be what they are called; none if all is well.

    Parameters
    ----------
    patient : Patient
    organs : OrganMap
    doubtful : bool
        Also what is only rare; metal artifacts or disease may show so.

    Returns
    -------
    tuple of str
    """
    return sentences(measure_organs(patient, organs), doubtful=doubtful)


def sentences(found: tuple[Finding, ...], *, doubtful: bool) -> tuple[str, ...]:
    """Findings beyond their limits, one sentence a fault."""
    told: dict[str, list[str]] = {}
    for finding in found:
        rule = RULES[finding.rule]
        if rule.is_wrong(finding.value) or (doubtful and rule.is_doubtful(finding.value)):
            told.setdefault(rule.told, []).append(str(finding))
    return tuple(f"{fault}: {', '.join(organs)}" for fault, organs in told.items())


def _of_tissue(name: str, values: npt.NDArray[Any]) -> Iterator[tuple[str, float]]:
    """Which rules an organ's CT numbers are judged by, and the values."""
    air = float((values < AIR_HU).mean())
    if not _has(name, HOLLOW):
        yield "air", air
    if _has(name, BONES) and not _has(name, NO_BONES):
        kind = "not compact" if _has(name, COMPACT_BONES) else "soft"
        yield kind, float((values >= BONE_HU).mean())
    elif _has(name, NO_CONTRAST):
        yield "bone", float((values >= CLEARLY_BONE_HU).mean())
    if name.startswith("lung_"):
        yield "lung", float((values < LUNG_HU).mean())
    if name == "trachea":
        yield "airway", air


def _bone_share(values: npt.NDArray[Any]) -> float:
    """Mean of 0 below 100 HU to 1 above 300 HU."""
    return float(np.clip((values.astype(np.float64) - BONE_HU) / 200.0, 0.0, 1.0).mean())


def _around(
    mask: BoolArray, box: tuple[slice, ...], hu: npt.NDArray[Any], spacing: tuple[float, ...]
) -> npt.NDArray[Any]:
    """CT numbers beside an organ in its slices, between `RING_MM` from it."""
    rim = [int(np.ceil(RING_MM[1] / s)) for s in spacing[1:]]
    window = (
        box[0],
        *(slice(max(0, b.start - n), b.stop + n) for b, n in zip(box[1:], rim, strict=True)),
    )
    organ = mask[window]
    far = _grown(organ, [RING_MM[1] / s for s in spacing[1:]])
    near = _grown(organ, [RING_MM[0] / s for s in spacing[1:]])
    return np.asarray(hu[window][far & ~near])


def _grown(mask: BoolArray, voxels: list[float]) -> BoolArray:
    """Mask grown in its slices by a number of voxels along y and x."""
    size = (1, *(2 * round(n) + 1 for n in voxels))
    return np.asarray(ndimage.maximum_filter(mask.view(np.uint8), size=size), dtype=np.bool_)


def _body_on_ct(
    patient: Patient, shape: tuple[int, ...], steps: tuple[int, ...]
) -> LabelArray | BoolArray:
    """Body of the transport grid at every so-many-th CT voxel; False beyond that grid."""
    places, valid = [], []
    for axis in range(3):
        at = (np.arange(shape[axis]) * steps[axis] + patient.ct_offset[axis]) // patient.block[axis]
        valid.append((at >= 0) & (at < patient.grid.shape[axis]))
        places.append(np.clip(at, 0, patient.grid.shape[axis] - 1))
    body = patient.body[np.ix_(*places)]
    return np.asarray(body & valid[0][:, None, None] & valid[1][:, None] & valid[2])


def _has(name: str, parts: tuple[str, ...]) -> bool:
    lower = name.lower()
    return any(part in lower for part in parts)

"""From the stored values of a PET image to activity concentration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from milligray.constants import GRAM_PER_KG
from milligray.errors import InputError
from milligray.read.dicom_tags import Tags
from milligray.read.emission_slice import PHILIPS_GROUP, EmissionSlice
from milligray.read.patient_keys import is_plausible_weight
from milligray.read.slice_header import SliceHeader
from milligray.typing import FloatArray

MBQ_PER_BQ = 1e-6
_UCUM_MBQ_ML = {"BQ/ML": 1e-6, "KBQ/ML": 1e-3, "MBQ/ML": 1.0, "BQ/CM3": 1e-6, "KBQ/CM3": 1e-3}
_SUV_SAME = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueScale:
    """How stored values become activity.

    Parameters
    ----------
    headers : tuple of SliceHeader
        With the slope and intercept to be applied.
    factor : ndarray, shape (n,)
        From rescaled values to MBq/mL (of SUV: at the time of administration).
    is_suv : bool
        True: the values are normalized to the administered activity, decayed as they are.
    units : str
    notes : tuple of str
    """

    headers: tuple[SliceHeader, ...]
    factor: FloatArray
    is_suv: bool
    units: str
    notes: tuple[str, ...] = ()


def pet_scale(
    slices: Sequence[EmissionSlice], *, weight_kg: float | None, activity_mbq: float | None
) -> ValueScale:
    """Scale of a PET series.

    Parameters
    ----------
    slices : sequence of EmissionSlice
    weight_kg, activity_mbq : float or None
        Of the patient and the administration, for SUV.

    Raises
    ------
    InputError
        If the units are missing, not quantitative, or an SUV that cannot be undone.

    Notes
    -----
    BQML: Bq/mL. CNTS: Philips' private factor (7053,xx09) to Bq/mL, else (7053,xx00) to SUV. GML:
    SUV by body weight, ``c = SUV A / W``. Without Units (0054,1001) a real-world value mapping in
    Bq/mL is taken.
    """
    units = {one.tags.text("Units").upper() for one in slices}
    if len(units) > 1:
        raise InputError(f"the slices have different units ({', '.join(sorted(units))})")
    unit = units.pop()
    headers = tuple(one.header for one in slices)
    if not unit:
        return _mapped(slices, headers)
    lost = [one for one in slices if one.tags.number("RescaleSlope") is None]
    if lost:
        raise InputError(
            f"RescaleSlope (0028,1053) is missing in {len(lost)} of {len(slices)} slices, e.g."
            f" {lost[0].header.path.name}: their activity is not known"
        )
    ones = np.ones(len(slices))
    if unit == "BQML":
        return ValueScale(headers=headers, factor=ones * MBQ_PER_BQ, is_suv=False, units=unit)
    if unit == "CNTS":
        return _philips(slices, headers, weight_kg, activity_mbq)
    if unit == "GML":
        kind = slices[0].tags.text("SUVType").upper()
        if kind not in ("", "BW"):
            raise InputError(
                f"SUV of type {kind} (0054,1006): the lean mass or surface that it was divided by"
                " is not in the header; export the series in BQML"
            )
        factor = _suv_factor(weight_kg, activity_mbq)
        notes = [f"SUV turned back by {weight_kg:g} kg and {activity_mbq:g} MBq"]
        if not kind:
            notes.append("SUVType (0054,1006) is missing: body weight assumed")
        return ValueScale(
            headers=headers, factor=ones * factor, is_suv=True, units=unit, notes=tuple(notes)
        )
    raise InputError(
        f"Units (0054,1001) are {unit}: no activity can be told from them; export the series in"
        " BQML"
    )


def real_world_mapping(tags: Tags) -> tuple[float, float, float] | None:
    """Slope and intercept from STORED values to a concentration, and that unit in MBq/mL."""
    items = tags.value("RealWorldValueMappingSequence") or []
    for item in [*(Tags([one]) for one in items), tags]:
        codes = item.value("MeasurementUnitsCodeSequence")
        slope = item.number("RealWorldValueSlope")
        if not codes or slope is None:
            continue
        code = Tags([codes[0]]).text("CodeValue").upper().replace(" ", "")
        factor = _UCUM_MBQ_ML.get(code.replace("{", "").replace("}", ""))
        if factor is not None:
            return slope, item.number("RealWorldValueIntercept") or 0.0, factor
    return None


def _mapped(slices: Sequence[EmissionSlice], headers: tuple[SliceHeader, ...]) -> ValueScale:
    mappings = [real_world_mapping(one.tags) for one in slices]
    found = [mapping for mapping in mappings if mapping is not None]
    if len(found) < len(slices):
        raise InputError(
            "Units (0054,1001) are missing and no real-world value mapping in Bq/mL is there: the"
            " values have no unit"
        )
    return ValueScale(
        headers=tuple(
            replace(header, slope=slope, intercept=intercept)
            for header, (slope, intercept, _) in zip(headers, found, strict=True)
        ),
        factor=np.array([factor for _, _, factor in found]),
        is_suv=False,
        units="BQML",
        notes=("units and scale from the real-world value mapping",),
    )


def _philips(
    slices: Sequence[EmissionSlice],
    headers: tuple[SliceHeader, ...],
    weight_kg: float | None,
    activity_mbq: float | None,
) -> ValueScale:
    concentration = [one.private_positive(PHILIPS_GROUP, 0x09) for one in slices]
    suv = [one.private_positive(PHILIPS_GROUP, 0x00) for one in slices]
    if all(concentration):
        factor = np.array(concentration, dtype=np.float64) * MBQ_PER_BQ
        return ValueScale(
            headers=headers, factor=factor, is_suv=False, units="CNTS",
            notes=("counts scaled to Bq/mL by Philips' private factor (7053,xx09)",),
        )  # fmt: skip
    if all(suv):
        factor = np.array(suv, dtype=np.float64) * _suv_factor(weight_kg, activity_mbq)
        return ValueScale(
            headers=headers, factor=factor, is_suv=True, units="CNTS",
            notes=(
                ("counts scaled to SUV by Philips' private factor (7053,xx00), and that by"
                f" {weight_kg:g} kg and {activity_mbq:g} MBq"),
            ),
        )  # fmt: skip
    raise InputError(
        "Units (0054,1001) are CNTS (counts) without Philips' private factors (7053,xx00) or"
        " (7053,xx09) in every slice: no activity can be told; export with private attributes, or"
        " in BQML"
    )


def _suv_factor(weight_kg: float | None, activity_mbq: float | None) -> float:
    if weight_kg is None or activity_mbq is None:
        lost = "PatientWeight (0010,1030)" if weight_kg is None else "RadionuclideTotalDose"
        raise InputError(
            f"the values are SUV and {lost} is missing: give"
            f" {'weight_kg' if weight_kg is None else 'administered_activity_mbq'}"
        )
    if not is_plausible_weight(weight_kg):
        raise InputError(f"the values are SUV, but the weight of {weight_kg:g} kg cannot be")
    return activity_mbq / (weight_kg * GRAM_PER_KG)

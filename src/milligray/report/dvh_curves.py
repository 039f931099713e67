"""Which dose-volume histograms a report draws."""

from collections.abc import Mapping

from milligray.report.charts import DvhCurve
from milligray.report.sections import SMALL_ORGAN_ML
from milligray.report.wording import plain_name
from milligray.score.dose import OrganDoses
from milligray.typing import FloatArray

MAX_CURVES = 12


def dvh_curves(
    organ_doses: OrganDoses, dvh: Mapping[str, tuple[FloatArray, FloatArray]]
) -> list[DvhCurve]:
    """Pick the organs with the highest mean dose, in falling order; small ones only if few."""
    large = [r for r in organ_doses.rows if r.volume_ml >= SMALL_ORGAN_ML]
    few = len(dvh) <= MAX_CURVES or not large
    rows = sorted(
        organ_doses.rows if few else large, key=lambda row: row.mean_dose_mgy, reverse=True
    )
    return [
        DvhCurve(
            label=plain_name(row.organ),
            dose=dvh[row.organ][0],
            volume_fraction=dvh[row.organ][1],
        )
        for row in rows
        if row.organ in dvh
    ][:MAX_CURVES]

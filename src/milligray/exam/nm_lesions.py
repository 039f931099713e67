"""Lesions by the sphere model: what their own activity gives them, beside the other methods."""

from collections.abc import Sequence
from math import nan

from milligray.errors import InputError, TableRangeError
from milligray.report.nm_result import RegionKinetics
from milligray.score.dose import OrganDose, OrganDoses
from milligray.score.organ_level_mird import sphere_dose
from milligray.score.sphere_s_values import load_sphere_s_values
from milligray.source.nuclide import Nuclide

LESION_WORDS = ("lesion", "tumor", "tumour", "metastasis", "gtv", "node")
SPHERES = "spheres"


def lesions_as_spheres(
    doses: OrganDoses, regions: Sequence[RegionKinetics], nuclide: Nuclide
) -> tuple[OrganDoses | None, tuple[str, ...]]:
    """Self-dose of the lesions among the regions as spheres of their mass; None if there is none.

    A region is a lesion by its name (lesion, tumor, tumour, metastasis, GTV, node).
    """
    by_name = {region.region: region for region in regions}
    lesions = [
        row
        for row in doses.rows
        if row.organ in by_name and any(word in row.organ.lower() for word in LESION_WORDS)
    ]
    if not lesions:
        return None, ()
    try:
        table = load_sphere_s_values(nuclide.name)
    except InputError as error:
        return None, (f"no sphere model of the lesions: {error}",)
    rows, notes = [], []
    for row in lesions:
        try:
            dose = sphere_dose(row.organ, by_name[row.organ].tia_mbq_s, row.mass_g, table)
        except TableRangeError as error:
            notes.append(f"{row.organ}: no sphere model ({error})")
            continue
        rows.append(
            OrganDose(
                organ=row.organ, mean_dose_mgy=dose.dose_mgy,
                relative_uncertainty=dose.statistical_uncertainty, volume_ml=row.volume_ml,
                mass_g=row.mass_g, fraction_in_image=nan, method=SPHERES,
            )
        )  # fmt: skip
        notes += list(dose.notes)
    if not rows:
        return None, tuple(notes)
    return OrganDoses(rows=tuple(rows)), tuple(dict.fromkeys(notes))

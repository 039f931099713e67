"""Effective dose of an exam, where its organs are enough for it."""

from collections.abc import Sequence

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.report.nm_result import RegionKinetics
from milligray.score.dose import OrganDoses
from milligray.score.effective_dose import (
    ALPHA_WEIGHT,
    EffectiveDose,
    Sex,
    effective_dose,
    tissues_without_dose,
)
from milligray.source.nuclide import Nuclide

DECAYS_PER_MBQ_S = 1e6


def exam_effective_dose(
    doses: OrganDoses,
    regions: Sequence[RegionKinetics],
    nuclide: Nuclide,
    patient_sex: str | None,
    administered_mbq: float | None,
) -> tuple[EffectiveDose | None, tuple[str, ...]]:
    """Effective dose, or None and the reason.

    Parameters
    ----------
    doses : OrganDoses
    regions : sequence of RegionKinetics
        Whose decays give the part of alphas and recoil nuclei, which count 20-fold.
    nuclide : Nuclide
    patient_sex : str or None
        "M" or "F"; else the tissues of a female.
    administered_mbq : float or None [MBq]
    """
    sex: Sex = "male" if patient_sex == "M" else "female"
    missing = tissues_without_dose(doses.rows, sex)
    if missing:
        listed = ", ".join(missing[:3])
        told = (
            f"no effective dose: {len(missing)} tissues of ICRP 103 have no organ here ({listed})"
        )
        return None, (told,)
    alpha = alpha_doses_mgy(doses, regions, nuclide)
    notes = (f"effective dose: alphas count {ALPHA_WEIGHT:g}-fold",) if alpha else ()
    return effective_dose(
        {sex: doses.rows}, alpha_dose_mgy={sex: alpha}, administered_activity_mbq=administered_mbq
    ), notes  # fmt: skip


def alpha_doses_mgy(
    doses: OrganDoses, regions: Sequence[RegionKinetics], nuclide: Nuclide
) -> dict[str, float]:
    """Dose of each organ by alphas and recoil nuclei [mGy]: all of it from its own decays."""
    kev = nuclide.energy_per_decay_kev("alpha") + nuclide.energy_per_decay_kev("recoil")
    if not kev > 0:
        return {}
    decays = {region.region: region.tia_mbq_s * DECAYS_PER_MBQ_S for region in regions}
    return {
        row.organ: min(
            decays.get(row.organ, 0.0) * kev * MGY_PER_KEV_PER_G / row.mass_g, row.mean_dose_mgy
        )
        for row in doses.rows
    }

"""The uncertainty budget of every organ of a nuclear-medicine exam."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.exam.nm_settings import NmSettings
from milligray.read.activity_series import ActivityImage
from milligray.report.nm_result import RegionKinetics
from milligray.score.dose import BudgetEntry, OrganDoses
from milligray.score.internal_budget import ImagingFacts, internal_budget
from milligray.source.nuclide import Nuclide
from milligray.source.partial_volume import RecoveryCurve
from milligray.transport.local_deposition import local_kev_per_decay
from milligray.volume import Grid

DEFAULT_RESOLUTION_MM = {"PT": 6.0, "NM": 12.0, "NIFTI": 10.0}
DEFAULT_CALIBRATION = {"PT": 0.05, "NM": 0.08, "NIFTI": 0.08}
CT_EDGE_MM = 2.0
DECAYS_PER_MBQ_S = 1e6


def imaging_facts(
    image: ActivityImage, ct_grid: Grid, recovery: RecoveryCurve | None, settings: NmSettings
) -> ImagingFacts:
    """What the budget needs to know of the images, stated or by judgement."""
    fwhm = settings.resolution_mm or DEFAULT_RESOLUTION_MM[image.modality]
    calibration = settings.calibration_uncertainty or image.calibration_relative_uncertainty
    basis = "as given"
    if calibration is None:
        calibration = DEFAULT_CALIBRATION[image.modality]
        basis = f"judgement: scale of a {image.modality} image whose calibration states none"
    volume = ct_grid.voxel_volume_cm3 * 1000.0
    return ImagingFacts(
        voxel_mm=float(volume ** (1.0 / 3.0)), fwhm_mm=fwhm, contour_fwhm_mm=CT_EDGE_MM,
        calibration=calibration, calibration_basis=basis, recovery=recovery,
    )  # fmt: skip


def organ_budgets(
    doses: OrganDoses,
    regions: Sequence[RegionKinetics],
    imaging: ImagingFacts,
    nuclide: Nuclide,
    *,
    is_assumed: bool,
) -> dict[str, tuple[BudgetEntry, ...]]:
    """Budgets by organ; the share of self-dose from the energy that stays with the decays.

    `is_assumed`: the kinetics were assumed and not measured, their uncertainty is of type B.
    """
    by_name = {region.region: region for region in regions}
    local = local_kev_per_decay(nuclide)
    budgets = {}
    for row in doses.rows:
        region = by_name.get(row.organ)
        own = 0.0
        if region is not None:
            own = region.tia_mbq_s * DECAYS_PER_MBQ_S * local * MGY_PER_KEV_PER_G / row.mass_g
        basis = "no activity of its own" if region is None else region.method
        share = min(1.0, own / row.mean_dose_mgy) if row.mean_dose_mgy > 0 else 0.0
        budgets[row.organ] = internal_budget(
            row.volume_ml, imaging,
            kinetics=nan if region is None else region.relative_uncertainty,
            kinetics_basis=basis,
            transport=row.relative_uncertainty, self_dose_share=share,
        )  # fmt: skip
        if is_assumed:  # a judgement, however it was reckoned
            budgets[row.organ] = tuple(
                replace(entry, kind="B") if entry.basis == basis else entry
                for entry in budgets[row.organ]
            )
    return budgets

"""Biologically effective dose of the regions that were asked for."""

from collections.abc import Sequence
from math import isfinite, log, nan

import numpy as np

from milligray.errors import InputError
from milligray.exam.nm_settings import NmSettings
from milligray.report.nm_result import RegionEffect, RegionKinetics
from milligray.score.dose import DoseMap, OrganDoses
from milligray.score.radiobiology import (
    biologically_effective_dose_mgy,
    dose_protraction_factor,
    equieffective_dose_2gy_mgy,
    equivalent_uniform_dose_mgy,
)
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.nuclide import Nuclide

SECONDS_PER_HOUR = 3600.0


def region_effects(
    dose: DoseMap,
    doses: OrganDoses,
    regions: Sequence[RegionKinetics],
    weights: OrganMassWeights,
    nuclide: Nuclide,
    settings: NmSettings,
) -> tuple[RegionEffect, ...]:
    """BED, EQD2 and EUD by the settings' alpha/beta, for a dose rate that falls exponentially.

    The rate falls with the effective half-life of the region's last phase; where there is none,
    with the physical one.
    """
    rows = {row.organ: row for row in doses.rows}
    kinetics = {region.region: region for region in regions}
    effects = []
    for name, alpha_beta in settings.alpha_beta_gy:
        if name not in rows:
            raise InputError(
                f"no organ named {name!r} for --alpha-beta; there are {', '.join(sorted(rows))}"
            )
        half_life = kinetics[name].effective_half_life_s if name in kinetics else nan
        if not isfinite(half_life):
            half_life = nuclide.half_life_s
        factor = dose_protraction_factor(
            [1.0], [log(2.0) / half_life],
            repair_half_lives_s=[settings.repair_half_life_h * SECONDS_PER_HOUR],
        )  # fmt: skip
        bed = float(biologically_effective_dose_mgy(rows[name].mean_dose_mgy, factor, alpha_beta))
        uniform = nan
        if settings.alpha_per_gy is not None:
            row = weights.weights_g[weights.names.index(name)]
            voxels = dose.dose_mgy.ravel()[row.indices].astype(np.float64)
            of_voxels = biologically_effective_dose_mgy(voxels, factor, alpha_beta)
            uniform = equivalent_uniform_dose_mgy(
                of_voxels, settings.alpha_per_gy, weights=np.asarray(row.data)
            )
        effects.append(
            RegionEffect(
                region=name, alpha_beta_gy=alpha_beta,
                repair_half_life_s=settings.repair_half_life_h * SECONDS_PER_HOUR,
                protraction_factor=factor, bed_mgy=bed,
                eqd2_mgy=float(equieffective_dose_2gy_mgy(bed, alpha_beta)), eud_mgy=uniform,
            )
        )  # fmt: skip
    return tuple(effects)

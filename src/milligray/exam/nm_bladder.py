"""Activity of the bladder's content by a voiding model instead of the images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from milligray.errors import InputError
from milligray.exam.nm_settings import NmSettings
from milligray.report.nm_result import RegionKinetics
from milligray.source.kinetics.bladder import Excretion, bladder_tia
from milligray.source.nuclide import Nuclide
from milligray.source.time_integrated_activity import TimeIntegratedActivity

BLADDER = "urinary_bladder"
SECONDS_PER_HOUR = 3600.0


def with_bladder_model(
    tia: TimeIntegratedActivity,
    regions: Sequence[RegionKinetics],
    shares: Any,  # noqa: ANN401 - sparse matrix of scipy
    names: Sequence[str],
    nuclide: Nuclide,
    settings: NmSettings,
) -> tuple[TimeIntegratedActivity, tuple[RegionKinetics, ...]]:
    """Scale the voxels of the bladder to the decays that excretion and voiding leave in it.

    An image shows the bladder at one moment between two voidings; its integral follows from how
    much is excreted, and when it is emptied. Nothing changes without the settings' excretion.
    """
    if not settings.bladder_excretion:
        return tia, tuple(regions)
    if BLADDER not in names:
        raise InputError(f"a bladder model needs an organ named {BLADDER} among the labels")
    given = tia.administered_activity_mbq
    if given is None:
        raise InputError("a bladder model needs the administered activity (--activity-mbq)")
    row = list(names).index(BLADDER)
    inside = np.asarray(shares[row] @ tia.tia_mbq_s.ravel()).item()
    if not inside > 0:
        raise InputError("the images show no activity in the bladder, so none can be modelled")
    model = bladder_tia(
        given, nuclide.half_life_s,
        Excretion(
            fractions=tuple(f for f, _ in settings.bladder_excretion),
            biological_half_lives_s=tuple(
                h * SECONDS_PER_HOUR for _, h in settings.bladder_excretion
            ),
        ),
        voiding_interval_s=settings.voiding_interval_h * SECONDS_PER_HOUR,
        first_voiding_s=(
            None
            if settings.first_voiding_h is None
            else settings.first_voiding_h * SECONDS_PER_HOUR
        ),
    )  # fmt: skip
    share = np.asarray(shares[row].todense()).reshape(tia.grid.shape)
    scaled = tia.tia_mbq_s * (1.0 + share * (model.tia_mbq_s / inside - 1.0))
    changed = tuple(
        replace(
            region, tia_mbq_s=model.tia_mbq_s, tia_coefficient_s=model.tia_mbq_s / given,
            relative_uncertainty=model.relative_uncertainty, method=model.method,
        )
        if region.region == BLADDER
        else region
        for region in regions
    )  # fmt: skip
    return replace(tia, tia_mbq_s=scaled, notes=(*tia.notes, *model.notes)), changed

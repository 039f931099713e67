"""Organ doses of the same scan at other tube-current profiles, from one transport."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.score.ctdi import scan_photons
from milligray.score.dose import OrganDoses
from milligray.score.dose_scoring import organ_doses, organ_statistics
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource
from milligray.transport.deposit import EnergyDeposit
from milligray.typing import FloatArray


def score_current_profiles(
    deposit: EnergyDeposit,
    organs: OrganMap,
    source: CtSource,
    profiles: Sequence[FloatArray],
    *,
    photons: float | None = None,
) -> tuple[OrganDoses, ...]:
    """Mean organ doses at other tube currents along the same path, without another transport.

    Parameters
    ----------
    deposit : EnergyDeposit
        Of this source, with ``segments`` asked for.
    organs : OrganMap
    source : CtSource
    profiles : sequence of ndarray, shape (n_bins,)
        Current at every bin of ``source.z_bins_mm``, in the unit of ``source.z_weights``.
    photons : float, optional
        Photons of the scan at the source's own current; default: from its CTDIvol.

    Returns
    -------
    tuple of OrganDoses
        One for each profile. All come from the same histories, so their differences and ratios
        are far more certain than each alone.

    Notes
    -----
    ``dose = photons sum_s r_s d_s``: ``d_s`` is the dose per photon of the scan from segment s,
    ``r_s`` the photons that the profile puts there over those of the source. A change of the
    ratio within a segment is averaged; take more segments for steeper profiles.
    """
    segments = deposit.organ_segments_kev_g
    if segments.ndim != 3:
        raise InputError(
            "this transport did not keep the segments of the scan apart; ask for them:"
            " transport_photons(..., segments=32)"
        )
    if photons is None:
        photons = scan_photons(source)
    found = []
    for profile in profiles:
        ratio = segment_ratios(source, profile, segments.shape[1])
        batches = np.einsum("bso,s->bo", segments, ratio)
        statistics = organ_statistics(
            replace(deposit, organ_batches_kev_g=batches), photons * MGY_PER_KEV_PER_G
        )
        if statistics is None:
            raise InputError("no organs were scored; give organs to transport_photons")
        found.append(
            organ_doses(statistics, organs, method=f"monte-carlo:{deposit.estimator}", unit="mGy")
        )
    return tuple(found)


def segment_ratios(source: CtSource, profile: FloatArray, n_segments: int) -> FloatArray:
    """Photons of a current profile over those of the source, in segments of equal photons.

    Parameters
    ----------
    source : CtSource
    profile : ndarray, shape (n_bins,)
    n_segments : int

    Returns
    -------
    ndarray, shape (n_segments,)
    """
    profile = np.asarray(profile, dtype=np.float64)
    weights = source.z_weights
    if profile.shape != weights.shape:
        raise InputError(
            f"a profile needs a current for each of the {weights.size} bins of the path,"
            f" got shape {profile.shape}"
        )
    if not np.all(np.isfinite(profile)) or np.any(profile < 0):
        raise InputError("the currents of a profile must be finite and >= 0")
    used = weights > 0
    if np.any(profile[~used] > 0):
        raise InputError("the profile has current where the simulated scan has none")
    total = weights.sum()
    places = np.concatenate([[0.0], np.cumsum(weights[used]) / total])
    emitted = np.concatenate([[0.0], np.cumsum(profile[used]) / total])
    edges = np.arange(n_segments + 1) / n_segments
    return np.asarray(n_segments * np.diff(np.interp(edges, places, emitted)))

"""One position of the tube as a source: what a scan is the sum of."""

from dataclasses import replace

import numpy as np

from milligray.source.ct_source import CtSource


def make_position_source(source: CtSource, *, angle_rad: float, z_mm: float) -> CtSource:
    """Source that stands still, with the beam of a scan.

    Parameters
    ----------
    source : CtSource
    angle_rad : float [rad]
        Of the tube: 0 in front of the patient, pi / 2 at the patient's right.
    z_mm : float [mm, LPS]

    Returns
    -------
    CtSource
        Its photons are those of one rotation at the mean current.

    Notes
    -----
    A scan is the sum of its positions: ``D = N integral p(z, angle) d(z, angle)`` with the dose d
    of a photon from a position, the density p of the positions' photons and the photons N of the
    scan.
    """
    return replace(
        source, z_bins_mm=np.array([[z_mm, z_mm]]), z_weights=np.ones(1), rotations=1.0,
        start_angle_rad=float(angle_rad), mode="helical", angle_sense=1,
    )  # fmt: skip

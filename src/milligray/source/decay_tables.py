"""One record that describes radioactive decay in the voxels of a grid to the compiled sampling."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from milligray.physics.compiled import physics
from milligray.physics.geometry import sincos_of_turn
from milligray.physics.random import uniform4
from milligray.source.emission import sample_alias, voxel_place_and_direction
from milligray.source.emission_tables import EmissionTables

EMITTED_ELECTRON, EMITTED_POSITRON, EMITTED_PHOTON = 0, 1, 2
"""Kinds of emitted particles."""
VOXEL_PLACES, BALL_PLACES = 0, 1
"""Values of ``DecayTables.places``."""


class DecayTables(NamedTuple):
    """Emissions of a nuclide, and where it decays, ready for a kernel.

    A history is one emission: a kind by its share of the histories, an energy by its yield. Its
    weight makes up for shares that are not those of the yields, so scores are per decay.

    Parameters
    ----------
    places : int
        `VOXEL_PLACES`, or `BALL_PLACES` (a point is a ball of radius 0).
    voxels : EmissionTables
        Places: cumulative shares of the voxels; corner of their grid.
    center : ndarray, shape (3,) [cm]
    radius : float [cm]
        Of the ball.
    batch_histories : int
        Histories of a batch; the engine fills it in.
    kind_share : ndarray, shape (3,)
        Cumulative share of the histories by kind of particle.
    kind_weight : ndarray, shape (3,)
        Weight of a particle: its yield per decay over its share of the histories.
    first_bin : ndarray, shape (4,), int64
        Where the energy bins of each kind begin.
    edges_kev : ndarray, shape (n_bins, 2) [keV]
        Equal edges are a line.
    probability, alias : ndarray, shape (n_bins,)
        Walker alias tables, one for each kind.
    """

    places: int
    voxels: EmissionTables
    center: npt.NDArray[np.float64]
    radius: float
    batch_histories: int
    kind_share: npt.NDArray[np.float64]
    kind_weight: npt.NDArray[np.float64]
    first_bin: npt.NDArray[np.int64]
    edges_kev: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    alias: npt.NDArray[np.int32]


@physics
def emit_decay(
    source: DecayTables, seed: np.uint64, history: np.uint64
) -> tuple[float, float, float, float, float, float, float, float, int, int]:
    """One emission: place [cm], direction, energy [keV], weight, kind, next draw."""
    xi_kind, xi_bin, xi_energy, _ = uniform4(seed, history, 3)
    if source.places == 0:
        x, y, z, u, v, w = voxel_place_and_direction(
            source.voxels, source.batch_histories, seed, history
        )
    else:
        xi_radius, xi_polar, xi_azimuth, xi_u = uniform4(seed, history, 0)
        xi_v, _, _, _ = uniform4(seed, history, 1)
        radius = source.radius * xi_radius ** (1.0 / 3.0)
        cosine = 2.0 * xi_polar - 1.0
        sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
        sin_azimuth, cos_azimuth = sincos_of_turn(xi_azimuth)
        x = source.center[0] + radius * sine * cos_azimuth
        y = source.center[1] + radius * sine * sin_azimuth
        z = source.center[2] + radius * cosine
        w = 2.0 * xi_u - 1.0
        sine = math.sqrt(max(0.0, 1.0 - w * w))
        sin_azimuth, cos_azimuth = sincos_of_turn(xi_v)
        u = sine * cos_azimuth
        v = sine * sin_azimuth
    kind = 0
    while kind < 2 and xi_kind >= source.kind_share[kind]:
        kind += 1
    first, last = source.first_bin[kind], source.first_bin[kind + 1]
    chosen = first + sample_alias(source.probability[first:last], source.alias[first:last], xi_bin)
    low = source.edges_kev[chosen, 0]
    energy = low + xi_energy * (source.edges_kev[chosen, 1] - low)
    return x, y, z, u, v, w, float(energy), float(source.kind_weight[kind]), kind, 4

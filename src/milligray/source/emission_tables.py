"""One record that describes every source to the compiled sampling of primary photons."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CT_FAN, POINT_FIELD, PARALLEL_FIELD, VOXELS = 0, 1, 2, 3
"""Values of ``EmissionTables.kind``."""

_NO_INDICES = np.zeros(1, dtype=np.int32)
_ONE = np.ones(1)


class EmissionTables(NamedTuple):
    """A source of photons, ready for a kernel.

    Parameters
    ----------
    kind : int
        `CT_FAN`, `POINT_FIELD`, `PARALLEL_FIELD` or `VOXELS`.
    origin : ndarray, shape (3,) [cm]
        CT: isocenter at z = 0. Point: focal spot. Parallel: center of the field. Voxels: corner
        of their grid.
    plane : ndarray, shape (4, 3) [cm]
        Point: center of the field, its two unit axes, its unit normal (away from the spot).
        Parallel: two unit axes in rows 1, 2 and the direction in row 3.
    half_width, half_height : float [cm]
        Half the field, on the plane (CT: on the plane through the axis, fan and z).
    focal_radius : float [cm]
        CT: focal spot to axis.
    z_bins : ndarray, shape (n_z, 2) [cm]
        CT: bins of source positions along z; a bin of no width is a station of an axial scan.
    z_probability, z_alias : ndarray, shape (n_z,)
        Walker alias table of those bins.
    z_cumulative : ndarray, shape (n_z,)
        Cumulative share of those bins.
    segments : int
        CT: parts of equal photons along z; histories of a batch come from one after the other.
    angle_start, angle_per_cm : float [rad, rad/cm]
        CT: tube angle is ``angle_start + angle_per_cm * (z - z_bins[0, 0]) + span * xi``.
    angle_span : float [rad]
        2 pi: every angle alike (start angle unknown, or axial scan); 0: given helix or fixed angle.
    fan_probability, fan_alias : ndarray, shape (n_fan,)
        CT: alias table of equal bins of the lateral position on the plane through the axis.
    energy_edges : ndarray, shape (n_energy, 2) [keV]
    energy_probability, energy_alias : ndarray, shape (n_fan, n_energy)
        Alias tables of the spectrum, per fan bin (one row for the other kinds).
    cumulative_z, cumulative_y, cumulative_x : ndarray, float32
        Voxels, shapes (nz,), (nz, ny), (nz, ny, nx): cumulative share of the emission of the
        slices; of the rows in each slice; of the voxels in each row. The last of each is 1.
    voxel_size : ndarray, shape (3,) [cm]
    is_stratified : bool
        Voxels: places and directions of a batch are spread evenly, and shifted at random from
        batch to batch.
    batch_histories : int
        Histories of a batch; the engine fills it in.
    """

    kind: int
    origin: npt.NDArray[np.float64]
    energy_edges: npt.NDArray[np.float64]
    energy_probability: npt.NDArray[np.float64]
    energy_alias: npt.NDArray[np.int32]
    plane: npt.NDArray[np.float64] = np.zeros((4, 3))
    half_width: float = 0.0
    half_height: float = 0.0
    focal_radius: float = 0.0
    z_bins: npt.NDArray[np.float64] = np.zeros((1, 2))
    z_probability: npt.NDArray[np.float64] = _ONE
    z_alias: npt.NDArray[np.int32] = _NO_INDICES
    z_cumulative: npt.NDArray[np.float64] = _ONE
    segments: int = 1
    angle_start: float = 0.0
    angle_per_cm: float = 0.0
    angle_span: float = 0.0
    fan_probability: npt.NDArray[np.float64] = _ONE
    fan_alias: npt.NDArray[np.int32] = _NO_INDICES
    cumulative_z: npt.NDArray[np.float32] = np.ones(1, dtype=np.float32)
    cumulative_y: npt.NDArray[np.float32] = np.ones((1, 1), dtype=np.float32)
    cumulative_x: npt.NDArray[np.float32] = np.ones((1, 1, 1), dtype=np.float32)
    voxel_size: npt.NDArray[np.float64] = np.zeros(3)
    is_stratified: bool = False
    batch_histories: int = 1

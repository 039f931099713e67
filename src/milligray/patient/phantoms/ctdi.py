"""The CTDI dosimetry phantoms of IEC 60601-2-44 with their ionization chambers."""

import numpy as np
import numpy.typing as npt

from milligray.constants import AIR_DENSITY_G_CM3
from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.patient.phantoms.discs import disc_share
from milligray.typing import FloatArray
from milligray.volume import Grid

PHANTOM_LENGTH_MM = 150.0
PMMA_DENSITY_G_CM3 = 1.19
CHAMBER_RADIUS_MM = 3.09
"""A 3 cm3, 100 mm long pencil chamber (the usual type); its wall and the hole's rest are PMMA."""
CHAMBER_LENGTH_MM = 100.0
HOLE_DEPTH_MM = 10.0
"""Center of the peripheral holes below the surface."""
POSITIONS = ("center", "front", "right", "back", "left")


def ctdi_phantom(
    diameter_mm: int, *, spacing_mm: float = 1.0, slice_mm: float = 5.0
) -> tuple[Patient, FloatArray]:
    """PMMA cylinder, 15 cm long, with five air cavities.

    Parameters
    ----------
    diameter_mm : {160, 320}
    spacing_mm, slice_mm : float [mm]
        Voxel size across and along the axis; voxels at borders hold the mean density.

    Returns
    -------
    phantom : Patient
        Axis along z, centered on the origin.
    chambers : ndarray, shape (5, ny, nx)
        Fraction of each pixel inside the chamber of `POSITIONS`; along z a chamber reaches over
        the slices with ``|z| < 50 mm``.

    References
    ----------
    IEC 60601-2-44; CTDI phantom: PMMA of 1.19 g/cm3, holes 1 cm below the surface.
    """
    if diameter_mm not in (160, 320):
        raise InputError(f"the CTDI phantom has 160 or 320 mm, not {diameter_mm}")
    n = round(diameter_mm / spacing_mm)
    n_slices = round(PHANTOM_LENGTH_MM / slice_mm)
    grid = Grid.from_spacing((n_slices, n, n), (slice_mm, spacing_mm, spacing_mm))
    ring = 0.5 * diameter_mm - HOLE_DEPTH_MM
    centers = [(0.0, 0.0), (0.0, -ring), (-ring, 0.0), (0.0, ring), (ring, 0.0)]
    cylinder = disc_share(grid, (0.0, 0.0), 0.5 * diameter_mm)
    chambers = np.stack([disc_share(grid, c, CHAMBER_RADIUS_MM) for c in centers])
    pmma = load_material("pmma")
    air = Material(
        name="air",
        mass_fractions=load_material("air").mass_fractions,
        reference_density_g_cm3=AIR_DENSITY_G_CM3,
    )
    density = np.empty(grid.shape, dtype=np.float32)
    index: npt.NDArray[np.uint8] = np.empty(grid.shape, dtype=np.uint8)
    for k, inside in enumerate(chamber_slices(grid)):
        share = cylinder - inside * chambers.sum(axis=0)
        density[k] = share * PMMA_DENSITY_G_CM3 + (1.0 - share) * AIR_DENSITY_G_CM3
        index[k] = share <= 0.0
    phantom = Patient(
        grid=grid,
        density_g_cm3=density,
        material_index=index,
        materials=(pmma, air),
        body=np.broadcast_to(cylinder > 0.5, grid.shape),
    )
    return phantom, chambers


def chamber_slices(grid: Grid) -> npt.NDArray[np.bool_]:
    """Slices that lie within the length of the chamber."""
    return np.asarray(np.abs(grid.axis_centers_mm(0)) < 0.5 * CHAMBER_LENGTH_MM)

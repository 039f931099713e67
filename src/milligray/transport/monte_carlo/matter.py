"""Pack a patient into the arrays of the kernel; here millimeters become centimeters."""

import numpy as np
import numpy.typing as npt

from milligray.constants import AIR_DENSITY_G_CM3, CM_PER_MM
from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.photon_tables import build_photon_tables
from milligray.patient.patient import Patient
from milligray.physics.interactions import PhotonTables, grid_position
from milligray.transport.monte_carlo.flight import DENSITY_UNIT_G_CM3, Matter

AMBIENT_RADIUS_CM = 400.0
OUTLIER_ENERGY_KEV = 60.0
OUTLIER_QUANTILE = 0.999
OUTLIER_RATIO = 2.0
DRY_AIR = Material(
    name="air, dry",
    mass_fractions={"C": 0.000124, "N": 0.755268, "O": 0.231781, "Ar": 0.012827},
    reference_density_g_cm3=AIR_DENSITY_G_CM3,
)
"""NIST dry air, the medium around the box when one is asked for."""


def pack_matter(
    patient: Patient,
    *,
    max_energy_kev: float,
    ambient: str = "vacuum",
    tally_bin: npt.NDArray[np.int32] | None = None,
) -> tuple[Matter, PhotonTables]:
    """Kernel arrays of a patient and the interaction tables of its materials.

    Parameters
    ----------
    patient : Patient
    max_energy_kev : float
    ambient : {"vacuum", "air"}
        Medium around the transport box.
    tally_bin : ndarray, shape ``grid.shape``, int32, optional
        Tally bin of each voxel; default: one bin a voxel.
    """
    if ambient not in ("vacuum", "air"):
        raise InputError(f"ambient must be 'vacuum' or 'air', got {ambient!r}")
    if len(patient.materials) > 254:
        raise InputError(f"at most 254 materials, got {len(patient.materials)}")
    steps = np.rint(patient.density_g_cm3 / np.float32(DENSITY_UNIT_G_CM3))
    if float(steps.max()) > 0xFFFFFF:
        raise InputError(f"density {patient.density_g_cm3.max():g} g/cm3 is above 16.7 g/cm3")
    voxels = steps.astype(np.uint32)
    voxels |= patient.material_index.astype(np.uint32) << np.uint32(24)
    tables = build_photon_tables(
        (*patient.materials, DRY_AIR), max_energy_kev=max(160.0, max_energy_kev)
    )
    nz, ny, nx = patient.grid.shape
    dz, dy, dx = (s * CM_PER_MM for s in patient.grid.spacing_mm)
    densest = np.zeros(len(patient.materials) + 1)
    np.maximum.at(densest, patient.material_index.ravel(), patient.density_g_cm3.ravel())
    majorant = (tables.mu_rho[:, :, 0] * densest[None, :]).max(axis=1) * (1.0 + 1e-5)
    matter = Matter(
        voxels=np.ascontiguousarray(voxels.ravel()),
        nx=nx,
        ny=ny,
        nz=nz,
        dx=dx,
        dy=dy,
        dz=dz,
        majorant=majorant.astype(np.float32),
        has_outliers=_has_outliers(patient, tables),
        ambient_density=AIR_DENSITY_G_CM3 if ambient == "air" else 0.0,
        ambient_material=len(patient.materials),
        ambient_radius=AMBIENT_RADIUS_CM,
        tally_bin=(
            np.empty(0, dtype=np.int32)
            if tally_bin is None
            else np.ascontiguousarray(tally_bin, dtype=np.int32).ravel()
        ),
    )
    return matter, tables


def _has_outliers(patient: Patient, tables: PhotonTables) -> bool:
    """True if the largest attenuation is more than twice what 99.9 % of the voxels stay below."""
    row, _ = grid_position(tables, OUTLIER_ENERGY_KEV)
    mu = patient.density_g_cm3 * tables.mu_rho[row, :, 0][patient.material_index]
    usual = float(np.quantile(mu, OUTLIER_QUANTILE))
    return float(mu.max()) > OUTLIER_RATIO * usual

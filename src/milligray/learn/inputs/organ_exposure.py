"""How the primary beam reaches organs, and what scatters around them, as features."""

from typing import Any

import numpy as np

from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.scan import Scan
from milligray.typing import FloatArray

SCATTER_MM = (15, 30, 50, 80)
"""Standard deviations of the Gaussians that spread the primary beam."""
EXPOSURES = (
    "primary_per_ctdi", *(f"scatter_{mm}_mm_per_ctdi" for mm in SCATTER_MM), "tissue_kerma_ratio",
)  # fmt: skip
N_ANGLES = 24
_LEAST_DENSITY = 0.05


def organ_exposure(scan: Scan) -> tuple[tuple[str, ...], FloatArray]:
    """Primary beam at the organs, and around them.

    Parameters
    ----------
    scan : Scan
        With a CTDIvol in its protocol (else NaN).

    Returns
    -------
    names : tuple of str
        `EXPOSURES`.
    values : ndarray, shape (n_organs, 6) [1]

    Notes
    -----
    Means over the organ's mass, of the scan on its transport grid:

    - ``primary_per_ctdi``: collision kerma ``K`` in water of photons that have not interacted yet,
      over the CTDIvol. It holds the tube current at the organ, the depth, the bowtie, the ends of
      the range and the quality of the beam.
    - ``scatter_s_mm_per_ctdi``: ``K`` times the relative density, spread by a Gaussian of ``s``:
      what the primary beam sets free in the organ's neighborhood, and how far around.
    - ``tissue_kerma_ratio``: collision kerma of the primary beam in the organ's own tissues over
      that in water; above one where there is bone.

    No photon is followed: the rays of 24 tube angles a slice, and three filters.
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - slow to import

    patient, weights = scan.patient, scan.weights.weights_g
    mass = np.asarray(weights.sum(axis=1)).ravel()
    attenuating, absorbing = basis_densities(patient)
    kerma = primary_kerma_mgy(
        scan.source, patient.grid, attenuating, patient.body, photons=scan.photons,
        n_angles=N_ANGLES,
    )  # fmt: skip

    def mean(of: Any) -> FloatArray:  # noqa: ANN401 - array of any float
        return np.asarray(np.asarray(weights @ np.ravel(of)) / mass)

    density = np.maximum(patient.density_g_cm3, np.float32(_LEAST_DENSITY))
    in_tissue = (absorbing[0] * kerma[0] + absorbing[1] * kerma[1]) / density
    in_water = mean(kerma[0])
    released = attenuating.sum(axis=0) * kerma[0]
    spacing = np.array(patient.grid.spacing_mm)
    around = [mean(gaussian_filter(released, mm / spacing, mode="constant")) for mm in SCATTER_MM]
    ctdi = scan.protocol.ctdi_vol_mgy or np.nan
    ratio = np.divide(mean(in_tissue), in_water, out=np.ones(mass.size), where=in_water > 0)
    return EXPOSURES, np.stack([in_water / ctdi, *(a / ctdi for a in around), ratio], axis=1)

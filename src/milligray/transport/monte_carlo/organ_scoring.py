"""What the engine asks of organs: their sums in a tally, and how far the window must reach."""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from milligray.errors import InputError
from milligray.patient.patient import Patient
from milligray.segment.mass_weights import OrganMassWeights
from milligray.transport.monte_carlo.matter import WINDOW_HALVING_CM, on_padded_grid
from milligray.typing import FloatArray

FAR_MM, WINDOW_HALVING_FAR_CM = 50.0, 3.0
"""If the center of a judged organ is so far beyond the beam, weights halve over this length."""


def window_halving_cm(
    patient: Patient,
    organs: OrganMassWeights | None,
    judged: npt.NDArray[np.bool_] | None,
    window_z_mm: tuple[float, float] | None,
) -> float:
    """Steepness of the weight window: steep where a judged organ lies far beyond the beam.

    Such an organ sets the time of the run, and a steep window helps it most; the others pay little.
    """
    if organs is None or judged is None or window_z_mm is None or not judged.any():
        return WINDOW_HALVING_CM
    _, ny, nx = patient.grid.shape
    z = np.repeat(patient.grid.axis_centers_mm(0), ny * nx)
    center = (organs.weights_g @ z)[judged] / organ_mass_g(organs)[judged]
    beyond = np.maximum(window_z_mm[0] - center, center - window_z_mm[1])
    return WINDOW_HALVING_FAR_CM if float(beyond.max()) > FAR_MM else WINDOW_HALVING_CM


def organ_mass_g(organs: OrganMassWeights | None) -> FloatArray:
    """Mass of every organ [g]; none without organs."""
    if organs is None:
        return np.empty(0)
    return np.asarray(organs.weights_g.sum(axis=1)).ravel()


def organ_scoring(
    patient: Patient, organs: OrganMassWeights | None
) -> scipy.sparse.csr_matrix | None:
    """Matrix that turns energies [keV] on the padded grid into mean organ doses [keV/g].

    ``D_organ = sum_v m_ov (E_v / m_v) / sum_v m_ov``.
    """
    if organs is None:
        return None
    if organs.weights_g.shape != (len(organs.names), patient.density_g_cm3.size):
        raise InputError("organ weights do not belong to this patient's transport grid")
    voxel_mass = patient.mass_g.ravel().astype(np.float64)
    inverse = np.divide(1.0, voxel_mass, out=np.zeros_like(voxel_mass), where=voxel_mass > 0)
    organ_mass = organ_mass_g(organs)
    if np.any(organ_mass <= 0):
        empty = [n for n, m in zip(organs.names, organ_mass, strict=True) if m <= 0]
        raise InputError(f"organs without mass on the transport grid: {', '.join(empty)}")
    scaled = scipy.sparse.diags(1.0 / organ_mass) @ organs.weights_g @ scipy.sparse.diags(inverse)
    return on_padded_grid(scaled.tocsr(), patient.grid.shape)

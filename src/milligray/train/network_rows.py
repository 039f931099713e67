"""What networks say of the organs and voxels of a scan, beside Monte Carlo."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganRow:
    """One organ of one scan by one network, and by Monte Carlo.

    Parameters
    ----------
    network, sample, patient, organ : str
    truth, truth_sigma : float [mGy]
    dose, sigma : float [mGy]
        Predicted, with its total uncertainty (k = 1).
    ctdi_vol_mgy : float
    is_made_for : bool
        The network takes this scan without ``--force``.
    """

    network: str
    sample: str
    patient: str
    organ: str
    truth: float
    truth_sigma: float
    dose: float
    sigma: float
    ctdi_vol_mgy: float
    is_made_for: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """One scan by one network: CPU time [s], and error of its voxels (NaN: no map)."""

    network: str
    sample: str
    seconds: float
    voxel_error: float

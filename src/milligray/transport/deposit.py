"""What the transport hands on: energy imparted per history, with its variance."""

from dataclasses import dataclass

from milligray.typing import FloatArray
from milligray.volume import Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyDeposit:
    """Energy imparted per source photon.

    Parameters
    ----------
    grid : Grid
    energy_kev : ndarray, shape ``grid.shape``, float64 [keV per history]
    relative_uncertainty : ndarray, shape ``grid.shape``, float32
        k = 1, from the spread of the batches; 0 where nothing was deposited.
    organ_batches_kev_g : ndarray, shape (n_batches, n_organs) [keV/g per history]
        Mean dose of every organ in every batch, so that its uncertainty holds the correlation
        between voxels.
    organ_segments_kev_g : ndarray, shape (n_batches, n_segments, n_organs) or (0,)
        The same by the segment of the scan that the photons came from, if segments were asked
        for; sums to `organ_batches_kev_g`.
    organ_mass_g, organ_volume_ml : ndarray, shape (n_organs,)
    organs : tuple of str
    estimator : {"track-length", "tentative-collision", "analogue"}
    histories, batches, seed : int
    seconds : float
        Wall time of the transport.
    threads : int
        Of the processor that computed; 1 where a GPU did.
    device : {"cpu", "cuda"}
    gpu : str
        Name of the GPU that computed; "" for a CPU.
    converged : bool
        False if a precision was asked for and not reached within the limit.
    """

    grid: Grid
    energy_kev: FloatArray
    relative_uncertainty: FloatArray
    organ_batches_kev_g: FloatArray
    organ_segments_kev_g: FloatArray
    organ_mass_g: FloatArray
    organ_volume_ml: FloatArray
    organs: tuple[str, ...]
    estimator: str
    histories: int
    batches: int
    seed: int
    seconds: float
    threads: int
    device: str = "cpu"
    gpu: str = ""
    converged: bool = True

"""Run a dose U-Net, or an ensemble of them, over the fields of a scan."""

from collections.abc import Mapping, Sequence

import numpy as np

from milligray.errors import InputError
from milligray.learn.ensemble import EnsembleDose, combine_members
from milligray.learn.inputs.dose_unet_inputs import DoseUnetInputs
from milligray.learn.network import Network
from milligray.learn.tiling import run_tiles, run_whole
from milligray.typing import BoolArray, FloatArray

MULTIPLE = 16
"""Image sizes of all networks of the system: four levels, or three of them at half resolution."""
ICRP_103_WEIGHTS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "esophagus": (("esophagus",), 0.04),
    "salivary glands": (
        (
            "parotid_gland_left", "parotid_gland_right",
            "submandibular_gland_left", "submandibular_gland_right",
        ),
        0.01,
    ),
    "brain": (("brain", "brainstem"), 0.01),
    "thyroid": (("thyroid_gland",), 0.04),
    "extrathoracic region": (("larynx",), 0.12 / 13),
}  # fmt: skip
"""Tissues of the head and neck that organ labels show, with their weights; of the brain its stem
where no more is labelled, of the extrathoracic region (one of 13 in the remainder) the larynx.
ICRP Publication 103, Ann. ICRP 37 (2007), table 3."""


def member_maps(
    network: Network, inputs: DoseUnetInputs, body: BoolArray, member: int, *, tile: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Dose and its variance by one member, over the scale; 0 outside the body.

    Parameters
    ----------
    network : Network
        Inputs ``channels``, ``guess``; outputs ``dose``, ``log_variance``.
    inputs : DoseUnetInputs
    body : ndarray of bool, shape (nz, ny, nx)
    member : int
    tile : int
        Edge of the overlapping cubes to run on; 0: the whole volume at once.
    """

    def run(block: FloatArray) -> FloatArray:
        guess = np.where(block[-1] > 0, block[-1], 1.0)
        found = network.run({"channels": block[None, :-1], "guess": guess[None]}, member)
        return np.concatenate([found["dose"], np.exp(found["log_variance"])])

    volume = np.concatenate([inputs.channels, inputs.guess[None]])
    if tile:
        out = run_tiles(
            volume, run, tile=tile, overlap=tile // 2, multiple=MULTIPLE,
            wanted=body.astype(np.float32),
        )  # fmt: skip
    else:
        out = run_whole(volume, run, multiple=MULTIPLE)
    out = np.where(body, out, 0.0).astype(np.float32)
    return out[0], out[1]


def predict_maps(
    network: Network, inputs: DoseUnetInputs, body: BoolArray, *, tile: int = 0
) -> EnsembleDose:
    """Dose map of a scan by all members, with uncertainties [mGy].

    Parameters
    ----------
    network : Network
    inputs : DoseUnetInputs
    body : ndarray of bool
    tile : int
        See `member_maps`.
    """
    maps = [member_maps(network, inputs, body, m, tile=tile) for m in range(network.members)]
    dose = np.stack([one[0] for one in maps]) * np.float32(inputs.scale_mgy)
    variance = np.stack([one[1] for one in maps]) * np.float32(inputs.scale_mgy) ** 2
    return combine_members(dose, variance)


def partial_effective_dose_msv(
    names: Sequence[str], dose_mgy: FloatArray, sigma_mgy: FloatArray, mass_g: FloatArray
) -> tuple[float, float, tuple[str, ...]]:
    """Weighted sum over the tissues that are labelled, and its bound of uncertainty.

    Parameters
    ----------
    names : sequence of str
        Organs.
    dose_mgy, sigma_mgy, mass_g : ndarray, shape (n_organs,)

    Returns
    -------
    dose_msv, sigma_msv : float
        ``sum_T w_T D_T`` over the tissues found, each the mean of its organs by mass; sigma with
        all organs in full correlation.
    tissues : tuple of str
        What was found.

    Notes
    -----
    Photons have the radiation weight 1. A sum over some of the tissues of one person, not the
    effective dose, which is of a reference person and of all tissues.
    """
    total = sigma = 0.0
    found = []
    for tissue, (organs, weight) in ICRP_103_WEIGHTS.items():
        rows = [i for i, name in enumerate(names) if name in organs and mass_g[i] > 0]
        if not rows:
            continue
        total += weight * float(np.average(dose_mgy[rows], weights=mass_g[rows]))
        sigma += weight * float(np.average(sigma_mgy[rows], weights=mass_g[rows]))
        found.append(tissue)
    if not found:
        raise InputError("none of the organs has a tissue weight")
    return total, sigma, tuple(found)

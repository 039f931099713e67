"""Dose by an exact primary beam and a network for the photons that it scatters."""

import numpy as np

from milligray.learn.card import ModelCard
from milligray.learn.inputs.coarse_grid import interpolated
from milligray.learn.inputs.organ_operator import organ_operator
from milligray.learn.inputs.scatter_inputs import (
    CHANNELS,
    ScatterInputs,
    dose_of_kerma_mgy,
    photon_kerma_mgy,
    scatter_inputs,
)
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.typing import BoolArray, FloatArray

SYSTEM = "scatter-net"
LARGEST_LOG = 3.0
TAUGHT_MM = 40.0
"""Truth beyond the beam that the training sets hold."""
LEAST_BODY = 0.3
"""Share of a cube that must be body for the network's word to count there."""


@predictor(SYSTEM)
def predict_scatter(scan: Scan, network: Network) -> Prediction:
    """Organ doses and dose map of a scan.

    Parameters
    ----------
    scan : Scan
    network : Network
        Members are those of a deep ensemble.

    Returns
    -------
    Prediction

    Notes
    -----
    Every member gives a photon field; organ doses are linear in it. Epistemic: standard deviation
    of the organ's dose over the members. Aleatoric: mass-weighted mean of the voxels' predicted
    standard deviations, i.e. with full correlation. The total is ``t sqrt(a^2 + e^2)``, with t of
    the organ class from patients that the network was not fitted to, times the widening of the
    domain.
    """
    inputs = scatter_inputs(scan)
    kermas, relative = run_members(inputs, network)
    operator = organ_operator(scan, inputs.grid)
    doses = np.array([operator @ kerma.ravel() for kerma in kermas])
    mean = doses.mean(axis=0)
    kerma = kermas.mean(axis=0)
    spread = operator @ (kerma * relative).ravel()
    safe = np.maximum(mean, 1e-300)
    aleatoric = spread / safe
    epistemic = doses.std(axis=0, ddof=1) / safe if len(doses) > 1 else np.zeros_like(mean)
    temperature = float(network.card.normalization.get("organ_temperature", 1.0))
    widening, warnings, refusals = _judged(network.card, inputs)
    beyond = share_beyond(scan)
    outside = float(network.card.normalization.get("relative_error_beyond", 1.0))
    within = np.maximum(temperature, 1.0) * np.hypot(aleatoric, epistemic) * widening
    scale = min(temperature, 1.0)
    total = np.hypot(within, beyond * outside / scale)
    far = [name for name, share in zip(scan.weights.names, beyond, strict=True) if share > 0.5]
    if far:
        warnings = (
            *warnings,
            (
                f"{', '.join(far)}: more than {TAUGHT_MM:g} mm beyond the beam, where the network"
                " was not taught; uncertainty widened, use Monte Carlo if these organs matter"
            ),
        )
    dose = dose_of_kerma_mgy(scan, kerma, inputs.grid)
    water = np.maximum(kerma[0], 1e-30)
    of_members = kermas[:, 0].std(axis=0, ddof=1) / water if len(doses) > 1 else 0.0 * water
    of_voxels = interpolated(
        temperature * widening * np.hypot(relative, of_members), inputs.grid, scan.patient.grid
    )
    return Prediction(
        names=scan.weights.names, mean_dose_mgy=mean, aleatoric=aleatoric * scale,
        epistemic=epistemic * scale, total=total * scale, method=network.method,
        grid=scan.patient.grid, dose_mgy=dose,
        dose_relative_uncertainty=np.where(scan.patient.body, of_voxels, 0.0),
        warnings=warnings, refusals=refusals,
    )  # fmt: skip


def share_beyond(scan: Scan) -> FloatArray:
    """Share of each organ's mass that lies more than `TAUGHT_MM` beyond the beam along z."""
    low, high = scan.source.irradiated_z_mm
    z = scan.patient.grid.axis_centers_mm(0)
    is_beyond = (z < low - TAUGHT_MM) | (z > high + TAUGHT_MM)
    weights = scan.weights.weights_g
    _, ny, nx = scan.patient.grid.shape
    mass = np.asarray(weights.sum(axis=1)).ravel()
    of_voxels = np.repeat(is_beyond.astype(np.float64), ny * nx)
    return np.asarray(np.asarray(weights @ of_voxels) / mass)


def run_members(inputs: ScatterInputs, network: Network) -> tuple[FloatArray, FloatArray]:
    """Photon fields of all members, and the voxels' relative standard deviation.

    Parameters
    ----------
    inputs : ScatterInputs
    network : Network

    Returns
    -------
    kerma_mgy : ndarray, shape (n_members, 2, *grid.shape) [mGy]
    relative : ndarray, shape grid.shape
        k = 1, root of the mean variance over the members.
    """
    known = inputs.body >= LEAST_BODY
    rows = inputs.channels[:, known].T
    kermas, variance = [], np.zeros(inputs.grid.shape, dtype=np.float64)
    for member in range(network.members):
        whole = np.zeros((3, *inputs.grid.shape), dtype=np.float32)
        whole[:, known] = network.run({"fields": rows}, member)["correction"].T
        whole = extended(whole, known)
        whole[:2] = np.clip(whole[:2], -LARGEST_LOG, LARGEST_LOG)
        kermas.append(photon_kerma_mgy(inputs, whole[0], whole[1]))
        variance += np.exp(whole[2])
    return np.stack(kermas), np.sqrt(variance / network.members)


def extended(values: FloatArray, known: BoolArray, rounds: int = 2) -> FloatArray:
    """Values beyond a mask: means of the neighbors that are known, as many rounds deep.

    Parameters
    ----------
    values : ndarray, shape (n, *known.shape)
        Only those of the mask count: the network was taught within the body.
    known : ndarray of bool
    rounds : int
    """
    found = np.where(known, values, 0.0)
    weight = known.astype(np.float32)
    for _ in range(rounds):
        total, count = _sum_of_neighbors(found * weight), _sum_of_neighbors(weight)
        new = (weight == 0.0) & (count > 0.0)
        found = np.where(new, total / np.maximum(count, 1.0), found)
        weight = np.where(new, np.float32(1.0), weight)
    return np.asarray(found, dtype=np.float32)


def _sum_of_neighbors(values: FloatArray) -> FloatArray:
    """Sum over cubes of three voxels, along the last three axes."""
    for axis in (-3, -2, -1):
        wide = np.pad(values, [(0, 0)] * (values.ndim + axis) + [(1, 1)] + [(0, 0)] * (-1 - axis))
        n = values.shape[axis]
        values = sum(
            (np.take(wide, range(shift, shift + n), axis=axis) for shift in range(3)),
            start=np.zeros_like(values),
        )
    return values


def domain_features(inputs: ScatterInputs) -> tuple[tuple[str, ...], FloatArray]:
    """What stands for the network's inputs in its domain: means and spreads over the dose.

    Returns
    -------
    names : tuple of str
    values : ndarray, shape (n_names,)
    """
    weight = (inputs.guess_mgy * inputs.body).ravel().astype(np.float64)
    weight /= weight.sum()
    values = np.clip(inputs.channels.reshape(len(CHANNELS), -1), -8.0, 8.0).astype(np.float64)
    mean = values @ weight
    spread = np.sqrt(np.maximum((values**2) @ weight - mean**2, 0.0))
    varies = [i for i, name in enumerate(CHANNELS) if name not in ("bone_ratio", "mean_energy")]
    names = tuple(f"{name}_mean" for name in CHANNELS)
    return (
        (*names, *(f"{CHANNELS[i]}_spread" for i in varies)),
        np.concatenate([mean, spread[varies]]),
    )


def _judged(
    card: ModelCard, inputs: ScatterInputs
) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """Widening, warnings and refusals by the domain of the card."""
    if card.domain is None:
        return 1.0, (), ()
    verdict = card.domain.judge(domain_features(inputs)[1])
    if verdict.is_far:
        return verdict.widening, (), (verdict.text(),)
    return verdict.widening, (verdict.text(),) if verdict.is_outside else (), ()

"""Dose by an exact primary beam and a network for the photons that it scatters."""

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.inputs.coarse_grid import interpolated
from milligray.learn.inputs.organ_operator import organ_doses_of_fields
from milligray.learn.inputs.scatter_channels import CHANNELS, GUESS_WEIGHTS
from milligray.learn.inputs.scatter_inputs import (
    ScatterInputs,
    primary_dose_mgy,
    scatter_dose_mgy,
    scatter_inputs,
    scatter_kerma_mgy,
)
from milligray.learn.network import Network
from milligray.learn.organ_averages import far_warning, organ_means, share_beyond
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.patient.voxel_loop import voxel_loop
from milligray.typing import BoolArray, FloatArray

SYSTEM = "scatter-net"
LARGEST_LOG = 3.0
TAUGHT_MM = 40.0
"""Truth beyond the beam in the training sets, where the card does not say (``taught_mm``)."""
START_ANGLE_WARNING = (
    "the tube's start angle is known, but the network averages over it: doses of a helix vary"
    " around that average, most near the surface and at a wide pitch; Monte Carlo follows the helix"
)
LEAST_BODY = 0.3
"""Share of a cube that must be body for the network's word to count there."""

_VARYING = [i for i, name in enumerate(CHANNELS) if name not in ("bone_ratio", "mean_energy")]


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
    The primary beam's dose is known on the patient's grid; every member adds a field of scattered
    photons, in which organ doses are linear. Epistemic: standard deviation of the organ's dose over
    the members. Aleatoric: mass-weighted mean of the voxels' predicted standard deviations, i.e.
    with full correlation. The total is ``t sqrt(a^2 + e^2)``, with t from patients that the
    network was not fitted to, times the widening of the domain.
    """
    _check_guess(network.card)
    inputs = scatter_inputs(scan)
    kermas, relative = run_members(inputs, network)
    kerma = kermas.mean(axis=0)
    primary = primary_dose_mgy(scan, inputs)
    of_primary = organ_means(scan, primary)
    fields = np.concatenate([kermas, ((inputs.primary_mgy + kerma) * relative)[None]])
    *scattered, spread = organ_doses_of_fields(scan, inputs.grid, fields)
    doses = of_primary + np.stack(scattered)
    mean = doses.mean(axis=0)
    safe = np.maximum(mean, 1e-300)
    aleatoric = spread / safe
    epistemic = doses.std(axis=0, ddof=1) / safe if len(doses) > 1 else np.zeros_like(mean)
    temperature = float(network.card.normalization.get("organ_temperature", 1.0))
    widening, warnings, refusals = _judged(network.card, inputs)
    taught_mm = taught_beyond_mm(network.card)
    beyond = share_beyond(scan, taught_mm)
    outside = float(network.card.normalization.get("relative_error_beyond", 1.0))
    within = np.maximum(temperature, 1.0) * np.hypot(aleatoric, epistemic) * widening
    scale = min(temperature, 1.0)
    total = np.hypot(within, beyond * outside / scale)
    warnings = (*warnings, *far_warning(scan, beyond, taught_mm))
    if scan.source.start_angle_rad is not None:
        warnings = (*warnings, START_ANGLE_WARNING)
    dose = primary + scatter_dose_mgy(scan, kerma, inputs.grid)
    water = np.maximum(inputs.primary_mgy[0] + kerma[0], 1e-30)
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


def _check_guess(card: ModelCard) -> None:
    """Refuse a network that corrects another guess than this version makes."""
    weights = tuple(card.normalization.get("guess_weights", GUESS_WEIGHTS))
    if weights != GUESS_WEIGHTS:
        raise InputError(
            f"{card.name} corrects a guess of the weights {weights}, this version makes one of"
            f" {GUESS_WEIGHTS}; use the version that it was trained with, or train it again"
        )


def taught_beyond_mm(card: ModelCard) -> float:
    """How far beyond the beam a network's training sets had truth [mm]."""
    return float(card.normalization.get("taught_mm", TAUGHT_MM))


def run_members(inputs: ScatterInputs, network: Network) -> tuple[FloatArray, FloatArray]:
    """Scattered photons of all members, and the cubes' relative standard deviation.

    Parameters
    ----------
    inputs : ScatterInputs
    network : Network

    Returns
    -------
    kerma_mgy : ndarray, shape (n_members, 2, *grid.shape) [mGy]
    relative : ndarray, shape grid.shape
        Of the dose, k = 1, root of the mean variance over the members.
    """
    known = inputs.body >= LEAST_BODY
    rows = np.ascontiguousarray(inputs.channels[:, known].T)
    found = np.zeros((network.members, 3, *known.shape), dtype=np.float32)
    for member in range(network.members):
        found[member][:, known] = network.run({"fields": rows}, member)["correction"].T
    extend(found.reshape(-1, *known.shape), known)
    found[:, :2] = np.clip(found[:, :2], -LARGEST_LOG, LARGEST_LOG)
    kermas = np.stack([scatter_kerma_mgy(inputs, one[0], one[1]) for one in found])
    return kermas, np.sqrt(np.exp(found[:, 2]).mean(axis=0))


def extend(values: FloatArray, known: BoolArray, rounds: int = 2) -> None:
    """Fill in values beyond a mask: means of the neighbors that are known, some rounds deep.

    Parameters
    ----------
    values : ndarray, shape (n, *known.shape), float32
        Only those of the mask count: the network was taught within the body. Changed in place.
    known : ndarray of bool
    rounds : int
    """
    filled = known.astype(np.uint8)
    for _ in range(rounds):
        _fill(values, filled)


@voxel_loop
def _fill(values, filled):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """One round: `filled` is 1 where a value is known, and becomes 1 where one was found."""
    n, nz, ny, nx = values.shape
    total = np.empty(n)
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if filled[k, j, i]:
                    continue
                count = 0
                total[:] = 0.0
                for a in range(max(k - 1, 0), min(k + 2, nz)):
                    for b in range(max(j - 1, 0), min(j + 2, ny)):
                        for c in range(max(i - 1, 0), min(i + 2, nx)):
                            if filled[a, b, c] == 1:
                                count += 1
                                for m in range(n):
                                    total[m] += values[m, a, b, c]
                if count:
                    filled[k, j, i] = 2  # not yet a neighbor in this round
                    for m in range(n):
                        values[m, k, j, i] = total[m] / count
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if filled[k, j, i]:
                    filled[k, j, i] = 1


def feature_names() -> tuple[str, ...]:
    """Names of `domain_features`."""
    return (*(f"{name}_mean" for name in CHANNELS), *(f"{CHANNELS[i]}_spread" for i in _VARYING))


def domain_features(inputs: ScatterInputs) -> FloatArray:
    """What stands for the network's inputs in its domain: means and spreads over the dose.

    Returns
    -------
    ndarray, shape (len(feature_names()),)
    """
    weight = (inputs.guess_mgy * inputs.body).ravel()
    picked = np.flatnonzero(weight)
    share = weight[picked].astype(np.float64)
    share /= share.sum()
    values = inputs.channels.reshape(len(CHANNELS), -1)[:, picked]
    values = np.clip(values, -8.0, 8.0).astype(np.float64)
    mean = values @ share
    spread = np.sqrt(np.maximum((values**2) @ share - mean**2, 0.0))
    return np.concatenate([mean, spread[_VARYING]])


def _judged(
    card: ModelCard, inputs: ScatterInputs
) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """Widening, warnings and refusals by the domain of the card."""
    if card.domain is None:
        return 1.0, (), ()
    verdict = card.domain.judge(domain_features(inputs))
    if verdict.is_far:
        return verdict.widening, (), (verdict.text(),)
    return verdict.widening, (verdict.text(),) if verdict.is_outside else (), ()

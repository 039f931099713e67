"""Dose map from the positions of the tube: a network for each, and their sum over the helix."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.cylinder_dose import cylinder_dose
from milligray.learn.inputs.position_channels import CHANNELS, position_channels
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.inputs.slab import reach_voxels, slab_grid, tracing_shape
from milligray.learn.inputs.traced_position import TRACED_CHANNELS
from milligray.learn.network import Network
from milligray.learn.organ_averages import far_warning, organ_means, share_beyond
from milligray.learn.position_superposition import (
    SuperpositionSettings,
    cylinder_fields,
    superpose,
)
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.learn.traced_fields import N_FIELDS, traced_fields
from milligray.learn.turned_scan import CylinderInSlab, SeenPosition
from milligray.typing import FloatArray

SYSTEM = "deep-dose"
LARGEST_LOG = 6.0
BEYOND = 0.5
"""Relative uncertainty (k = 1) of what only the tails of the slabs reach, by judgment."""
_TISSUE = 0.2
_INPUT, _OUTPUT = "position", "correction"


@predictor(SYSTEM)
def predict_deep_dose(scan: Scan, network: Network) -> Prediction:
    """Dose map and organ doses of a scan.

    Parameters
    ----------
    scan : Scan
    network : Network

    Returns
    -------
    Prediction

    Notes
    -----
    The network is one, without an ensemble: its uncertainty is the root mean square of the organs'
    relative deviations from Monte Carlo over validation patients (``organ_relative_rms`` of the
    card), as epistemic part; organs that only the exponential tails of the slabs reach get `BEYOND`
    besides, and a warning.
    """
    card = network.card
    ask = AskedPositions(network)
    dose = scan_dose_mgy(scan, card, ask, sampling_of(card.normalization))[0]
    if not ask.features:
        raise InputError("no position of the tube reaches the patient; check the scanned range")
    mean = organ_means(scan, dose)
    widening, warnings, refusals = _judged(card, np.mean(ask.features, axis=0))
    spread = float(card.normalization.get("organ_relative_rms", 0.1))
    reach = reach_mm(scan, card)
    beyond = share_beyond(scan, reach)
    own = np.hypot(spread, beyond * BEYOND)
    return Prediction(
        names=scan.weights.names, mean_dose_mgy=mean, aleatoric=np.zeros_like(mean),
        epistemic=own, total=own * widening, method=network.method, grid=scan.patient.grid,
        dose_mgy=dose, warnings=(*warnings, *far_warning(scan, beyond, reach)),
        refusals=refusals, notes=(f"sum of {len(ask.features)} positions of the tube",),
    )  # fmt: skip


def reach_mm(scan: Scan, card: ModelCard) -> float:
    """Distance beyond the beam along z that the slab of a position still holds [mm]."""
    n_z = int(card.normalization["slab_shape"][2])
    size = float(card.normalization["voxel_size_mm"])
    return max(0.0, 0.5 * n_z * size - 0.5 * scan.source.field.height_mm)


class AskedPositions:
    """Corrections of positions by a network.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    features : list of ndarray
        `position_features` of what was asked.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.features: list[FloatArray] = []
        self._names = _channel_names(network.card)

    def __call__(self, channels: FloatArray) -> FloatArray:
        """Corrections, (2, z, depth, lateral), by channels of shape (n, z, depth, lateral)."""
        self.features.append(position_features(channels, self._names)[1])
        z, depth, lateral = channels.shape[1:]
        found = self.network.run_all({_INPUT: even_sized(channels)[None]})[_OUTPUT]
        found = found[:, 0].mean(axis=0)[:, :z, :depth, :lateral]
        return np.asarray(np.clip(found, -LARGEST_LOG, LARGEST_LOG))


def scan_dose_mgy(
    scan: Scan,
    card: ModelCard,
    ask: Callable[[FloatArray], FloatArray],
    settings: SuperpositionSettings,
    *,
    currents: FloatArray | None = None,
) -> FloatArray:
    """Dose maps of a scan, shape (n_currents, *scan.patient.grid.shape), float32 [mGy].

    Parameters
    ----------
    scan : Scan
    card : ModelCard
    ask : callable
        Channels to corrections.
    settings : SuperpositionSettings
    currents : ndarray, shape (n_currents, n_z_bins), optional
        See `milligray.learn.position_superposition.superpose`.

    Notes
    -----
    With traced inputs only the scattered photons are summed over positions: they vary slowly. The
    primary beam is traced through the patient's own voxels, for the whole scan at once. With those
    of the water cylinder (simulated once for a beam, and kept in the cache) it is the dose.
    """
    depth, lateral, n_z = (int(n) for n in card.normalization["slab_shape"])
    size = float(card.normalization["voxel_size_mm"])
    patient, source = scan.patient, scan.source
    if inputs_of(card) == "cylinder":
        slab = slab_grid((n_z, depth, lateral), size, (0.0, 0.0), 0.0)
        wide = reach_voxels(patient, size, source.isocenter_lps_mm)
        if wide > min(depth, lateral):
            raise InputError(
                f"the patient reaches {0.5 * wide * size:.0f} mm from the axis, beyond the slab of"
                f" this network ({0.5 * min(depth, lateral) * size:.0f} mm): what is cut off would"
                " be missing between the tube and the rest; take a network with traced inputs"
            )
        cylinder = CylinderInSlab.from_dose(source, cylinder_dose(source, slab.shape, size))

        def log_ratio(seen: SeenPosition) -> FloatArray:
            channels = position_channels(seen.density, seen.share, seen.factor)
            return np.asarray(ask(channels)[0])

        fields = cylinder_fields(cylinder, log_ratio)
        dose = superpose(patient, source, slab, fields, settings, currents=currents)[:, 0]
        return np.asarray(dose * scan.photons, dtype=np.float32)
    shape = tracing_shape(patient, (n_z, depth, lateral), size, source.isocenter_lps_mm)
    slab = slab_grid(shape, size, (0.0, 0.0), 0.0)
    fields = traced_fields(source.field, n_z, lambda traced: ask(traced.channels))
    scatter = superpose(
        patient, source, slab, fields, settings, n_fields=N_FIELDS, currents=currents
    )
    rows = source.z_weights[None] if currents is None else np.atleast_2d(currents)
    attenuating, absorbing = basis_densities(patient)
    per_mass = absorbing / np.maximum(patient.density_g_cm3, 1e-6)
    found = []
    for row, scattered in zip(rows, scatter, strict=True):
        primary = primary_kerma_mgy(
            replace(source, z_weights=row), patient.grid, attenuating, patient.body,
            photons=scan.photons,
        )  # fmt: skip
        dose = (per_mass * (primary + scattered * np.float32(scan.photons))).sum(axis=0)
        found.append(np.where(patient.body, dose, 0.0))
    return np.asarray(found, dtype=np.float32)


def even_sized(channels: FloatArray) -> FloatArray:
    """Channels with zeros at the ends, so that all sides are even."""
    spare = [(0, 0), *((0, n % 2) for n in channels.shape[1:])]
    return np.pad(channels, spare).astype(np.float32)


def inputs_of(card: ModelCard) -> str:
    """``traced`` or ``cylinder``: what a network sees of a position."""
    return str(card.normalization.get("inputs", "cylinder"))


def _channel_names(card: ModelCard) -> tuple[str, ...]:
    return TRACED_CHANNELS if inputs_of(card) == "traced" else CHANNELS


def sampling_of(normalization: Mapping[str, object]) -> SuperpositionSettings:
    """Sampling of the helix by a card, else the default."""
    given = normalization.get("superposition", {})
    if not isinstance(given, Mapping):
        raise InputError("superposition of a card must be a mapping")
    return SuperpositionSettings(**{str(key): int(value) for key, value in given.items()})


def position_features(
    channels: FloatArray, names: tuple[str, ...]
) -> tuple[tuple[str, ...], FloatArray]:
    """Size, and means and spreads of the channels over the tissue of one position.

    Returns
    -------
    names : tuple of str
    values : ndarray, shape (n_names,)
    """
    tissue = channels[0] > _TISSUE
    count = int(tissue.sum())
    of_tissue = channels[:, tissue].astype(np.float64)
    mean = of_tissue.mean(axis=1) if count else np.zeros(len(names))
    spread = of_tissue.std(axis=1) if count else np.zeros(len(names))
    varies = [i for i, name in enumerate(names) if name != "bone_ratio"]
    return (
        ("log_voxels", *(f"{name}_mean" for name in names),
         *(f"{names[i]}_spread" for i in varies)),
        np.concatenate([[np.log(max(count, 1))], mean, spread[varies]]),
    )  # fmt: skip


def _judged(
    card: ModelCard, features: FloatArray
) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    """Widening, warnings and refusals by the domain of the card."""
    if card.domain is None:
        return 1.0, (), ()
    verdict = card.domain.judge(features)
    if verdict.is_far:
        return verdict.widening, (), (verdict.text(),)
    return verdict.widening, (verdict.text(),) if verdict.is_outside else (), ()

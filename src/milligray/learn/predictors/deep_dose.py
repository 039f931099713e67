"""Dose map from the positions of the tube: a network for each, and their sum over the helix."""

from collections.abc import Mapping

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.inputs.cylinder_dose import cylinder_dose
from milligray.learn.inputs.position_channels import position_channels
from milligray.learn.network import Network
from milligray.learn.position_superposition import LogRatio, SuperpositionSettings, superpose
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.learn.turned_scan import CylinderInSlab, SeenPosition
from milligray.typing import FloatArray

SYSTEM = "deep-dose"
LARGEST_LOG = 6.0
FEATURES = ("log_body_voxels", "density_mean", "factor_mean", "factor_spread")
_TISSUE = 0.2
_INPUT, _OUTPUT = "position", "log_ratio"


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
    The dose of a beam in the water cylinder is simulated once and kept in the cache. The network
    is one, without an ensemble: its uncertainty is the root mean square of the organs' relative
    deviations from Monte Carlo over validation patients (``organ_relative_rms`` of the card), as
    epistemic part.
    """
    card = network.card
    cylinder = scan_cylinder(scan, card)
    features: list[FloatArray] = []
    ask = AskedChannels(network)

    def log_ratio(seen: SeenPosition) -> FloatArray:
        channels = position_channels(seen.density, seen.share, seen.factor)
        found = ask(channels)
        features.append(position_features(channels))
        return found

    dose = superpose(
        scan.patient, scan.source, cylinder, log_ratio, settings_of(card.normalization)
    )
    if not features:
        raise InputError("no position of the tube reaches the patient; check the scanned range")
    dose = np.asarray(dose * scan.photons, dtype=np.float32)
    mean = organ_means(scan, dose)
    widening, warnings, refusals = _judged(card, np.mean(features, axis=0))
    spread = float(card.normalization.get("organ_relative_rms", 0.1))
    own = np.full(mean.shape, spread)
    return Prediction(
        names=scan.weights.names, mean_dose_mgy=mean, aleatoric=np.zeros_like(mean),
        epistemic=own, total=own * widening, method=network.method, grid=scan.patient.grid,
        dose_mgy=dose, warnings=warnings, refusals=refusals,
        notes=(f"sum of {len(features)} positions of the tube",),
    )  # fmt: skip


def scan_cylinder(scan: Scan, card: ModelCard) -> CylinderInSlab:
    """Water cylinder of a scan's beam, of the size that a network was made with."""
    depth, lateral, n_z = (int(n) for n in card.normalization["slab_shape"])
    size = float(card.normalization["voxel_size_mm"])
    return CylinderInSlab.from_dose(
        scan.source, cylinder_dose(scan.source, (n_z, depth, lateral), size)
    )


class AskedChannels:
    """Logarithm of dose over first guess by a network.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, channels: FloatArray) -> FloatArray:
        """Run on channels of shape (3, z, depth, lateral); mean over the members."""
        found = self.network.run_all({_INPUT: channels[None]})[_OUTPUT]
        return np.asarray(np.clip(found[:, 0, 0].mean(axis=0), -LARGEST_LOG, LARGEST_LOG))

    def seen(self) -> LogRatio:
        """Return the same as a function of a position."""
        return lambda one: self(position_channels(one.density, one.share, one.factor))


def settings_of(normalization: Mapping[str, object]) -> SuperpositionSettings:
    """Sampling of the helix by a card, else the default."""
    given = normalization.get("superposition", {})
    if not isinstance(given, Mapping):
        raise InputError("superposition of a card must be a mapping")
    return SuperpositionSettings(**{str(key): int(value) for key, value in given.items()})


def organ_means(scan: Scan, dose_mgy: FloatArray) -> FloatArray:
    """Mean dose of the organs, by mass [mGy]."""
    weights = scan.weights
    return np.asarray(weights.weights_g @ dose_mgy.ravel().astype(np.float64) / weights.mass_g)


def position_features(channels: FloatArray) -> FloatArray:
    """Size, density and attenuation of one position: `FEATURES`."""
    tissue = channels[0] > _TISSUE
    count = int(tissue.sum())
    if not count:
        return np.zeros(len(FEATURES))
    factor = channels[2][tissue]
    return np.array(
        [np.log(count), channels[0][tissue].mean(), factor.mean(), factor.std()], dtype=np.float64
    )


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

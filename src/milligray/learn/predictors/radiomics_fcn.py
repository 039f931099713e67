"""Organ doses from numbers of organs: radiomics, place, exposure, and a small network."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.card import ModelCard
from milligray.learn.ensemble import combine_members
from milligray.learn.inputs.organ_features import OrganFeatures, organ_features
from milligray.learn.inputs.organ_network_rows import OrganNormalization
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.typing import FloatArray

SYSTEM = "radiomics-fcn"
INPUT, OUTPUTS = "features", ("mean", "log_variance")


@predictor(SYSTEM)
def predict_organs(scan: Scan, network: Network) -> Prediction:
    """Organ doses of a scan; no dose map.

    Parameters
    ----------
    scan : Scan
        With a CTDIvol.
    network : Network

    Returns
    -------
    Prediction
        Of the organs that the network knows and that are large enough for radiomics.

    Raises
    ------
    InputError
        If there is none of them, or no CTDIvol.
    MissingExtraError
        Without pyradiomics.

    Notes
    -----
    ``dose = CTDIvol R exp(m + s mean_k y_k)`` with the rule R, the members' outputs y_k, and mean
    and scale m, s of the target. The total uncertainty is ``t sqrt(a^2 + e^2)`` times the widening
    of the organ's domain, t from patients that took no part in the fit.
    """
    ctdi = scan.protocol.ctdi_vol_mgy
    if ctdi is None:
        raise InputError("organ doses by network need the CTDIvol of the scan")
    normalization = OrganNormalization.from_document(network.card.normalization)
    known = tuple(name for name in scan.weights.names if name in normalization.organs)
    if not known:
        raise InputError(
            f"{network.card.name} knows {', '.join(normalization.organs)}; the scan has"
            f" {', '.join(scan.weights.names)}"
        )
    features = organ_features(scan, known, classes=normalization.classes)
    finite = np.isfinite(features.columns(normalization.radiomics))
    usable = np.array([bool(row.all()) for row in finite])
    warnings = [
        f"{name} is too small, or too large, for radiomics features: no dose"
        for name, is_usable in zip(features.organs, usable, strict=True) if not is_usable
    ]  # fmt: skip
    if not usable.any():
        raise InputError(f"no organ has radiomics features: {', '.join(known)}")
    features = features.take(np.flatnonzero(usable))
    found = organ_doses(features, network, normalization)
    widening, told, refusals = _judged(network.card, features, normalization)
    temperature = float(network.card.normalization.get("temperature", 1.0))
    total = np.maximum(temperature, 1.0) * np.hypot(found.aleatoric, found.epistemic) * widening
    scale = min(temperature, 1.0)
    others = [name for name in scan.weights.names if name not in normalization.organs]
    return Prediction(
        names=features.organs, mean_dose_mgy=ctdi * found.dose_per_ctdi,
        aleatoric=scale * found.aleatoric, epistemic=scale * found.epistemic, total=scale * total,
        method=network.method,
        notes=(f"organs that the network does not know: {', '.join(others)}",) if others else (),
        warnings=(*warnings, *told), refusals=refusals,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrganDoses:
    """What the ensemble says of organs.

    Parameters
    ----------
    dose_per_ctdi : ndarray, shape (n,) [mGy/mGy]
    aleatoric, epistemic : ndarray, shape (n,)
        Relative, k = 1, as the members give them.
    """

    dose_per_ctdi: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray


def organ_doses(
    features: OrganFeatures, network: Network, normalization: OrganNormalization
) -> OrganDoses:
    """Run all members on organs."""
    found = network.run_all({INPUT: normalization.rows(features)})
    mean, log_variance = (found[name].astype(np.float64) for name in OUTPUTS)
    together = combine_members(mean, np.exp(log_variance))
    scale = normalization.target_scale
    ratio = np.exp(normalization.target_mean + scale * together.dose)
    return OrganDoses(
        dose_per_ctdi=normalization.rule_dose_per_ctdi(features) * ratio,
        aleatoric=scale * together.aleatoric, epistemic=scale * together.epistemic,
    )  # fmt: skip


def _judged(
    card: ModelCard, features: OrganFeatures, normalization: OrganNormalization
) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Widening of every organ, warnings and refusals."""
    widening = np.ones(len(features.organs))
    warnings, refusals = [], []
    for i, row in enumerate(normalization.features(features)):
        organ = features.organs[i]
        domain = card.domains.get(organ, card.domain)
        if domain is None:
            continue
        verdict = domain.judge(row)
        widening[i] = verdict.widening
        if verdict.is_far:
            refusals.append(f"{organ}: {verdict.text()}")
        elif verdict.is_outside:
            warnings.append(f"{organ}: {verdict.text()}")
    return widening, tuple(warnings), tuple(refusals)

"""Organ doses from the slices of organs: a rule of physics and small networks in one file."""

from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.learn.inputs.organ_slices import organ_slices
from milligray.learn.inputs.slice_rows import ROW, slice_rows
from milligray.learn.network import Network
from milligray.learn.prediction import Prediction, predictor
from milligray.learn.scan import Scan
from milligray.typing import FloatArray, LabelArray

SYSTEM = "slice-mlp"
INPUTS, OUTPUT = ("features", "organ"), "log_dose"
DOMAIN = (
    "size_around", "size_scan", "log_current_around", "range_length", "organ_extent", "organ_hu",
)  # fmt: skip
"""Features whose means over an organ say whether the network may be believed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceDoses:
    """Doses of organs in slices.

    Parameters
    ----------
    dose_per_ctdi : ndarray, shape (n_members, n) [mGy/mGy]
    """

    dose_per_ctdi: FloatArray


def slice_doses(
    network: Network, rows: FloatArray, names: tuple[str, ...], organ: LabelArray
) -> SliceDoses:
    """Run the network on rows of organs in slices.

    Parameters
    ----------
    network : Network
    rows : ndarray, shape (n, len(ROW))
    names : tuple of str
        Organs that it knows, in its order.
    organ : ndarray of int, shape (n,)
        Index into `names`.
    """
    one_hot = np.zeros((len(rows), len(names)), dtype=np.float32)
    one_hot[np.arange(len(rows)), organ] = 1.0
    found = network.run({INPUTS[0]: rows, INPUTS[1]: one_hot})[OUTPUT]
    return SliceDoses(dose_per_ctdi=np.exp(found.astype(np.float64).T))


def organ_means(dose: FloatArray, weight: FloatArray, organ: LabelArray, count: int) -> FloatArray:
    """Weighted means over the slices of organs, shape (n_members, count); NaN without slices.

    Parameters
    ----------
    dose : ndarray, shape (n_members, n)
    weight : ndarray, shape (n,) [g]
    organ : ndarray of int, shape (n,)
    count : int
    """
    total = np.bincount(organ, weight, minlength=count)
    sums = np.stack([np.bincount(organ, one * weight, minlength=count) for one in dose])
    return np.asarray(np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0))


def domain_rows(rows: FloatArray, weight: FloatArray, organ: LabelArray, count: int) -> FloatArray:
    """Features of `DOMAIN`, averaged over organs, shape (count, len(DOMAIN))."""
    columns = rows[:, [ROW.index(name) for name in DOMAIN]].T
    return organ_means(columns, weight, organ, count).T


@predictor(SYSTEM)
def predict_slices(scan: Scan, network: Network) -> Prediction:
    """Organ doses of a scan; no dose map.

    Parameters
    ----------
    scan : Scan
        With a CTDIvol.
    network : Network

    Returns
    -------
    Prediction
        Of the organs that the network knows.

    Raises
    ------
    InputError
        If there is none of them, or no CTDIvol.

    Notes
    -----
    ``dose = CTDIvol sum_z m_z exp(mean_k y_k(z)) / sum_z m_z`` over the organ's slices of mass m,
    with the members' outputs y_k.
    """
    ctdi = scan.protocol.ctdi_vol_mgy
    if ctdi is None:
        raise InputError("organ doses by network need the CTDIvol of the scan")
    normalization = network.card.normalization
    names = tuple(str(name) for name in normalization["organs"])
    slices = organ_slices(scan)
    rows = slice_rows(slices.features, slices.organ, scan.range_mm)
    index = np.array([names.index(n) if n in names else -1 for n in scan.weights.names])[
        slices.organ
    ]
    used = (index >= 0) & (slices.mass_g > 0)
    if not used.any():
        raise InputError(
            f"{network.card.name} knows {', '.join(names)}; the scan has"
            f" {', '.join(scan.weights.names)}"
        )
    rows, index, mass = rows[used], index[used], slices.mass_g[used]
    members = slice_doses(network, rows, names, index).dose_per_ctdi
    means = organ_means(members, mass, index, len(names))
    there = np.flatnonzero(np.isfinite(means[0]))
    dose = np.exp(np.log(means[:, there]).mean(axis=0))
    epistemic = np.log(means[:, there]).std(axis=0, ddof=1) if len(means) > 1 else 0.0 * dose
    aleatoric = np.array([float(normalization["relative_deviation"][names[i]]) for i in there])
    widening, told, refusals = _judged(
        network, names, domain_rows(rows, mass, index, len(names)), there
    )
    others = [name for name in scan.weights.names if name not in names]
    return Prediction(
        names=tuple(names[i] for i in there), mean_dose_mgy=ctdi * dose, aleatoric=aleatoric,
        epistemic=epistemic, total=widening * np.hypot(aleatoric, epistemic),
        method=network.method,
        notes=(f"organs that the network does not know: {', '.join(others)}",) if others else (),
        warnings=told, refusals=refusals,
    )  # fmt: skip


def _judged(
    network: Network, names: tuple[str, ...], rows: FloatArray, there: LabelArray
) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Widening of the organs that are there, warnings and refusals."""
    widening = np.ones(len(there))
    warnings, refusals = [], []
    for at, i in enumerate(there):
        domain = network.card.domains.get(names[i], network.card.domain)
        if domain is None:
            continue
        verdict = domain.judge(rows[i])
        widening[at] = verdict.widening
        if verdict.is_far:
            refusals.append(f"{names[i]}: {verdict.text()}")
        elif verdict.is_outside:
            warnings.append(f"{names[i]}: {verdict.text()}")
    return widening, tuple(warnings), tuple(refusals)

"""Study of scatter-net: organs, voxels and coverage on patients that it has never seen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.kinds import Sample
from milligray.dataset.reader import TrainingSet, open_set
from milligray.errors import InputError
from milligray.evaluate.coverage import coverage, summarize_scores, z_scores
from milligray.evaluate.errors_of_values import MEASURES
from milligray.evaluate.gamma import GammaSettings, gamma_index
from milligray.evaluate.images import compare_images
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.table import Column, Table, write_tables
from milligray.evaluate.tables import organ_table, system_table
from milligray.learn.inputs.scatter_inputs import (
    primary_dose_mgy,
    scatter_dose_mgy,
    scatter_inputs,
    scatter_kerma_mgy,
)
from milligray.learn.network import Network, open_network
from milligray.learn.organ_averages import organ_means, share_beyond
from milligray.learn.predictors.scatter_net import (
    predict_scatter,
    taught_beyond_mm,
)
from milligray.learn.scan import Scan
from milligray.learn.shelf import find_network
from milligray.train.scatter_net.scatter_samples import open_sample, stored_name, stored_slices
from milligray.train.scatter_net.tissue_bias import tissue_sums, tissue_table
from milligray.typing import BoolArray, FloatArray
from milligray.volume import Grid

GUESS_LOG = 0.15
"""Of the comparator without a network: the guess times a constant."""
LEAST_ML = 1.0
GAMMA_VOXELS = 2000
_VOXELS = ("mean_relative_error", "mean_relative_absolute_error", "total_relative_absolute_error",
           "relative_root_mean_squared_error")  # fmt: skip


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Judge a network on the samples of a split.

    Parameters
    ----------
    data : tuple of Path
        Sets of dose maps.
    out : Path
        For tables.
    options : mapping
        ``network`` (name or folder; scatter-net-head-neck), ``split`` (test).
    """
    network = open_network(find_network(options.get("network", "scatter-net-head-neck")))
    split = options.get("split", "test")
    organs: list[dict[str, Any]] = []
    voxels: list[dict[str, Any]] = []
    tissues: list[dict[str, tuple[int, float, float]]] = []
    for path in data:
        training = open_set(path)
        tissues += [
            _judge(training, name, network, organs, voxels) for name in training.samples(split)
        ]
    if not organs:
        raise InputError(f"the sets hold no sample of the split {split!r}")
    write_tables((*_tables(organs, voxels), tissue_table(tissues)), out)


def _judge(
    training: TrainingSet, name: str, network: Network, organs: list[Any], voxels: list[Any]
) -> dict[str, tuple[int, float, float]]:
    """Add a scan's organs and voxels; its sums by tissue."""
    scan, sample = open_sample(training, name)
    patient = str(sample.attributes["patient"])
    found = predict_scatter(scan, network)
    guess, guess_map = guessed(scan)
    if found.dose_mgy is None:
        raise InputError("the network gave no dose map")
    names = [n.decode() for n in sample.arrays["organ_names"].values]
    rows = {n: i for i, n in enumerate(names)}
    beyond = share_beyond(scan, taught_beyond_mm(network.card))
    for i, organ in enumerate(found.names):
        row = rows[stored_name(organ)]
        truth = float(sample.arrays["organ_dose"].values[row])
        if sample.arrays["organ_volume"].values[row] < LEAST_ML:
            continue
        organs.append({
            "sample": name, "patient": patient, "organ": organ, "truth": truth,
            "sigma": truth * float(sample.arrays["organ_relative_uncertainty"].values[row]),
            "network": float(found.mean_dose_mgy[i]), "guess": float(guess[i]),
            "claimed": float(found.mean_dose_mgy[i] * found.total[i]),
            "beyond": float(beyond[i]),
        })  # fmt: skip
    for system, values in (("network", found.dose_mgy), ("guess", guess_map)):
        voxels.append({"system": system} | _voxels(scan, sample, values))
    true_dose = np.zeros(scan.patient.grid.shape, dtype=np.float32)
    true_dose[stored_slices(scan, sample)] = sample.arrays["dose"].values
    return tissue_sums(scan, found.dose_mgy, true_dose, body_in_range(scan) & (true_dose > 0.0))


def guessed(scan: Scan) -> tuple[FloatArray, FloatArray]:
    """Organ doses and dose map of the primary beam and the blurred guess, without a network."""
    inputs = scatter_inputs(scan)
    ones = np.ones(inputs.grid.shape, dtype=np.float32)
    kerma = scatter_kerma_mgy(inputs, GUESS_LOG * ones, 0.1 * ones)
    dose = primary_dose_mgy(scan, inputs) + scatter_dose_mgy(scan, kerma, inputs.grid)
    return organ_means(scan, dose), dose


def _voxels(scan: Scan, sample: Sample, values: FloatArray) -> dict[str, float]:
    """Voxel measures in the body of the scanned range."""
    part = stored_slices(scan, sample)
    truth = sample.arrays["dose"].values
    mask = body_in_range(scan)[part]
    grid = scan.patient.grid
    own = Grid.from_spacing(truth.shape, grid.spacing_mm)
    agreement = compare_images(values[part], truth, mask)
    gamma = gamma_index(
        values[part], truth, own, mask=mask,
        settings=GammaSettings(dose_difference=0.01, distance_mm=1.0, subset=GAMMA_VOXELS),
    )  # fmt: skip
    relative = sample.arrays["relative_uncertainty"].values[mask]
    return {name: agreement.values[name] for name in _VOXELS} | {
        "ssim": agreement.structural_similarity, "psnr": agreement.peak_signal_to_noise_db,
        "gamma": gamma.pass_rate, "noise": float(np.sqrt(2.0 / np.pi) * relative.mean()),
    }  # fmt: skip


def body_in_range(scan: Scan) -> BoolArray:
    """Voxels of the body whose center lies in the nominal range, shape of the patient's grid."""
    z = scan.patient.grid.axis_centers_mm(0)
    low, high = scan.range_mm
    return np.asarray(scan.patient.body & ((z >= low) & (z <= high))[:, None, None])


def _pairs(rows: list[dict[str, Any]], system: str) -> ValuePairs:
    claimed = [row["claimed"] for row in rows] if system == "network" else None
    return ValuePairs.from_arrays(
        [row[system] for row in rows], [row["truth"] for row in rows],
        patients=[row["patient"] for row in rows], organs=[row["organ"] for row in rows],
        reference_sigma=[row["sigma"] for row in rows], predicted_sigma=claimed,
    )  # fmt: skip


def _tables(organs: list[dict[str, Any]], voxels: list[dict[str, Any]]) -> tuple[Table, ...]:
    near = [row for row in organs if row["beyond"] < 0.1]
    away = [row for row in organs if row["beyond"] >= 0.1]
    ours = _pairs(near, "network")
    systems = {"network": ours, "guess without network": _pairs(near, "guess")}
    if away:
        systems["network, organs beyond its reach"] = _pairs(away, "network")
    means: list[dict[str, Any]] = []
    for system in ("network", "guess"):
        rows = [row for row in voxels if row["system"] == system]
        keys = [key for key in rows[0] if key != "system"]
        means.append(
            {"system": system} | {key: float(np.mean([row[key] for row in rows])) for key in keys}
        )
    columns = [Column(key="system", title="system", kind="text")]
    columns += [Column(key=k, title=MEASURES[k].symbol, kind="percent") for k in _VOXELS]
    columns += [
        Column(key="ssim", title="SSIM", digits=4), Column(key="psnr", title="PSNR [dB]", digits=1),
        Column(key="gamma", title="gamma 1 %/1 mm [%]", kind="percent"),
        Column(key="noise", title="of RAE, noise of the truth [%]", kind="percent"),
    ]  # fmt: skip
    return (
        organ_table(ours, title="Organ doses against Monte Carlo, organs within reach of the beam"),
        system_table(systems),
        Table(
            name="voxels", title="Voxels of the body in the scanned range, means over the scans",
            columns=tuple(columns), rows=tuple(means),
        ),
        _coverage_table(near),
    )  # fmt: skip


def _coverage_table(near: list[dict[str, Any]]) -> Table:
    """Coverage of single organs, and of the sum of a scan's organ doses.

    The sum's claimed deviation is the sum of the organs': full correlation.
    """
    sums: list[dict[str, Any]] = []
    for sample in dict.fromkeys(row["sample"] for row in near):
        rows = [row for row in near if row["sample"] == sample]
        of_sum = {key: sum(row[key] for row in rows) for key in ("network", "truth", "claimed")}
        # the truth's own noise is that of histories of one run: taken as independent
        sigma = float(np.sqrt(sum(row["sigma"] ** 2 for row in rows)))
        names = {"patient": rows[0]["patient"], "organ": "sum"}
        sums.append(of_sum | names | {"sigma": sigma})
    found: list[dict[str, Any]] = []
    for what, rows in (("organs", near), ("sum of a scan's organs", sums)):
        pairs = _pairs(rows, "network")
        cover, score = coverage(pairs), summarize_scores(z_scores(pairs))
        error = [abs(row["network"] / row["truth"] - 1.0) for row in rows]
        found.append({
            "what": what, "k": cover.factor, "n": cover.n, "share": cover.share, "low": cover.low,
            "high": cover.high, "z": score.standard_deviation,
            "u": float(np.mean([2.0 * row["claimed"] / row["network"] for row in rows])),
            "error": float(np.mean(error)),
        })  # fmt: skip
    return Table(
        name="coverage", title="Coverage of the organ doses' uncertainty",
        columns=(
            Column(key="what", title="doses", kind="text"), Column(key="k", title="k"),
            Column(key="n", title="n", kind="count"),
            Column(key="share", title="inside [%]", kind="percent"),
            Column(key="low", title="from [%]", kind="percent"),
            Column(key="high", title="to [%]", kind="percent"),
            Column(key="u", title="mean U(k = 2) [%]", kind="percent"),
            Column(key="error", title="MAPE [%]", kind="percent"),
            Column(key="z", title="standard deviation of z"),
        ),
        rows=tuple(found),
    )  # fmt: skip

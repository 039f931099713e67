"""Study of all shipped networks side by side, on the same scans of patients that none has seen."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from milligray.dataset.kinds import Sample
from milligray.dataset.reader import TrainingSet, open_set
from milligray.errors import InputError
from milligray.evaluate.coverage import coverage
from milligray.evaluate.errors_of_values import (
    coefficient_of_determination,
    mean_relative_absolute_error,
    mean_relative_error,
)
from milligray.evaluate.images import compare_images
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.table import Column, Table, write_tables
from milligray.learn.network import Network, open_network
from milligray.learn.organ_averages import share_beyond
from milligray.learn.prediction import Prediction, predict_dose
from milligray.learn.predictors.scatter_net import TAUGHT_MM
from milligray.learn.scan import Scan
from milligray.learn.shelf import find_network, list_networks
from milligray.learn.validity import check_validity, scan_facts
from milligray.segment.catalog import canonical_name
from milligray.segment.regions import region_of_organs
from milligray.train.network_rows import (
    OrganRow,
    ScanRow,
    read_organ_rows,
    read_scan_rows,
    write_rows,
)
from milligray.train.network_study_plot import draw_patient
from milligray.train.scatter_net.scatter_samples import open_sample, stored_slices

ORGANS, SCANS = "organs.csv", "scans.csv"
LEAST_ML = 1.0
MOST_BEYOND = 0.1
"""Organs with more of their mass beyond 40 mm from the beam are left out."""


def run(data: tuple[Path, ...], out: Path, options: Mapping[str, str]) -> None:
    """Judge every network on the samples of a split.

    Parameters
    ----------
    data : tuple of Path
        Sets of dose maps.
    out : Path
        For tables and the picture of one patient.
    options : mapping
        ``networks`` (names or folders with commas between; all that ship), ``split`` (test); of
        other parts of the body they are left out,
        ``samples`` (at most so many of each set), ``per_patient`` (so many of each patient).

    Notes
    -----
    Rows of every organ and scan are kept in ``organs.csv`` and ``scans.csv``; what stands there of
    the same networks (name and hash) is not computed again, so that a run can be gone on with and a
    further network be added.
    """
    chosen = options.get("networks", ",".join(list_networks())).split(",")
    networks = [open_network(find_network(name)) for name in chosen]
    out.mkdir(parents=True, exist_ok=True)
    methods = {network.method for network in networks}
    organs = [row for row in read_organ_rows(out / ORGANS) if row.method in methods]
    scans = [row for row in read_scan_rows(out / SCANS) if row.method in methods]
    for path in data:
        training = open_set(path)
        for name in chosen_samples(training, options):
            done = {row.method for row in scans if row.sample == name}
            todo = [network for network in networks if network.method not in done]
            if todo:
                judge(training, name, todo, organs, scans)
                write_rows(organs, out / ORGANS)
                write_rows(scans, out / SCANS)
    if not organs:
        raise InputError(f"the sets hold no sample of the split {options.get('split', 'test')!r}")
    organs = common_rows(organs, list(dict.fromkeys(row.network for row in scans)))
    header = (
        f"# Shipped networks on the same scans\n\nOrgans of {LEAST_ML:g} mL and more that all"
        " networks know and that lie within 40 mm of the beam."
    )
    write_tables((*tables(organs, scans), organ_table(organs)), out, header=header)
    draw_patient(median_patient(organs), out / "networks.png")


def chosen_samples(training: TrainingSet, options: Mapping[str, str]) -> list[str]:
    """Samples of a set that are judged."""
    names = list(training.samples(options.get("split", "test")))
    if "per_patient" in options:
        of: dict[str, list[str]] = {}
        for name in names:
            of.setdefault(str(training.manifest["samples"][name]["patient"]), []).append(name)
        names = [name for mine in of.values() for name in mine[: int(options["per_patient"])]]
    return names[: int(options["samples"])] if "samples" in options else names


def judge(
    training: TrainingSet,
    name: str,
    networks: Sequence[Network],
    organs: list[OrganRow],
    scans: list[ScanRow],
) -> None:
    """Add a sample's organs and voxels by every network."""
    scan, sample = open_sample(training, name)
    region = region_of_organs(canonical_name(organ) for organ in scan.weights.names)
    beyond = dict(zip(scan.weights.names, share_beyond(scan, TAUGHT_MM), strict=True))
    for network in networks:
        label = network.card.name
        if region not in network.card.validity.allowed.get("body_region", (region,)):
            continue
        is_made_for = not check_validity(
            network.card, **(scan_facts(scan) | {"body_region": region})
        )
        started = time.process_time()
        found = predict_dose(scan, network, body_region=region, beyond_validity=True)
        seconds = time.process_time() - started
        scans.append(ScanRow(
            network=label, method=network.method, sample=name, seconds=seconds,
            voxel_error=_voxel_error(scan, sample, found),
        ))  # fmt: skip
        known = [k for k, organ in enumerate(found.names) if beyond[organ] <= MOST_BEYOND]
        organs += _organ_rows(network, name, sample, found, known, is_made_for)


def _organ_rows(
    network: Network,
    name: str,
    sample: Sample,
    found: Prediction,
    known: Sequence[int],
    is_made_for: bool,
) -> list[OrganRow]:
    arrays = {key: array.values for key, array in sample.arrays.items()}
    at = {organ.decode(): i for i, organ in enumerate(arrays["organ_names"])}
    rows = []
    for k in known:
        i = at.get(found.names[k])
        if i is None or arrays["organ_volume"][i] < LEAST_ML or not arrays["organ_dose"][i] > 0:
            continue
        truth, dose = float(arrays["organ_dose"][i]), float(found.mean_dose_mgy[k])
        rows.append(OrganRow(
            network=network.card.name, method=network.method, sample=name,
            patient=str(sample.attributes["patient"]),
            organ=found.names[k], truth=truth,
            truth_sigma=truth * float(arrays["organ_relative_uncertainty"][i]), dose=dose,
            sigma=dose * float(found.total[k]),
            ctdi_vol_mgy=float(sample.attributes["ctdi_vol_mgy"]),
            is_made_for=is_made_for and not found.refusals,
        ))  # fmt: skip
    return rows


def _voxel_error(scan: Scan, sample: Sample, found: Prediction) -> float:
    """Mean relative absolute error of the body's voxels in the nominal range; NaN without map."""
    if found.dose_mgy is None:
        return float("nan")
    part = stored_slices(scan, sample)
    z = scan.patient.grid.axis_centers_mm(0)
    low, high = scan.range_mm
    mask = (scan.patient.body & ((z >= low) & (z <= high))[:, None, None])[part]
    agreement = compare_images(found.dose_mgy[part], sample.arrays["dose"].values, mask)
    return agreement.values["mean_relative_absolute_error"]


def common_rows(rows: Sequence[OrganRow], networks: Sequence[str]) -> list[OrganRow]:
    """Rows of organs that every network has predicted."""
    by: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        by.setdefault((row.sample, row.organ), set()).add(row.network)
    return [row for row in rows if by[row.sample, row.organ] == set(networks)]


def tables(organs: Sequence[OrganRow], scans: Sequence[ScanRow]) -> tuple[Table, ...]:
    """Table of the networks over all scans, and over those that each is made for."""
    names = list(dict.fromkeys(row.network for row in organs))
    every: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for name in names:
        rows = [row for row in organs if row.network == name]
        mine = [row for row in scans if row.network == name]
        voxels = [row.voxel_error for row in mine if not np.isnan(row.voxel_error)]
        speed = {
            "voxels": float(np.mean(voxels)) if voxels else None,
            "seconds": float(np.median([row.seconds for row in mine])),
        }
        made_for = len({row.sample for row in rows if row.is_made_for})
        every.append({"network": name, "made_for": made_for} | measures(rows) | speed)
        own.append({"network": name} | measures([row for row in rows if row.is_made_for]))
    columns = (
        Column(key="network", title="network", kind="text"),
        Column(key="scans", title="scans", kind="count"),
        Column(key="n", title="organs", kind="count"),
        Column(key="mape", title="MAPE [%]", kind="percent"),
        Column(key="bias", title="bias [%]", kind="percent"),
        Column(key="r2", title="R² of dose/CTDIvol", digits=3),
        Column(key="u", title="mean U(k = 2) [%]", kind="percent", digits=1),
        Column(key="covered", title="inside k = 2 [%]", kind="percent", digits=1),
    )
    more = (
        Column(key="voxels", title="voxel RAE [%]", kind="percent"),
        Column(key="seconds", title="CPU time [s]", digits=2),
    )
    made_for_column = Column(key="made_for", title="made for", kind="count")
    return (
        Table(
            name="networks", title="All scans", rows=tuple(every),
            columns=(*columns[:2], made_for_column, *columns[2:], *more),
            notes=("Scans that a network is not made for were predicted by --force.",),
        ),
        Table(
            name="networks_made_for", columns=columns, rows=tuple(own),
            title="Scans that the network is made for (without --force)",
        ),
    )  # fmt: skip


def measures(rows: Sequence[OrganRow]) -> dict[str, Any]:
    """Errors of some organ doses, and how often their uncertainty covers them."""
    found: dict[str, Any] = {"scans": len({row.sample for row in rows}), "n": len(rows)}
    if len(rows) < 2:
        return found
    dose = np.array([row.dose / row.ctdi_vol_mgy for row in rows])
    truth = np.array([row.truth / row.ctdi_vol_mgy for row in rows])
    pairs = ValuePairs.from_arrays(
        [row.dose for row in rows], [row.truth for row in rows],
        patients=[row.patient for row in rows], organs=[row.organ for row in rows],
        reference_sigma=[row.truth_sigma for row in rows],
        predicted_sigma=[row.sigma for row in rows],
    )  # fmt: skip
    return found | {
        "mape": mean_relative_absolute_error(dose, truth),
        "bias": mean_relative_error(dose, truth),
        "r2": coefficient_of_determination(dose, truth),
        "u": float(np.mean([2.0 * row.sigma / row.dose for row in rows])),
        "covered": coverage(pairs).share,
    }


def organ_table(rows: Sequence[OrganRow]) -> Table:
    """MAPE by organ and network."""
    names = list(dict.fromkeys(row.network for row in rows))
    found: list[dict[str, Any]] = []
    for organ in sorted({row.organ for row in rows}):
        one: dict[str, Any] = {"organ": organ}
        for name in names:
            mine = [r for r in rows if r.organ == organ and r.network == name]
            one[name] = float(np.mean([abs(r.dose / r.truth - 1.0) for r in mine]))
            one["n"] = len(mine)
        found.append(one)
    return Table(
        name="networks_organs", title="MAPE by organ [%]",
        columns=(
            Column(key="organ", title="organ", kind="text"),
            Column(key="n", title="n", kind="count"),
            *(Column(key=name, title=name, kind="percent") for name in names),
        ),
        rows=tuple(found),
    )  # fmt: skip


def median_patient(rows: Sequence[OrganRow]) -> list[OrganRow]:
    """Rows of the scan with most organs whose error, over all networks, is the median one."""
    by: dict[str, list[OrganRow]] = {}
    for row in rows:
        by.setdefault(row.sample, []).append(row)
    most = max(len(one) for one in by.values())
    full = [one for one in by.values() if len(one) == most]
    full.sort(key=lambda one: np.mean([abs(row.dose / row.truth - 1.0) for row in one]))
    return full[len(full) // 2]

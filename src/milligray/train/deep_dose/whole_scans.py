"""Whole scans as sums of positions, beside Monte Carlo of the whole scan."""

from collections.abc import Mapping, Sequence

import numpy as np

from milligray.dataset.kinds import Sample
from milligray.dataset.reader import TrainingSet
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.table import Cell, Column, Table
from milligray.evaluate.tables import organ_table
from milligray.learn.network import Network
from milligray.learn.organ_averages import organ_means
from milligray.learn.position_superposition import SuperpositionSettings
from milligray.learn.predictors.deep_dose import (
    AskedPositions,
    sampling_of,
    scan_dose_mgy,
)
from milligray.learn.scan import Scan
from milligray.train.deep_dose.measures import measure_columns, voxel_row
from milligray.typing import FloatArray
from milligray.volume import Grid

CURRENTS = {True: "modulated", False: "fixed"}


def scan_rows(
    network: Network, sets: Sequence[TrainingSet], split: str, options: Mapping[str, str]
) -> list[Table]:
    """Tables of organ doses and of voxels of whole scans, by tube current.

    Parameters
    ----------
    network : Network
    sets : sequence of TrainingSet
        Of the kinds organ-features and dose-maps.
    split : str
    options : mapping
        See `milligray.train.study_deep_dose.run`.
    """
    most = int(options.get("scans", "1000"))
    organs: dict[str, list[tuple[str, str, float, float]]] = {}
    voxels: list[dict[str, Cell]] = []
    for one in sets:
        for name in one.samples(split)[:most]:
            sample = one.read(name)
            is_map = one.kind == "dose-maps"
            scan = _scan(one, name, sample, is_map=is_map)
            dose = scan_dose(scan, network, options)
            label = CURRENTS[float(sample.attributes.get("modulation_strength", 0.0)) > 0]
            patient = str(sample.attributes["patient"])
            rows = organs.setdefault(label, [])
            if is_map:
                part = stored_part(scan, sample)
                truth = sample.arrays["dose"].values
                relative = sample.arrays["relative_uncertainty"].values
                low, high = scan.range_mm
                z = scan.patient.grid.axis_centers_mm(0)[part]
                body = (sample.arrays["body"].values > 0) & ((z >= low) & (z <= high))[
                    :, None, None
                ]
                grid = scan.patient.grid
                cut = Grid.from_spacing(truth.shape, grid.spacing_mm)
                found = voxel_row(
                    dose[part], truth, relative, body, cut,
                    with_gamma=options.get("gamma", "yes") == "yes",
                )  # fmt: skip
                voxels.append({"current": label, "patient": patient, **found})
                whole = np.zeros(grid.shape, dtype=np.float32)
                whole[part] = truth
                known = np.zeros(grid.shape, dtype=np.float32)
                known[part] = 1.0
                rows += _pairs(patient, scan, dose * known, whole)
            else:
                names = [n.decode() for n in sample.arrays["organ_names"].values]
                mine = dict(zip(scan.weights.names, organ_means(scan, dose), strict=True))
                rows += [
                    (patient, organ, float(mine[organ]), float(true))
                    for organ, true in zip(names, sample.arrays["organ_dose"].values, strict=True)
                    if organ in mine and not organ.startswith("Body")
                ]
    tables = [_organ_table(label, rows) for label, rows in organs.items()]
    if voxels:
        tables.append(
            Table(
                name="scan_voxels", title="Dose maps of whole scans",
                columns=(
                    Column(key="current", title="tube current", kind="text"),
                    Column(key="patient", title="patient", kind="text"), *measure_columns(),
                ),
                rows=tuple(voxels),
            )
        )  # fmt: skip
    return tables


def scan_dose(scan: Scan, network: Network, options: Mapping[str, str]) -> FloatArray:
    """Dose map of a scan by a network [mGy], shape ``scan.patient.grid.shape``."""
    given = sampling_of(network.card.normalization)
    settings = SuperpositionSettings(
        angles=int(options.get("angles", given.angles)), step=int(options.get("step", given.step)),
        tail_planes=int(options.get("tail_planes", given.tail_planes)),
    )  # fmt: skip
    return np.asarray(scan_dose_mgy(scan, network.card, AskedPositions(network), settings)[0])


def stored_part(scan: Scan, sample: Sample) -> slice:
    """Slices of a scan's grid that a stored dose map stands for."""
    grid = scan.patient.grid
    first = float(sample.attributes["first_voxel_lps_mm"][2])
    start = round((first - grid.axis_centers_mm(0)[0]) / grid.spacing_mm[0])
    return slice(start, start + sample.arrays["dose"].values.shape[0])


def _scan(training: TrainingSet, name: str, sample: Sample, *, is_map: bool) -> Scan:
    spec = spec_of(dict(training.manifest), name, training.root)
    return open_scan(spec, is_regridded=is_map, photons=float(sample.attributes["photons"]))


def _pairs(
    patient: str, scan: Scan, mine: FloatArray, true: FloatArray
) -> list[tuple[str, str, float, float]]:
    found = zip(scan.weights.names, organ_means(scan, mine), organ_means(scan, true), strict=True)
    return [(patient, n, float(p), float(t)) for n, p, t in found if not n.startswith("Body")]


def _organ_table(label: str, rows: Sequence[tuple[str, str, float, float]]) -> Table:
    patients, names, predicted, truth = zip(*rows, strict=True)
    pairs = ValuePairs.from_arrays(
        predicted=np.array(predicted), reference=np.array(truth), patients=list(patients),
        organs=list(names),
    )  # fmt: skip
    return organ_table(
        pairs, name=f"organs_{label}", title=f"Organ doses of whole scans, {label} tube current"
    )

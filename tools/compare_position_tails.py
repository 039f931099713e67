"""Energy of positions of the tube by distance along z: deep-dose with its tails, Monte Carlo.

    python tools/compare_position_tails.py --data SET --sample pt_139_000 --out FILE.csv

The set only tells the patient and the beam (kinds organ-features and source-positions); Monte Carlo
is run here, over the whole image.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from milligray.dataset.reader import open_set
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.learn.inputs.basis_materials import basis_densities
from milligray.learn.inputs.slab import rotated_patient, slab_grid, tracing_shape
from milligray.learn.network import open_network
from milligray.learn.position_superposition import scan_planes
from milligray.learn.predictors.deep_dose import AskedPositions
from milligray.learn.scan import Scan
from milligray.learn.scatter_tail import add_tails
from milligray.learn.shelf import find_network
from milligray.learn.traced_fields import traced_fields
from milligray.learn.turned_scan import turn_scan
from milligray.score.dose_scoring import score_dose
from milligray.source.position_source import make_position_source
from milligray.transport.monte_carlo.engine import transport_photons

BANDS_MM = ((30, 60), (60, 85), (85, 110), (110, 150), (150, 200))
ANGLES_RAD = (0.4, 2.2)
SHARES = (0.2, 0.6, 0.8)
"""Of the image's planes, where the tube stands."""
TAIL_PLANES = 24


def main() -> None:
    """Compare six positions of one patient."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sample", required=True)
    parser.add_argument("--network", default="deep-dose-head-neck")
    parser.add_argument("--histories", type=int, default=1_500_000)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    training = open_set(given.data)
    sample = training.read(given.sample, ())
    spec = spec_of(dict(training.manifest), given.sample, training.root)
    scan = open_scan(spec, is_regridded=False, photons=float(sample.attributes["photons"]))
    rows = []
    for angle in ANGLES_RAD:
        for share in SHARES:
            rows += compare(scan, angle, share, given.network, given.histories)
    partial = given.out.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["angle_rad", "tube_z_mm", "from_mm", "to_mm", "monte_carlo", "network"])
        writer.writerows(rows)
    partial.replace(given.out)


def compare(
    scan: Scan, angle: float, share: float, name: str, histories: int
) -> list[list[float | int | str]]:
    """Shares of the body's dose in bands of distance from the plane of the tube."""
    network = open_network(find_network(name))
    ask = AskedPositions(network)
    depth, lateral, n_z = (int(n) for n in network.card.normalization["slab_shape"])
    size = float(network.card.normalization["voxel_size_mm"])
    iso, source = scan.source.isocenter_lps_mm, scan.source
    planes = scan_planes(scan.patient.grid, size)
    plane = round(share * (planes.size - 1))
    shape = tracing_shape(scan.patient, (n_z, depth, lateral), size, iso)
    turned = turn_scan(scan.patient, slab_grid(shape, size, (0.0, 0.0), 0.0), planes, iso, angle)
    full = slab_grid(turned.grid.shape, size, iso, 0.5 * float(planes[0] + planes[-1]))
    patient = rotated_patient(scan.patient, full, isocenter_mm=iso, angle_rad=angle)
    deposit = transport_photons(
        patient, make_position_source(source, angle_rad=0.0, z_mm=float(planes[plane])),
        histories=histories, seed=5, threads=1,
    )  # fmt: skip
    true = score_dose(deposit, patient, photons=1.0).dose_mgy
    found = traced_fields(source.field, n_z, lambda traced: ask(traced.channels))(turned, plane)
    if found is None:
        return []
    absorbing = basis_densities(patient)[1] / np.maximum(patient.density_g_cm3, 1e-6)
    mine = np.zeros(full.shape)
    for part, values in zip(absorbing, found.values, strict=True):
        field = np.zeros(full.shape)
        field[found.place] = values[found.inside]
        add_tails(field, turned, plane, n_z // 2, TAIL_PLANES)
        mine += part * field
    away = (np.arange(planes.size) - plane) * size
    whole = float(true[patient.body].sum())
    rows: list[list[float | int | str]] = []
    for sign in (-1, 1):
        for low, high in BANDS_MM:
            here = (sign * away >= low) & (sign * away < high)
            mask = patient.body & here[:, None, None]
            if mask.any():
                rows.append([
                    angle, f"{planes[plane]:.0f}", sign * low, sign * high,
                    f"{true[mask].sum() / whole:.5f}", f"{mine[mask].sum() / whole:.5f}",
                ])  # fmt: skip
    return rows


if __name__ == "__main__":
    main()

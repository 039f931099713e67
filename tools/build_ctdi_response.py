"""Build data/ctdi/response.csv: what the CTDI chambers read per photon, by energy and ray.

    python tools/build_ctdi_response.py --work FOLDER [--histories N] [--threads N] [--write]

Every cell (phantom, beam height, distance of the ray from the axis, energy) is a Monte Carlo run of
its own, in the phantom and with the chambers of `score/ctdi.py`, the tube going round once.
Finished cells stand in FOLDER/cells.csv and are not computed again, unless with more histories;
--write makes the shipped table from them. Scanner, bowtie and tube voltage do not enter:
`score/ctdi_response.py` says why.
"""

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
import scipy.sparse

from milligray.constants import AIR_DENSITY_G_CM3, CM3_PER_MM3, MGY_PER_KEV_PER_G
from milligray.patient.phantoms.ctdi import CHAMBER_LENGTH_MM, chamber_slices, ctdi_phantom
from milligray.physics.compiled import sources_stamp
from milligray.source.alias import alias_table
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.batches import run_batches
from milligray.transport.monte_carlo.engine import ESTIMATORS
from milligray.transport.monte_carlo.matter import pack_matter
from milligray.transport.monte_carlo.regions import _bins

FOCAL_RADIUS_MM = 595.0
HEIGHTS_MM = (10.0, 43.0)
ENERGIES_KEV = (12, 16, 20, 24, 28, 32, 36, 40, 45, 50, 55, 60, 65, 70, 80, 90, 100, 115, 130, 150)
EDGES_MM = {
    160: (0, 6, 13, 20, 28, 36, 44, 51, 57, 62, 66, 69, 72, 75, 78, 80),
    320: (0, 6, 16, 30, 46, 62, 78, 94, 110, 122, 131, 138, 143, 147, 150, 153, 156, 160),
}
N_FAN = 1024
BATCHES = 10
FIRST_SEED = 1000
COLUMNS = (
    "phantom_diameter_mm", "height_mm", "low_mm", "high_mm", "energy_kev", "center_mgy_mm",
    "periphery_mgy_mm", "relative_uncertainty", "histories",
)  # fmt: skip
TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "ctdi" / "response.csv"
HEAD = """\
# Response of the CTDI phantoms, table version 1; see SOURCE.md. Physics stamp {stamp}
# Kerma in the air of the 100 mm chamber x 100 mm [mGy mm] per photon of energy_kev [keV] whose ray
# passes the axis at low_mm to high_mm [mm], the beam being height_mm [mm] high at the axis;
# relative_uncertainty: k = 1, of center / 3 + 2 periphery / 3
"""


class Phantom:
    """A CTDI phantom packed for transport.

    Parameters
    ----------
    diameter_mm : {160, 320}
    """

    def __init__(self, diameter_mm: int) -> None:
        phantom, chambers = ctdi_phantom(diameter_mm)
        slices = chamber_slices(phantom.grid)
        whole = chambers > 0.999
        inside = [
            (slices[:, None, None] & r[None]).ravel() for r in (whole[0], whole[1:].any(axis=0))
        ]
        membership = scipy.sparse.csr_matrix(np.stack(inside).astype(np.float64))
        volume_cm3 = np.prod(phantom.grid.spacing_mm) * CM3_PER_MM3
        mass_g = membership.sum(axis=1).A1 * volume_cm3 * AIR_DENSITY_G_CM3
        self.to_mgy_mm = MGY_PER_KEV_PER_G / mass_g * CHAMBER_LENGTH_MM
        tally_bin, self.regions = _bins(membership)
        self.corner_lps_mm = phantom.grid.corner_lps_mm
        self.matter, self.tables = pack_matter(phantom, max_energy_kev=160.0, tally_bin=tally_bin)

    def cell(
        self, height_mm: float, low_mm: float, high_mm: float, energy_kev: float,
        *, seed: int, histories: int, threads: int,
    ) -> tuple[float, float, float]:  # fmt: skip
        """Center and periphery [mGy mm], and the relative uncertainty of their weighted mean."""
        source = strip_source(height_mm, energy_kev)
        emission = source.emission_tables(self.corner_lps_mm)
        inside = strip_share(source, low_mm, high_mm)
        fan_probability, fan_alias = alias_table(inside)
        batch_histories = histories // BATCHES
        emission = emission._replace(
            fan_probability=fan_probability, fan_alias=fan_alias,
            energy_probability=np.ones((N_FAN, 1)),
            energy_alias=np.zeros((N_FAN, 1), dtype=np.int32), batch_histories=batch_histories,
        )  # fmt: skip
        results: list[np.ndarray] = []

        def on_batch(_: int, sums: np.ndarray) -> bool:
            results.append(sums[0] / batch_histories * self.to_mgy_mm)
            return True

        run_batches(
            emission, self.matter, self.tables, estimator=ESTIMATORS["track-length"], seed=seed,
            batch_histories=batch_histories, n_bins=self.regions.shape[1], regions=self.regions,
            keep_bins=False, threads=threads, on_batch=on_batch, max_batches=BATCHES,
        )  # fmt: skip
        batches = np.array(results)
        center, periphery = batches.mean(axis=0)
        weighted = batches @ np.array([1.0, 2.0]) / 3.0
        mean = weighted.mean()
        deviation = weighted.std(ddof=1) / np.sqrt(BATCHES)
        return float(center), float(periphery), float(deviation / mean) if mean > 0 else 0.0


def strip_source(height_mm: float, energy_kev: float) -> CtSource:
    """One rotation of an open fan that just covers the phantom of 320 mm, photons of one energy."""
    reach = EDGES_MM[320][-1]
    width = 2.0 * reach / np.sqrt(1.0 - (reach / FOCAL_RADIUS_MM) ** 2)
    return CtSource(
        field=open_fan(
            focal_radius_mm=FOCAL_RADIUS_MM, width_mm=float(width), height_mm=height_mm,
            spectrum=Spectrum.monoenergetic(float(energy_kev)),
        ),
        isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.zeros((1, 2)), z_weights=np.ones(1),
        rotations=1.0, feed_mm=height_mm, collimation_mm=height_mm, start_angle_rad=None,
        mode="axial",
    )  # fmt: skip


def strip_share(source: CtSource, low_mm: float, high_mm: float) -> np.ndarray:
    """Photons of N_FAN bins of the fan whose rays pass the axis within a range of distances."""
    width, radius = source.field.width_mm, source.field.focal_radius_mm
    lateral = width * ((np.arange(N_FAN) + 0.5) / N_FAN - 0.5)
    a2 = radius**2 + lateral**2
    distance = radius * np.abs(lateral) / np.sqrt(a2)
    half = 0.5 * source.field.height_mm
    solid_angle = half / (a2 * np.sqrt(a2 + half**2))
    return np.where((distance >= low_mm) & (distance < high_mm), solid_angle, 0.0)


def main() -> None:
    """Compute the cells that are missing, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the finished cells")
    parser.add_argument("--histories", type=int, default=100_000, help="per cell")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the shipped table")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    path = arguments.work / "cells.csv"
    done: dict[tuple[str, ...], list[object]] = {}
    if path.exists():
        with path.open(newline="") as file:
            done = {tuple(row[:5]): row for row in csv.reader(file) if len(row) == len(COLUMNS)}
    enough = {key for key, row in done.items() if int(row[8]) >= arguments.histories}
    wanted = [
        (diameter, height, low, high, energy)
        for diameter, edges in EDGES_MM.items()
        for height in HEIGHTS_MM
        for low, high in itertools.pairwise(edges)
        for energy in ENERGIES_KEV
    ]
    phantom, of_diameter = None, 0
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for cell in wanted:
            key = tuple(f"{value:g}" for value in cell)
            if key in enough:
                continue
            diameter, height, low, high, energy = cell
            # cells have independent errors, but the two heights share theirs: they are subtracted
            seed = FIRST_SEED + wanted.index((diameter, HEIGHTS_MM[0], low, high, energy))
            if phantom is None or of_diameter != diameter:
                phantom, of_diameter = Phantom(diameter), diameter
            center, periphery, relative = phantom.cell(
                height, low, high, energy, seed=seed, histories=arguments.histories,
                threads=arguments.threads,
            )  # fmt: skip
            done[key] = [
                *key,
                f"{center:.5g}",
                f"{periphery:.5g}",
                f"{relative:.3g}",
                arguments.histories,
            ]
            writer.writerow(done[key])
            file.flush()
        print(f"{len(done)} of {len(wanted)} cells")
    if arguments.write:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        with TARGET.open("w", newline="") as file:
            file.write(HEAD.format(stamp=sources_stamp()[:12]))
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(done[tuple(f"{v:g}" for v in cell)] for cell in wanted)


if __name__ == "__main__":
    main()

"""How many positions of the tube a scan needs: errors of coarser sums against a fine one.

What is summed is the kerma of scattered photons in water (the primary beam of a scan is traced at
once). The network is left out (the first guess stands for it), so that only the sampling counts.

    python tools/compare_helix_sampling.py --data SET --sample pt_2_000 --out FILE.csv
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from milligray.dataset.reader import open_set
from milligray.dataset.recompute import spec_of
from milligray.dataset.scan_case import open_scan
from milligray.learn.inputs.slab import reach_voxels, slab_grid
from milligray.learn.inputs.traced_position import TracedPosition
from milligray.learn.position_superposition import SuperpositionSettings, superpose
from milligray.learn.traced_fields import N_FIELDS, traced_fields
from milligray.typing import FloatArray

FINE = (24, 1)
PLANES, SIZE_MM = 33, 5.0
TRIED = ((16, 3), (16, 1), (12, 3), (8, 3), (8, 6))


def main() -> None:
    """Run all samplings on the middle of one scan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a set of source positions")
    parser.add_argument("--sample", required=True)
    parser.add_argument("--length-mm", type=float, default=160.0, help="of the tube's path")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    training = open_set(given.data)
    sample = training.read(given.sample, ())
    spec = spec_of(dict(training.manifest), given.sample, training.root)
    scan = open_scan(spec, is_regridded=False, photons=float(sample.attributes["photons"]))
    middle = 0.5 * sum(scan.range_mm)
    half = 0.5 * given.length_mm
    source = replace(
        scan.source, z_bins_mm=np.array([[middle - half, middle + half]]), z_weights=np.ones(1)
    )
    wide = reach_voxels(scan.patient, SIZE_MM, source.isocenter_lps_mm)
    slab = slab_grid((PLANES, wide, wide), SIZE_MM, (0.0, 0.0), 0.0)

    def dose_of(angles: int, step: int) -> FloatArray:
        def ask(traced: TracedPosition) -> FloatArray:
            return np.zeros((2, *traced.guess_mgy.shape), dtype=np.float32)

        fields = traced_fields(source.field, PLANES, ask)
        settings = SuperpositionSettings(angles=angles, step=step)
        sums = superpose(scan.patient, source, slab, fields, settings, n_fields=N_FIELDS)
        return np.asarray(sums[0, 0])

    fine = dose_of(*FINE)
    z = scan.patient.grid.axis_centers_mm(0)
    # away from the ends, which coarse positions smear
    judged = scan.patient.body & (np.abs(z - middle) <= half / 3.0)[:, None, None]
    partial = given.out.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f"# sample {given.sample}; reference {FINE[0]} angles, every plane"])
        writer.writerow(["angles", "step", "voxel_mean_abs", "voxel_p95", "region_mean"])
        for angles, step in TRIED:
            dose = dose_of(angles, step)
            off = dose[judged] / fine[judged] - 1.0
            mean = dose[judged].sum() / fine[judged].sum() - 1.0
            row = [np.abs(off).mean(), np.percentile(np.abs(off), 95), mean]
            writer.writerow([angles, step, *(f"{v:.5f}" for v in row)])
            file.flush()
    partial.replace(given.out)


if __name__ == "__main__":
    main()

"""Weights of the smeared primary beam in the first guess of a position's scatter.

Non-negative least squares over voxels of training patients, relative to the dose:

    python tools/fit_position_guess.py --data SET_OF_SOURCE_POSITIONS [--samples 12]
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from milligray.dataset.storage import read_document, read_sample
from milligray.learn.inputs.coarse_grid import blurred
from milligray.learn.inputs.traced_position import GUESS_WEIGHTS, SMEARED_MM
from milligray.train.deep_dose.position_data import LEAST_BODY, position_files
from milligray.train.deep_dose.position_view import even_box, open_positions
from milligray.typing import FloatArray

SHARE, FLOOR = 0.3, 0.01
"""Of the voxels that are taken; least dose over the largest that counts relatively."""


def main() -> None:
    """Fit and print the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a set of source positions")
    parser.add_argument("--samples", type=int, default=12)
    given = parser.parse_args()
    files = [
        path for path in position_files([given.data])
        if read_document(path)["attributes"]["split"] == "train"
    ]  # fmt: skip
    rows: list[FloatArray] = []
    wanted: list[FloatArray] = []
    for path in files[: given.samples]:
        for columns, energy in equations(path):
            rows.append(columns)
            wanted.append(energy)
    matrix, right = np.concatenate(rows), np.concatenate(wanted)
    weights, _ = nnls(matrix, right)
    for name, one in (("fitted", weights), ("in use", np.array(GUESS_WEIGHTS))):
        off = float(np.sqrt(np.mean((matrix @ one - right) ** 2)))
        print(name, [round(float(w), 3) for w in one], f"relative deviation {off:.3f}")


def equations(path: Path) -> list[tuple[FloatArray, FloatArray]]:
    """Smeared fields and scattered energy of a sample's positions, over the dose."""
    sample = read_sample(path)
    dose, body = (sample.arrays[name].values for name in ("dose", "body"))
    look = open_positions(path, sample)
    found = []
    for n, inside in enumerate(body > 0):
        if inside[inside.shape[0] // 2].sum() < LEAST_BODY:
            continue
        box = even_box(inside)
        grid, attenuating, absorbing, density, traced = look(n, box)
        if traced is None:
            continue
        primary = traced.primary_mgy
        given = np.maximum((attenuating * primary).sum(axis=0), 0.0)
        soft = absorbing[0] + traced.bone_ratio * absorbing[1]
        smeared = np.stack([soft * blurred(given, grid, s) for s in SMEARED_MM], axis=-1)
        per_photon = (
            dose[n][box]
            * float(sample.attributes["ctdi_w_of_scan_mgy"])
            / float(sample.attributes["photons"])
        )
        scattered = per_photon * density - (absorbing * primary).sum(axis=0)
        here = inside[box]
        largest = float(np.quantile(per_photon[here], 0.99))
        weight = 1.0 / (np.maximum(per_photon, FLOOR * largest) * density)
        pick = here & (np.random.default_rng(0).random(here.shape) < SHARE)
        found.append((smeared[pick] * weight[pick][:, None], (scattered * weight)[pick]))
    return found


if __name__ == "__main__":
    main()

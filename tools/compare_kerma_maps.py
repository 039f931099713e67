"""How much of the dose the air-kerma maps explain by themselves, without any network.

python tools/compare_kerma_maps.py SET --cache FOLDER

fits the first guess of the dose U-Net (three weights) to each map on the training samples of a set
of dose maps, and prints the spread of ln(dose / guess) over soft-tissue voxels in the range of
other, validation, patients.
"""

import argparse
from pathlib import Path

import numpy as np

from milligray.dataset.storage import read_sample
from milligray.learn.inputs.dose_unet_inputs import MAPS, first_guess
from milligray.train.dose_unet.guess import SOFT, fit_guess, guess_voxels
from milligray.train.dose_unet.samples import list_samples


def main() -> None:
    """One line a map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path)
    parser.add_argument("--cache", type=Path, help="folder for maps that the set does not store")
    arguments = parser.parse_args()
    samples = list_samples([arguments.set])
    train = [one.path for one in samples if one.split == "train"]
    held = [one.path for one in samples if one.split == "validation"]
    print("| Map | weights | spread of ln(dose / guess), soft tissue | spread of scans' means |")
    print("|---|---|---|---|")
    for which in reversed(MAPS):
        options = fit_guess(train, which, arguments.cache)
        spread, means = [], []
        for path in held:
            density, dose, parts = guess_voxels(read_sample(path), which, arguments.cache)
            soft = (density > SOFT[0]) & (density < SOFT[1]) & (dose > 0)
            error = np.log(dose / first_guess(density, parts, options))[soft]
            spread.append(float(error.std()))
            means.append(float(error.mean()))
        weights = ", ".join(f"{w:.2f}" for w in options.weights)
        print(f"| {which} | {weights} | {np.mean(spread):.2f} | {np.std(means):.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""Fit the weights of the smeared primary beam in scatter-net's guess (`GUESS_WEIGHTS`).

python tools/fit_scatter_guess.py --cache DIR [--samples 24] SET...

Non-negative least squares of relative errors, over cubes of soft tissue of the training patients:
``sum_i w_i blur_i`` is to be the kerma in water of the scattered photons, i.e. the truth less the
primary beam, over what the cube absorbs. Every sample counts alike. Prepared samples are kept in
the cache, as `milligray train scatter-net` does.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from milligray.learn.inputs.scatter_channels import CHANNELS, FIRST_MM, GUESS_WEIGHTS
from milligray.train.scatter_net.scatter_samples import ScatterSample, prepare_samples

CUBES = 4000
BONE_OVER_PRIMARY = 1.1
"""Of the scatter's kerma in bone over that in water, as START of the network has it."""


def rows_of(sample: ScatterSample, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Blurs over the scatter's kerma, shape (n, len(FIRST_MM)), and weights, shape (n,)."""
    known = np.flatnonzero(sample.weight[0].ravel() > 0)
    picked = draw.choice(known, size=min(CUBES, known.size), replace=False)
    first = CHANNELS.index(f"first_{FIRST_MM[0]:g}_mm_over_guess")
    guess = sample.guess.ravel()[picked]
    over = sample.channels[first : first + len(FIRST_MM)].reshape(len(FIRST_MM), -1)[:, picked]
    absorbs = sample.absorbing[0, 0] + sample.absorbing[0, 1] * (
        sample.bone_ratio * BONE_OVER_PRIMARY
    )
    absorbs = absorbs.ravel()[picked]
    scatter = (sample.energy[0] - sample.primary_energy[0]).ravel()[picked] / absorbs
    noise = sample.sigma[0].ravel()[picked] / absorbs
    # relative to the scatter where it is known, to its noise where it is not
    scale = np.hypot(np.maximum(scatter, 0.0), 10.0 * noise)
    rows = (over * guess).T / scale[:, None]
    return np.column_stack([rows, scatter / scale]), np.full(len(rows), 1.0 / len(rows))


def main() -> None:
    """Fit, and print the weights beside those of the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=10**9)
    options = parser.parse_args()
    samples = prepare_samples(tuple(options.sets), options.cache, ("train",), most=options.samples)
    draw = np.random.default_rng(0)
    parts = [rows_of(sample, draw) for sample in samples]
    rows = np.concatenate([part[0] for part in parts])
    weights = np.sqrt(np.concatenate([part[1] for part in parts]))[:, None]
    found, _ = nnls(rows[:, :-1] * weights, rows[:, -1] * weights[:, 0])
    print(f"{len(samples)} samples, {len(rows)} cubes; blurs of {FIRST_MM} mm")
    for name, values in (("fitted", found), ("shipped", np.array(GUESS_WEIGHTS))):
        error = rows[:, :-1] @ values - rows[:, -1]
        spread = float(np.sqrt(np.average(error**2, weights=weights[:, 0] ** 2)))
        shown = ", ".join(f"{value:.3f}" for value in values)
        print(f"{name}: ({shown}), root mean square relative error {spread:.3f}")


if __name__ == "__main__":
    main()

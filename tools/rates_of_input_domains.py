"""How often the domain of a network's inputs calls good inputs outside, and finds bad ones.

Drawn features, correlated, one of them lognormal; means over fits with other draws. Prints the
table of docs/methods/networks.md: ``python tools/rates_of_input_domains.py``.
"""

import argparse

import numpy as np

from milligray.learn.domain import FAR, InputDomain, fit_domain
from milligray.learn.input_domain import statistics_of
from milligray.typing import FloatArray

CASES = ((60, 3), (60, 20), (60, 100), (400, 6), (400, 100), (1000, 20))
N_NEW = 2000


def drawn(n: int, seed: int, p: int) -> FloatArray:
    """Rows of p features."""
    mixing = np.random.default_rng(7).normal(size=(p, p))
    x = np.random.default_rng(seed).normal(size=(n, p)) @ mixing
    x[:, 0] = np.exp(0.4 * x[:, 0] / np.abs(mixing[:, 0]).sum())
    return np.asarray(x)


def alone(domain: InputDomain, rows: FloatArray, good: FloatArray) -> tuple[float, float]:
    """Rates found by the distance and by the extent alone, each set to 1 % of good inputs."""
    limits = [np.quantile(one, 0.99) for one in statistics_of(domain, good)]
    first, second = (
        (one > limit).mean() for one, limit in zip(statistics_of(domain, rows), limits, strict=True)
    )
    return float(first), float(second)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=20)
    fits = parser.parse_args().fits
    print("| rows | features | good outside | good far | one feature 6 SD off: outside |"
          " by the distance alone | by the extent alone |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for n, p in CASES:
        good = drawn(N_NEW, 10**6, p)
        off = good.copy()
        off[:, p - 1] += 6.0 * good[:, p - 1].std()
        rates = []
        for seed in range(fits):
            domain = fit_domain(drawn(n, seed, p), [f"f{i}" for i in range(p)])
            distance = domain.distances(good)
            rates.append((
                (distance > 1).mean(),
                (distance > FAR * max(1.0, domain.quantiles[-1][1])).mean(),
                (domain.distances(off) > 1).mean(),
                *alone(domain, off, good),
            ))  # fmt: skip
        mean = 100.0 * np.mean(rates, axis=0)
        print(f"| {n} | {p} | " + " | ".join(f"{value:.2f} %" for value in mean) + " |")


if __name__ == "__main__":
    main()

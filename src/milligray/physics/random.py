"""Counter-based random numbers: a pure function of (seed, history, branch, draw).

Philox4x32 (Salmon et al. 2011) maps a 128-bit counter and a 64-bit key to four 32-bit words.
The counter holds the history, the branch and the number of the draw, the key holds the seed, so a
history is the same whatever thread, batch or device computes it. Seven rounds are the fewest that
pass BigCrush; ten are the authors' default and are kept for the published test vectors.

References
----------
Salmon JK, Moraes MA, Dror RO, Shaw DE. Parallel random numbers: as easy as 1, 2, 3. SC'11.
"""

import numpy as np

from milligray.physics.compiled import physics

ROUNDS = 7
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_TO_UNIT = 2.0**-32


@physics
def philox4x32(
    counter_0: np.uint64,
    counter_1: np.uint64,
    counter_2: np.uint64,
    counter_3: np.uint64,
    key_0: np.uint64,
    key_1: np.uint64,
    rounds: int,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random 32-bit words, held in 64-bit integers, of a counter and a key."""
    c0, c1, c2, c3, k0, k1 = counter_0, counter_1, counter_2, counter_3, key_0, key_1
    for _ in range(rounds):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _SHIFT) ^ c1 ^ k0
        c2 = (product_0 >> _SHIFT) ^ c3 ^ k1
        c1 = product_1 & _MASK
        c3 = product_0 & _MASK
        k0 = (k0 + _WEYL_0) & _MASK
        k1 = (k1 + _WEYL_1) & _MASK
    return c0, c1, c2, c3


@physics
def uniform4(
    seed: np.uint64, history: np.uint64, draw: int, branch: int = 0
) -> tuple[float, float, float, float]:
    """Four independent uniform numbers in (0, 1), never 0 and never 1.

    Parameters
    ----------
    seed : uint64
        Key of the run.
    history : uint64
        Number of the history, counted over the whole run.
    draw : int
        Number of the block within the branch, below 2**32.
    branch : int
        Stream within the history, below 2**32: photons that were split have one each.
    """
    a, b, c, d = philox4x32(
        np.uint64(draw),
        np.uint64(branch),
        history & _MASK,
        history >> _SHIFT,
        seed & _MASK,
        seed >> _SHIFT,
        ROUNDS,
    )
    return (
        (np.float64(a) + 0.5) * _TO_UNIT,
        (np.float64(b) + 0.5) * _TO_UNIT,
        (np.float64(c) + 0.5) * _TO_UNIT,
        (np.float64(d) + 0.5) * _TO_UNIT,
    )

"""Walker alias tables: draw from a discrete distribution with one random number."""

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError
from milligray.typing import FloatArray


def alias_table(weights: FloatArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Alias table of weights >= 0 (Walker 1977, Vose 1991).

    Parameters
    ----------
    weights : ndarray, shape (n,)

    Returns
    -------
    probability : ndarray, shape (n,)
        Chance to keep the column that was drawn.
    alias : ndarray, shape (n,), int32
        What to take instead.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 1 or weights.size == 0 or np.any(weights < 0) or not weights.sum() > 0:
        raise InputError("alias table needs weights >= 0 with a positive sum")
    n = weights.size
    scaled = weights * (n / weights.sum())
    probability = np.ones(n)
    alias = np.arange(n, dtype=np.int32)
    small = [i for i in range(n) if scaled[i] < 1.0]
    large = [i for i in range(n) if scaled[i] >= 1.0]
    while small and large:
        low, high = small.pop(), large.pop()
        probability[low] = scaled[low]
        alias[low] = high
        scaled[high] -= 1.0 - scaled[low]
        (small if scaled[high] < 1.0 else large).append(high)
    for low in small:
        # left over by rounding; a column of no weight must still never be drawn
        if weights[low] == 0.0:
            probability[low] = 0.0
            alias[low] = int(np.argmax(weights))
    return probability, alias

"""The decorator of compiled loops over voxels, and the one scalar function they share."""

from collections.abc import Callable
from typing import Any, cast

from numba import njit


def voxel_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop over voxels: IEEE division, no GIL, cached where the disk allows it.

    Numba's cache sees changes of the file a function stands in only, so loops call nothing
    compiled from other files but :func:`last_at_or_below`.
    """
    try:
        compiled = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no place to write a cache: compile in every process
        compiled = njit(nogil=True, error_model="numpy")(function)
    return cast("Callable[..., Any]", compiled)


@voxel_loop
def last_at_or_below(edges, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Index of the last edge that is <= value; 0 below all of them."""
    row = edges.size - 1
    while row > 0 and edges[row] > value:
        row -= 1
    return row

"""The one decorator of compiled physics: the same function runs on CPU and inside CUDA kernels."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def physics(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a scalar physics function (no allocation, no exceptions, IEEE division).

    ``error_model="numpy"`` makes ``x / 0`` give infinity as CUDA does; fast-math stays off so
    that results are the same bits on every run.
    """
    return cast("Callable[P, R]", njit(cache=True, error_model="numpy", nogil=True)(function))


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a CPU loop over histories; it releases the GIL so that threads run side by side."""
    return cast(
        "Callable[..., Any]", njit(cache=True, error_model="numpy", nogil=True)(function)
    )

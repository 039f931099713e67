"""The decorators of compiled code: for scalar physics, for large routines, for loops.

Numba's cache looks only at the file a function stands in, not at the functions it calls: a
kernel would go on using old physics after a change elsewhere. So every cached function here
carries a stamp of all compiled sources, and any change compiles all of it anew.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

COMPILED_SOURCES = ("physics", "source", "transport")
"""Folders of the package whose functions are compiled together."""


@cache
def sources_stamp() -> str:
    """Hash of all compiled sources."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for folder in COMPILED_SOURCES:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _compile(function: Callable[..., Any], *, forceinline: bool = False) -> Callable[..., Any]:
    # Without reference counts: our kernels make no arrays, and counting those they are handed
    # costs an atomic operation per array and flight, on counters that all threads share.
    options: dict[str, Any] = {
        "error_model": "numpy", "nogil": True, "forceinline": forceinline, "_nrt": False,
    }  # fmt: skip
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # no place to write a cache: compile in every process
        return cast("Callable[..., Any]", njit(**options)(function))
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None:
        cache_file._source_stamp = sources_stamp()
    return cast("Callable[..., Any]", compiled)


def physics(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a scalar physics function (no allocation, no exceptions, IEEE division).

    ``error_model="numpy"`` makes ``x / 0`` give infinity as CUDA does; fast-math stays off so
    that results are the same bits on every run. Always inlined, so that records of arrays are
    not copied at every call.
    """
    return cast("Callable[P, R]", _compile(function, forceinline=True))


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a CPU loop over histories; it releases the GIL so that threads run side by side."""
    return _compile(function)


def routine(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of the transport that is too large to be inlined wherever it is called."""
    return cast("Callable[P, R]", _compile(function))

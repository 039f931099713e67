"""The kinds of training sets: a registry, filled by the modules that make them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milligray.errors import InputError

if TYPE_CHECKING:
    from milligray.dataset.patients import SampleSpec
    from milligray.dataset.settings import SetSettings

_MODULES = ("dose_maps", "organ_features", "slice_features", "source_kernels", "source_positions")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleArray:
    """One array of a sample.

    Parameters
    ----------
    values : ndarray
        Numbers or text.
    unit : str
        "" for what has none.
    description : str
    """

    values: npt.NDArray[Any]
    unit: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Inputs and targets of a network, with what they depend on.

    Parameters
    ----------
    arrays : mapping of str to SampleArray
    attributes : mapping
        Plain values: protocol, geometry, scale.
    statistics : mapping of str to float
        Uncertainty that was reached, by stated definitions.
    """

    arrays: Mapping[str, SampleArray]
    attributes: Mapping[str, Any]
    statistics: Mapping[str, float]


Build = Callable[["SampleSpec", int], Sample]
"""(sample, threads) -> Sample"""
Check = Callable[["SetSettings"], "SetSettings"]
"""Settings of a set -> the same, checked"""


def _as_they_are(settings: "SetSettings") -> "SetSettings":
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of training set.

    Parameters
    ----------
    name : str
    title : str
    voxel_size_mm : float [mm]
        Default of the transport grid.
    build : callable (SampleSpec, threads) -> Sample
    require : callable
        Raises MissingExtraError if an optional package is absent.
    voxel_precision : float
        Default of the mean relative standard deviation of voxels.
    needs_scan : bool
        Samples are CT scans, with a protocol.
    check : callable
        Settings with names in their usual spelling; raises InputError.
    """

    name: str
    title: str
    voxel_size_mm: float
    build: Build
    require: Callable[[], None]
    voxel_precision: float = 0.03
    needs_scan: bool = True
    check: Check = _as_they_are


_KINDS: dict[str, Kind] = {}


def register(
    name: str,
    *,
    title: str,
    voxel_size_mm: float,
    require: Callable[[], None] = lambda: None,
    voxel_precision: float = 0.03,
    needs_scan: bool = True,
    check: Check = _as_they_are,
) -> Callable[[Build], Build]:
    """Decorate the function that makes a sample of a kind."""

    def put(build: Build) -> Build:
        if name in _KINDS:
            raise ValueError(f"kind {name!r} is registered twice")
        _KINDS[name] = Kind(
            name=name, title=title, voxel_size_mm=voxel_size_mm, build=build, require=require,
            voxel_precision=voxel_precision, needs_scan=needs_scan, check=check,
        )  # fmt: skip
        return build

    return put


def list_kinds() -> tuple[Kind, ...]:
    """All kinds, by name."""
    for module in _MODULES:
        import_module(f"milligray.dataset.{module}")
    return tuple(_KINDS[name] for name in sorted(_KINDS))


def find_kind(name: str) -> Kind:
    """Kind by name.

    Raises
    ------
    InputError
        With the nearest name.
    """
    names = [kind.name for kind in list_kinds()]
    if name not in names:
        near = get_close_matches(name, names, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"no kind of training set named {name!r}{hint} There are:"
                         f" {', '.join(names)}")  # fmt: skip
    return _KINDS[name]


def per_value(values: object, unit: str, description: str, dtype: Any = np.float32) -> SampleArray:  # noqa: ANN401
    """Array of a sample in the dtype in which it is stored."""
    return SampleArray(
        values=np.ascontiguousarray(values, dtype=dtype), unit=unit, description=description
    )

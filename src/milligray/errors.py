"""The exception tree: each child also is the builtin it refines, so plain handlers work."""

import warnings


class MilligrayError(Exception):
    """Root of everything this package raises on purpose."""


class InputError(MilligrayError, ValueError):
    """A value given by the user is wrong; the message says which and how to mend it."""


class GeometryError(InputError):
    """Two grids, positions or orientations do not fit together."""


class FormatError(MilligrayError, ValueError):
    """A file is damaged, incomplete, or of a kind that is not supported."""


class TableRangeError(MilligrayError, LookupError):
    """A physical table was asked outside its range."""


class DeviceError(MilligrayError, RuntimeError):
    """The computing device asked for is not there."""


class StatisticsError(MilligrayError, RuntimeError):
    """The statistical goal was not met."""


class TransportError(MilligrayError, RuntimeError):
    """The Monte Carlo engine met a state that must not happen."""


class MissingExtraError(MilligrayError, ImportError):
    """An optional package is needed; the message names the extra to install."""


class MilligrayWarning(UserWarning):
    """Root of all warnings of this package."""


def warn(message: str, category: type[MilligrayWarning] = MilligrayWarning) -> None:
    """Issue a warning of this package, attributed to the caller of the caller."""
    warnings.warn(message, category, stacklevel=3)  # noqa: TID251 - the one allowed place

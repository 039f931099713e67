"""Optional packages of this stage, and the extras that bring them."""

from types import ModuleType

from milligray.errors import MissingExtraError


def load_pymedphys() -> ModuleType:
    """Load pymedphys; raises MissingExtraError."""
    try:
        import pymedphys  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "the gamma index needs pymedphys: pip install 'milligray[evaluate]'"
        ) from error
    module: ModuleType = pymedphys
    return module

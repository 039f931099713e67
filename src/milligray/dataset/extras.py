"""Optional packages of this stage, and the extras that bring them."""

from types import ModuleType

from milligray.errors import MissingExtraError


def load_h5py() -> ModuleType:
    """Load h5py; raises MissingExtraError."""
    try:
        import h5py  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "training sets are HDF5 files, which need h5py: pip install 'milligray[dataset]'"
        ) from error
    module: ModuleType = h5py
    return module

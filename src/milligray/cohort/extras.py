"""Optional packages of this stage, and the extras that bring them."""

from types import ModuleType

from milligray.errors import MissingExtraError


def require_parquet() -> None:
    """Make sure that ``cohort.parquet`` can be written; raises MissingExtraError."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "cohort.parquet needs pyarrow: pip install 'milligray[cohort]', or leave that table"
            " out with --no-parquet (cohort.csv holds the same)"
        ) from error


def load_distributed() -> ModuleType:
    """Load Dask's `distributed`; raises MissingExtraError."""
    try:
        import distributed  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "--scheduler needs Dask: pip install 'milligray[cluster]', on the workers too"
        ) from error
    return distributed

"""Optional packages of this stage, and the extras that bring them."""

from milligray.errors import MissingExtraError


def require_radiomics() -> None:
    """Make sure that radiomics features can be computed; raises MissingExtraError."""
    try:
        import radiomics  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "radiomics features need pyradiomics: pip install 'milligray[radiomics]'"
        ) from error

"""Spectra of these tests go to one temporary cache."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture(scope="session")
def spectrum_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spectrum_cache")


@pytest.fixture(autouse=True)
def _use_spectrum_cache(spectrum_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLIGRAY_CACHE", str(spectrum_cache))


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip("reference data beside the project (../shared/reference) are absent")
    return folder

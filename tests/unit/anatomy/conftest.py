"""Anatomies that several tests look at, made once."""

import pytest

from milligray.anatomy import Anatomy, AnatomyParameters, build_anatomy


@pytest.fixture(scope="session")
def man() -> Anatomy:
    """The reference man."""
    return build_anatomy(AnatomyParameters(sex="male"), spacing_mm=4.0)


@pytest.fixture(scope="session")
def woman() -> Anatomy:
    """The reference woman."""
    return build_anatomy(AnatomyParameters(sex="female"), spacing_mm=4.0)

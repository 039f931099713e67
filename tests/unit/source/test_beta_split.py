"""Allowed spectra: limits that are known, and the division of Cu-64."""

import numpy as np
import pytest

from milligray.source.beta_split import allowed_spectrum, end_of_mean_energy_kev
from milligray.source.nuclide import load_nuclide


@pytest.mark.parametrize(
    ("name", "particle", "end_kev", "daughter_z", "mass_number"),
    [
        ("C-11", "positron", 960.2, -5, 11),
        ("F-18", "positron", 633.5, -8, 18),
        ("P-32", "electron", 1710.7, 16, 32),
    ],
)
def test_allowed_spectrum_has_the_tabulated_mean(name, particle, end_kev, daughter_z, mass_number):
    energy = end_kev * (np.arange(1000) + 0.5) / 1000
    shape = allowed_spectrum(energy, end_kev, daughter_z, mass_number)
    lines = load_nuclide(name, progeny=False).lines(particle)
    assert shape @ energy / shape.sum() == pytest.approx(lines.mean_energy_kev, rel=5e-3)
    found = end_of_mean_energy_kev(lines.mean_energy_kev, daughter_z, mass_number)
    assert found == pytest.approx(end_kev, rel=6e-3)


def test_uncharged_nonrelativistic_limit():
    """Without charge, ``N ~ sqrt(E) (E0 - E)**2`` for ends far below the electron's rest energy."""
    energy = np.linspace(0.1, 0.9, 9)
    shape = allowed_spectrum(energy, 1.0, 0, 1)
    expected = np.sqrt(energy) * (1.0 - energy) ** 2
    assert shape / shape[0] == pytest.approx(expected / expected[0], rel=2e-3)


def test_copper_is_divided_by_sign():
    """Ends of Cu-64: beta- 579, beta+ 653 keV (ENSDF, A = 64); means 190.7 and 278.2 keV."""
    nuclide = load_nuclide("Cu-64")
    positrons = nuclide.lines("positron")
    assert positrons.total_yield == pytest.approx(0.174, abs=0.002)
    assert positrons.mean_energy_kev == pytest.approx(278.2, rel=0.01)
    electrons = nuclide.lines("electron")
    is_bin = np.diff(electrons.edges_kev)[:, 0] > 0
    yields = electrons.yields[is_bin]
    assert yields.sum() == pytest.approx(0.39, abs=0.006)
    mean = yields @ electrons.edges_kev[is_bin].mean(axis=1) / yields.sum()
    assert mean == pytest.approx(190.7, rel=0.01)
    # slow positrons are repelled, slow electrons are held back by the nucleus
    low = positrons.edges_kev[:, 1] < 20.0
    assert positrons.yields[low].sum() / positrons.total_yield < 0.005
    assert yields[electrons.edges_kev[is_bin][:, 1] < 20.0].sum() / yields.sum() > 0.03

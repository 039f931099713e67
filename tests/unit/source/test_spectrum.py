from pathlib import Path

import numpy as np
import pytest

from milligray.data.loader import load_csv
from milligray.errors import FormatError, InputError, TableRangeError
from milligray.source.spectrum import (
    Spectrum,
    air_mu_en_rho_cm2_g,
    aluminum_mu_per_cm,
    half_value_layer_mm_al,
    read_spectrum_csv,
)


def test_half_value_layer_of_a_line_is_ln2_over_mu():
    mu = aluminum_mu_per_cm(np.array([60.0]))[0]
    assert mu == pytest.approx(0.2778 * 2.699, rel=1e-3)
    expected = 10 * np.log(2) / mu
    assert half_value_layer_mm_al(Spectrum.monoenergetic(60.0)) == pytest.approx(expected)


def test_air_coefficients_pass_through_the_table():
    rows = [r for r in load_csv("nist/coefficients.csv") if r["material"] == "air"]
    energy = np.array([float(r["energy_kev"]) for r in rows])
    value = np.array([float(r["mu_en_rho_cm2_g"]) for r in rows])
    assert air_mu_en_rho_cm2_g(energy) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("energy", [9.9, 1001.0])
def test_air_coefficients_are_not_extrapolated(energy):
    with pytest.raises(TableRangeError):
        air_mu_en_rho_cm2_g(np.array([energy]))


def test_half_value_layer_refuses_soft_spectra():
    soft = Spectrum(edges_kev=np.array([5.0, 9.0, 20.0]), weights=np.array([1.0, 1.0]), name="soft")
    with pytest.raises(InputError, match="below 10 keV"):
        half_value_layer_mm_al(soft)


def test_own_spectrum_is_read(tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text("# measured\nenergy_kev,photons\n30,1\n\n40,3\n60,1\n")
    spectrum = read_spectrum_csv(path)
    assert spectrum.name == "mine"
    assert spectrum.edges_kev == pytest.approx([25, 35, 50, 70])
    assert spectrum.weights == pytest.approx([0.2, 0.6, 0.2])
    assert spectrum.half_value_layer_mm_al == pytest.approx(half_value_layer_mm_al(spectrum))


def test_own_soft_spectrum_has_no_half_value_layer(tmp_path: Path):
    path = tmp_path / "soft.csv"
    path.write_text("energy_kev,photons\n6,1\n8,1\n")
    assert read_spectrum_csv(path, name="soft").half_value_layer_mm_al is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "energy,photons\n30,1\n40,1\n",
        "energy_kev,photons\n30,one\n40,1\n",
        "energy_kev,photons\n30\n40,1\n",
        "energy_kev,photons\n40,1\n30,1\n",
        "energy_kev,photons\n40,1\n",
        "energy_kev,photons\n30,-1\n40,1\n",
        "energy_kev,photons\n30,0\n40,0\n",
        "energy_kev,photons\n1,1\n40,1\n",
    ],
)
def test_wrong_spectrum_files_are_refused(tmp_path: Path, text):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"wrong\.csv"):
        read_spectrum_csv(path)

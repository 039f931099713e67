"""Organ doses by S-values: energy is conserved, and mass scaling does what MIRD 21 says."""

import numpy as np
import pytest

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError, TableRangeError
from milligray.score.organ_level_mird import REMAINDER, mird_doses, sphere_dose
from milligray.score.s_values import SphereSValues, SValueTable

MASSES = {"liver": 1800.0, "kidney_left": 150.0, "muscle": 28000.0, "body": 70000.0}
NAMES = ("liver", "kidney_left", "muscle")
PER_DECAY = 1e6 * MGY_PER_KEV_PER_G
"""mGy g / (MBq s keV)."""


def _table(electron_kev=147.0, photon_kev=35.0, sigma=0.01):
    """Electrons stay where they are born; photons spread over the body alike."""
    sources = (*NAMES, "body")
    charged = np.zeros((3, 4))
    for k, name in enumerate(NAMES):
        charged[k, k] = electron_kev * PER_DECAY / MASSES[name]
        charged[k, 3] = electron_kev * PER_DECAY / MASSES["body"]
    photon = np.full((3, 4), photon_kev * PER_DECAY / MASSES["body"])
    return SValueTable(
        nuclide="Lu-177",
        phantom="toy",
        targets=NAMES,
        sources=sources,
        charged_mgy_per_mbq_s=charged,
        photon_mgy_per_mbq_s=photon,
        masses_g=MASSES,
        relative_uncertainty=np.full((3, 4), sigma),
    )


def test_energy_is_conserved():
    """All decays in the liver: sum of dose x mass of electrons is their energy."""
    doses = {d.organ: d for d in mird_doses({"liver": 1000.0}, _table(photon_kev=0.0))}
    energy = sum(d.dose_mgy * d.mass_g for d in doses.values())
    assert energy == pytest.approx(1000.0 * 147.0 * PER_DECAY)
    assert doses["liver"].self_dose_mgy == doses["liver"].dose_mgy


def test_contributions_add_up_linearly():
    one = mird_doses({"liver": 500.0}, _table())
    two = mird_doses({"kidney_left": 80.0}, _table())
    both = mird_doses({"liver": 500.0, "kidney_left": 80.0}, _table())
    for a, b, ab in zip(one, two, both, strict=True):
        assert ab.dose_mgy == pytest.approx(a.dose_mgy + b.dose_mgy)
        assert ab.dose_mgy == pytest.approx(sum(ab.contributions_mgy.values()))


def test_self_dose_scales_with_mass_cross_dose_does_not():
    tia = {"liver": 500.0, "kidney_left": 80.0}
    small = {"kidney_left": 75.0}
    for electron, photon, factor in ((147.0, 0.0, 2.0), (0.0, 35.0, 2.0 ** (2 / 3))):
        table = _table(electron, photon)
        plain = mird_doses(tia, table)[1]
        scaled = mird_doses(tia, table, patient_masses_g=small)[1]
        assert scaled.self_dose_mgy == pytest.approx(factor * plain.self_dose_mgy)
        assert scaled.contributions_mgy["liver"] == plain.contributions_mgy["liver"]
    assert any("mass of the phantom" in note for note in mird_doses(tia, _table())[0].notes)
    rough = mird_doses(tia, _table(), patient_masses_g={"kidney_left": 60.0})[1]
    assert any("rough" in note for note in rough.notes)


def test_remainder_is_the_body_without_the_named_sources():
    """Electrons of the rest give nothing to a named source organ, and all to the rest."""
    table = _table(photon_kev=0.0)
    doses = {
        d.organ: d for d in mird_doses({"liver": 0.0, REMAINDER: 1000.0}, table, whole_body="body")
    }
    assert doses["liver"].dose_mgy == pytest.approx(0.0, abs=1e-12)
    expected = 1000.0 * 147.0 * PER_DECAY / (MASSES["body"] - MASSES["liver"])
    assert doses["muscle"].dose_mgy == pytest.approx(expected)


def test_statistics_of_independent_sources():
    doses = mird_doses({"liver": 500.0, "kidney_left": 80.0}, _table(sigma=0.02))
    kidney = doses[1]
    parts = np.array(list(kidney.contributions_mgy.values()))
    expected = 0.02 * np.sqrt(np.sum(parts**2)) / parts.sum()
    assert kidney.statistical_uncertainty == pytest.approx(expected)


def _spheres():
    masses = np.array([0.1, 1.0, 10.0, 100.0])
    absorbed = 900.0 * np.array([0.7, 0.86, 0.94, 0.97]) * PER_DECAY
    photons = np.array([0.001, 0.003, 0.007, 0.015]) * 300.0 * PER_DECAY
    return SphereSValues(
        nuclide="Y-90",
        material="soft tissue",
        masses_g=masses,
        charged_mgy_per_mbq_s=absorbed / masses,
        photon_mgy_per_mbq_s=photons / masses,
        relative_uncertainty=0.005,
    )


def test_spheres_are_interpolated_in_absorbed_energy():
    spheres = _spheres()
    assert sum(spheres.at_mass_mgy_per_mbq_s(1.0)) == pytest.approx(
        (900.0 * 0.86 + 300.0 * 0.003) * PER_DECAY, rel=1e-12
    )
    charged, photon = spheres.at_mass_mgy_per_mbq_s(np.sqrt(10.0))
    fraction = charged * np.sqrt(10.0) / (900.0 * PER_DECAY)
    assert fraction == pytest.approx(np.sqrt(0.86 * 0.94))
    assert photon > 0
    assert spheres.mass_exponent(30.0) == pytest.approx(-1.0, abs=0.03)
    dose = sphere_dose("lesion", 50.0, 10.0, spheres)
    assert dose.dose_mgy == pytest.approx(50.0 * sum(spheres.at_mass_mgy_per_mbq_s(10.0)))
    assert "self-dose only" in dose.notes[0]


def test_nothing_is_extrapolated_or_guessed():
    with pytest.raises(TableRangeError, match=r"0\.1 to 100 g"):
        sphere_dose("lesion", 1.0, 200.0, _spheres())
    with pytest.raises(InputError, match="near names: kidney_left"):
        mird_doses({"kidney_lef": 1.0}, _table())
    with pytest.raises(InputError, match="whole body as source"):
        mird_doses({REMAINDER: 1.0}, _table())
    with pytest.raises(InputError, match=">= 0 MBq s"):
        mird_doses({"liver": -1.0}, _table())
    with pytest.raises(InputError, match="mass must be > 0"):
        mird_doses({"liver": 1.0}, _table(), patient_masses_g={"liver": 0.0})
    with pytest.raises(InputError, match="weigh more"):
        mird_doses(
            {"liver": 1.0, "muscle": 1.0, REMAINDER: 1.0},
            SValueTable(
                nuclide="x", phantom="x", targets=("liver",), sources=("liver", "muscle", "body"),
                charged_mgy_per_mbq_s=np.ones((1, 3)), photon_mgy_per_mbq_s=np.ones((1, 3)),
                masses_g={**MASSES, "body": 2e4}, relative_uncertainty=np.zeros((1, 3)),
            ),
            whole_body="body",
        )  # fmt: skip

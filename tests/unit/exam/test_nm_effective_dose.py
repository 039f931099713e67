"""Alphas count 20-fold in the effective dose of an exam, photons and electrons once."""

import numpy as np
import pytest

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.exam.nm_effective_dose import alpha_doses_mgy, exam_effective_dose
from milligray.report.nm_result import RegionKinetics
from milligray.score.dose import OrganDose, OrganDoses
from milligray.score.effective_dose import tissues_without_dose
from milligray.source.nuclide import load_nuclide
from milligray.transport.local_deposition import local_kev_per_decay


def one_organ(dose_mgy, mass_g=1000.0):
    row = OrganDose(
        organ="liver", mean_dose_mgy=dose_mgy, relative_uncertainty=0.0, volume_ml=mass_g / 1.06,
        mass_g=mass_g, fraction_in_image=1.0, method="local",
    )  # fmt: skip
    return OrganDoses(rows=(row,))


def decays_of(tia_mbq_s):
    return RegionKinetics(
        region="liver", times_s=np.array([3600.0]), activity_mbq=np.array([1.0]),
        curve_times_s=np.array([0.0]), curve_mbq=np.array([1.0]), tia_mbq_s=tia_mbq_s,
        tia_coefficient_s=np.nan, effective_half_life_s=np.nan, relative_uncertainty=0.0, method="",
    )  # fmt: skip


def test_nearly_all_of_an_alpha_emitters_own_dose_is_by_alphas():
    nuclide = load_nuclide("Ra-223")
    own = 1e6 * 1e6 * local_kev_per_decay(nuclide) * MGY_PER_KEV_PER_G / 1000.0
    part = alpha_doses_mgy(one_organ(own), [decays_of(1e6)], nuclide)["liver"]
    assert 0.9 * own < part < own  # 26 MeV of alphas, about 1 MeV of betas and electrons


def test_beta_emitters_have_no_such_part():
    assert alpha_doses_mgy(one_organ(1.0), [decays_of(1e3)], load_nuclide("Lu-177")) == {}


def test_effective_dose_of_an_alpha_emitter_is_weighted(monkeypatch):
    """A body of one organ that stands for all tissues: E is its equivalent dose."""
    import milligray.exam.nm_effective_dose as module

    told = {}
    monkeypatch.setattr(module, "tissues_without_dose", lambda *_: ())
    monkeypatch.setattr(module, "effective_dose", lambda _, **more: told.update(more))
    nuclide = load_nuclide("Ra-223")
    _, notes = exam_effective_dose(one_organ(1e6), [decays_of(1e3)], nuclide, "M", 5.0)
    assert told["alpha_dose_mgy"]["male"]["liver"] > 0
    assert any("20-fold" in note for note in notes)


def test_it_is_withheld_with_the_reason_where_tissues_are_missing():
    assert tissues_without_dose(one_organ(1.0).rows, "female")
    effective, notes = exam_effective_dose(
        one_organ(1.0), [decays_of(1.0)], load_nuclide("F-18"), None, None
    )
    assert effective is None
    assert "no effective dose" in notes[0]


@pytest.mark.parametrize("name", ["Ac-225", "Ra-223"])
def test_the_part_never_exceeds_the_dose(name):
    part = alpha_doses_mgy(one_organ(1e-9), [decays_of(1e6)], load_nuclide(name))
    assert part["liver"] <= 1e-9

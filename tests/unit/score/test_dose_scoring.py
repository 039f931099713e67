import math
from dataclasses import replace

import numpy as np
import pytest

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import InputError
from milligray.patient.phantoms import water_box
from milligray.score.dose_scoring import score_dose, score_organ_dose
from milligray.segment.organs import OrganMap
from milligray.transport.deposit import EnergyDeposit

BOX = water_box((40.0, 40.0, 40.0), voxel_size_mm=20.0, margin_voxels=1)
ENERGY = np.random.default_rng(1).uniform(0.1, 1.0, BOX.grid.shape)
BATCHES = np.array([[2.0, 4.0], [4.0, 4.0], [6.0, 4.0]])


def deposit(**changes) -> EnergyDeposit:
    given = {
        "grid": BOX.grid,
        "energy_kev": ENERGY,
        "relative_uncertainty": np.full(BOX.grid.shape, 0.1, dtype=np.float32),
        "organ_batches_kev_g": BATCHES,
        "organ_segments_kev_g": np.empty(0),
        "organ_mass_g": np.array([3.0, 5.0]),
        "organ_volume_ml": np.array([2.9, 5.1]),
        "organs": ("liver", "spleen"),
        "estimator": "track-length",
        "histories": 300,
        "batches": 3,
        "seed": 1,
        "seconds": 0.1,
        "threads": 1,
    }
    return EnergyDeposit(**(given | changes))


def organ_map(names=None) -> OrganMap:
    return OrganMap(
        grid=BOX.grid,
        labels=np.zeros(BOX.grid.shape, dtype=np.uint16),
        names=names or {4: "liver", 9: "spleen"},
        method="test",
        fraction_in_image={"liver": 0.5},
    )


def test_dose_is_energy_per_mass_in_milligray():
    dose = score_dose(deposit(), BOX, photons=1e9)
    k, j, i = 2, 1, 2
    joule = ENERGY[k, j, i] * 1e9 * 1.602176634e-16
    kilogram = 8e-3  # a voxel of 2 x 2 x 2 cm of water
    assert dose.dose_mgy[k, j, i] == pytest.approx(1e3 * joule / kilogram, rel=1e-6)
    assert (dose.unit, dose.method) == ("mGy", "monte-carlo:track-length")


def test_nothing_is_scored_outside_the_body():
    dose = score_dose(deposit(), BOX, photons=1e9)
    assert not dose.dose_mgy[~BOX.body].any()
    assert not dose.relative_uncertainty[~BOX.body].any()
    assert np.all(dose.dose_mgy[BOX.body] > 0)


def test_voxels_without_mass_hold_no_dose():
    hollow = BOX.density_g_cm3.copy()
    hollow[2, 2, 2] = 0.0
    dose = score_dose(deposit(), replace(BOX, density_g_cm3=hollow), photons=1.0)
    assert dose.dose_mgy[2, 2, 2] == 0.0
    assert np.all(np.isfinite(dose.dose_mgy))


def test_organ_dose_and_its_uncertainty_come_from_the_batches():
    table = score_organ_dose(score_dose(deposit(), BOX, photons=1e6), organ_map())
    liver, spleen = table.rows
    assert liver.mean_dose_mgy == pytest.approx(4.0 * 1e6 * MGY_PER_KEV_PER_G)
    assert liver.relative_uncertainty == pytest.approx(2.0 / np.sqrt(3.0) / 4.0)
    assert spleen.relative_uncertainty == 0.0
    assert (liver.mass_g, liver.volume_ml, liver.fraction_in_image) == (3.0, 2.9, 0.5)
    assert math.isnan(spleen.fraction_in_image)  # nobody said how much of it is in the image


def test_units_travel_with_the_dose():
    dose = score_dose(deposit(), BOX, photons=1.0, unit="mGy per 100 mAs")
    assert dose.unit == score_organ_dose(dose, organ_map()).unit == "mGy per 100 mAs"


def test_organs_that_were_not_scored_are_refused():
    nothing = deposit(
        organs=(), organ_batches_kev_g=np.empty((3, 0)), organ_mass_g=np.empty(0),
        organ_volume_ml=np.empty(0),
    )  # fmt: skip
    with pytest.raises(InputError, match="no organs were scored"):
        score_organ_dose(score_dose(nothing, BOX, photons=1.0), organ_map())


def test_an_organ_map_of_something_else_is_refused():
    dose = score_dose(deposit(), BOX, photons=1.0)
    with pytest.raises(InputError, match="spleen"):
        score_organ_dose(dose, organ_map({4: "liver"}))


@pytest.mark.parametrize("photons", [0.0, -1.0, math.nan])
def test_silly_numbers_of_photons_are_refused(photons):
    with pytest.raises(InputError, match="photons"):
        score_dose(deposit(), BOX, photons=photons)


def test_a_scale_must_be_given_once():
    with pytest.raises(InputError, match="either"):
        score_dose(deposit(), BOX)

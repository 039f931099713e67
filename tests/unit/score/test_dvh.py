import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap
from milligray.score.dvh import dose_volume_histogram, organ_dose_volume_histograms
from milligray.segment.organs import OrganMap
from milligray.volume import Grid


@given(
    dose=arrays(float, st.integers(1, 40), elements=st.floats(0, 1e3)),
    n_bins=st.integers(1, 50),
)
def test_histogram_falls_from_one_and_matches_its_definition(dose, n_bins):
    weights = np.linspace(1.0, 2.0, dose.size)
    bins, fraction = dose_volume_histogram(dose, weights, n_bins=n_bins)
    assert bins[0] == 0.0
    assert fraction[0] == 1.0
    assert np.all(np.diff(fraction) <= 0)
    assert fraction[-1] > 0
    expected = [weights[dose >= level].sum() / weights.sum() for level in bins]
    np.testing.assert_allclose(fraction, expected, rtol=1e-12)


def test_area_under_the_histogram_is_the_mean_dose():
    rng = np.random.default_rng(1)
    dose, weights = rng.gamma(3.0, size=5000), rng.random(5000)
    bins, fraction = dose_volume_histogram(dose, weights, n_bins=4000)
    area = np.trapezoid(fraction, bins)
    assert area == pytest.approx(np.average(dose, weights=weights), rel=1e-3)


def test_scaled_dose_gives_scaled_bins():
    rng = np.random.default_rng(1)
    dose, weights = rng.random(100), np.ones(100)
    bins, fraction = dose_volume_histogram(dose, weights)
    scaled_bins, scaled = dose_volume_histogram(4.0 * dose, 3.0 * weights)
    np.testing.assert_allclose(scaled_bins, 4.0 * bins)
    np.testing.assert_allclose(scaled, fraction)


def test_voxels_without_weight_do_not_count():
    bins, fraction = dose_volume_histogram(np.array([1.0, 99.0]), np.array([1.0, 0.0]))
    assert bins[-1] == 1.0
    assert fraction[-1] == 1.0


@pytest.mark.parametrize(
    ("dose", "weights"),
    [([], []), ([1.0], [0.0]), ([1.0], [1.0, 2.0]), ([-1.0], [1.0]), ([np.nan], [1.0]),
     ([1.0, 2.0], [1.0, -1.0])],
)  # fmt: skip
def test_bad_input_is_refused(dose, weights):
    with pytest.raises(InputError):
        dose_volume_histogram(np.array(dose), np.array(weights))


def test_noise_below_zero_counts_as_no_dose():
    """Monte Carlo of decays may leave single voxels below 0 when histories are few."""
    grid = Grid.from_spacing((1, 1, 4), (3.0, 3.0, 3.0))
    ones = np.ones(grid.shape)
    patient = Patient(
        grid=grid, density_g_cm3=ones, material_index=np.zeros(grid.shape), body=ones > 0,
        materials=(Material(name="water", mass_fractions={"H": 0.11, "O": 0.89}),),
    )  # fmt: skip
    organs = OrganMap(
        grid=grid, labels=np.ones(grid.shape), names={1: "liver"}, method="", fraction_in_image={}
    )
    dose = DoseMap(
        grid=grid, dose_mgy=np.array([-0.1, 1.0, 2.0, 4.0]).reshape(grid.shape),
        relative_uncertainty=ones, method="",
    )  # fmt: skip
    bins, fraction = organ_dose_volume_histograms(dose, organs, patient, n_bins=4)["liver"]
    assert bins.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert fraction.tolist() == [1.0, 0.75, 0.5, 0.25, 0.25]

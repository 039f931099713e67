import numpy as np
import pytest

from milligray.errors import GeometryError, InputError
from milligray.evaluate.gamma import GammaSettings, gamma_index
from milligray.evaluate.images import (
    compare_images,
    dose_mask,
    peak_signal_to_noise_db,
    structural_similarity,
)
from milligray.volume import Grid

GRID = Grid.from_spacing((11, 13, 15), (3.0, 2.0, 2.0))


def gaussian(shift_mm=0.0, grid=GRID, width_mm=9.0, center_mm=0.0):
    z, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    z, x = z - center_mm, x - center_mm - shift_mm
    return 10.0 * np.exp(-(z**2 + y**2 + x**2) / (2 * width_mm**2))


def flank(shift_mm=0.0):
    """Dose that falls by about 1 % a mm: searching in steps of 0.1 mm is then close to exact."""
    return gaussian(shift_mm, width_mm=60.0, center_mm=-40.0)


def brute_force_gamma(predicted, reference, grid, settings, rows):
    """Gamma by searching a dense lattice around each voxel, trilinear interpolation."""
    from scipy.interpolate import RegularGridInterpolator

    axes = [grid.axis_centers_mm(a) for a in range(3)]
    dose = RegularGridInterpolator(axes, predicted, bounds_error=False, fill_value=np.inf)
    reach, step = settings.distance_mm * settings.largest, settings.distance_mm / 10
    line = np.round(np.arange(-reach, reach + step / 2, step), 9)  # exactly 0: edges are inside
    offsets = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    offsets = offsets[np.sum(offsets**2, axis=1) <= (1 + 1e-9) * reach**2]
    near = np.sum(offsets**2, axis=1) / settings.distance_mm**2
    found = []
    for k, j, i in rows:
        here = np.array([axes[0][k], axes[1][j], axes[2][i]])
        allowed = settings.dose_difference * (
            reference.max() if settings.kind == "global" else reference[k, j, i]
        )
        off = (dose(here + offsets) - reference[k, j, i]) / allowed
        found.append(min(np.sqrt(np.min(near + off**2)), settings.largest))
    return np.array(found)


def test_equal_maps_agree_perfectly():
    r = gaussian()
    found = compare_images(r, r)
    assert found.values["mean_absolute_error"] == 0.0
    assert found.structural_similarity == pytest.approx(1.0)
    assert found.peak_signal_to_noise_db == np.inf
    gamma = gamma_index(r, r, GRID)
    assert gamma.pass_rate == 1.0
    assert np.all(gamma.gamma == 0.0)


def test_voxel_measures_of_a_scaled_map():
    r = gaussian()
    found = compare_images(1.05 * r, r)
    assert found.values["mean_relative_absolute_error"] == pytest.approx(0.05)
    assert found.values["mean_relative_error"] == pytest.approx(0.05)
    inside = r[dose_mask(r)]
    expected = 20 * np.log10(10.0 / (0.05 * np.sqrt(np.mean(inside**2))))
    assert found.peak_signal_to_noise_db == pytest.approx(expected)
    assert found.n_voxels == inside.size
    assert found.data_range == pytest.approx(10.0)


def test_similarity_and_peak_do_not_depend_on_the_unit():
    r, p = gaussian(), gaussian(1.5)
    assert structural_similarity(7 * p, 7 * r) == pytest.approx(structural_similarity(p, r))
    assert peak_signal_to_noise_db(7 * p, 7 * r) == pytest.approx(peak_signal_to_noise_db(p, r))
    assert 0 < structural_similarity(p, r) < 1


def test_mask_decides_what_is_judged():
    r = gaussian()
    p = np.where(r < 2.0, 2 * r, r)
    assert compare_images(p, r, r >= 2.0).values["mean_absolute_error"] == 0.0
    assert compare_images(p, r, r < 2.0).values["mean_relative_error"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="mask is empty"):
        compare_images(p, r, np.zeros_like(r, dtype=bool))
    with pytest.raises(GeometryError, match="one grid"):
        compare_images(p[1:], r)
    with pytest.raises(InputError, match="NaN"):
        compare_images(np.where(r > 9, np.nan, p), r)


@pytest.mark.parametrize("kind", ["global", "local"])
@pytest.mark.parametrize("predicted", [flank(0.8), 1.012 * flank(), 0.98 * flank(-0.5)])
def test_gamma_equals_its_brute_force_twin(kind, predicted):
    r = flank()
    settings = GammaSettings(kind=kind, subset=25)
    found = gamma_index(predicted, r, GRID, settings=settings)
    eligible = np.flatnonzero(r >= 0.1 * r.max())
    chosen = np.sort(np.random.default_rng(1).choice(eligible, 25, replace=False))
    rows = np.stack(np.unravel_index(chosen, r.shape), axis=1)
    twin = brute_force_gamma(predicted, r, GRID, settings, rows)
    assert found.n_eligible == eligible.size
    assert np.allclose(found.gamma, twin, rtol=0.02, atol=0.01)
    assert np.ptp(twin) > 0.1


def test_gamma_of_a_scaled_map_in_flat_dose_is_its_difference():
    r = np.full(GRID.shape, 5.0)
    for factor in (1.004, 0.993, 1.016):
        found = gamma_index(factor * r, r, GRID, settings=GammaSettings(subset=200))
        assert found.gamma == pytest.approx(np.full(200, abs(factor - 1) / 0.01))
        assert found.pass_rate == float(abs(factor - 1) <= 0.01)


def test_gamma_of_a_shifted_edge_is_at_most_its_shift():
    # dose changes along x only, by far more than 1 % per voxel
    x = GRID.axis_centers_mm(2)
    r = np.broadcast_to(100.0 - 3.0 * x, GRID.shape)
    p = np.broadcast_to(100.0 - 3.0 * (x - 0.5), GRID.shape)
    inner = np.zeros(GRID.shape, dtype=bool)
    inner[3:-3, 3:-3, 3:-3] = True
    gamma = gamma_index(p, r, GRID, mask=inner, settings=GammaSettings(subset=100)).gamma
    assert np.all(gamma <= 0.5 + 0.05)
    assert np.all(gamma > 0.3)


def test_local_gamma_is_stricter_and_the_subset_is_keyed_by_its_seed():
    r = gaussian()
    p = r + 0.06
    some = {
        kind: gamma_index(p, r, GRID, settings=GammaSettings(kind=kind, subset=300))
        for kind in ("global", "local")
    }
    assert some["local"].pass_rate < some["global"].pass_rate
    a, b, c = (
        gamma_index(p, r, GRID, settings=GammaSettings(subset=50, seed=s)).gamma for s in (1, 1, 2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_gamma_judges_the_mask_only():
    r = gaussian()
    p = np.where(r < 5.0, 3 * r, r)
    only = GammaSettings(subset=200, largest=1.5)
    assert gamma_index(p, r, GRID, mask=r > 8.0, settings=only).pass_rate == 1.0
    assert gamma_index(p, r, GRID, settings=only).pass_rate < 0.5


def test_gamma_refuses_what_it_cannot_judge():
    with pytest.raises(GeometryError, match="one grid"):
        gamma_index(np.ones((2, 2, 2)), gaussian(), GRID)
    with pytest.raises(InputError, match="nowhere above 0"):
        gamma_index(gaussian(), np.zeros(GRID.shape), GRID)
    with pytest.raises(InputError, match="global"):
        GammaSettings(kind="other")
    with pytest.raises(InputError, match="every voxel would pass"):
        GammaSettings(largest=1.0)

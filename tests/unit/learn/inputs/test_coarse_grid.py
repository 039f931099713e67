"""Averages conserve, interpolation is exact for planes, blurs have their width."""

import numpy as np
import pytest

from milligray.errors import GeometryError
from milligray.learn.inputs.coarse_grid import averaged, blurred, coarse_grid, interpolated
from milligray.volume import Grid

FINE = Grid.from_spacing((13, 17, 19), (3.0, 2.1, 2.7), origin_lps_mm=(5.0, -7.0, 11.0))


def test_averages_conserve_the_integral() -> None:
    grid = coarse_grid(FINE, 8.0)
    values = np.random.default_rng(1).random((2, *FINE.shape)).astype(np.float32)
    found = averaged(values, FINE, grid)
    assert found.shape == (2, *grid.shape)
    before = values.sum(axis=(1, 2, 3)) * FINE.voxel_volume_cm3
    after = found.sum(axis=(1, 2, 3)) * grid.voxel_volume_cm3
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_coarse_cubes_cover_the_grid() -> None:
    grid = coarse_grid(FINE, 8.0)
    np.testing.assert_allclose(grid.corner_lps_mm, FINE.corner_lps_mm)
    for axis in range(3):
        assert grid.shape[axis] * 8.0 >= FINE.shape[axis] * FINE.spacing_mm[axis] - 1e-6
        assert (grid.shape[axis] - 1) * 8.0 < FINE.shape[axis] * FINE.spacing_mm[axis]


def test_interpolation_is_exact_for_a_plane_between_the_centers() -> None:
    grid = coarse_grid(FINE, 6.0)

    def plane(on: Grid) -> np.ndarray:
        z, y, x = np.meshgrid(*(on.axis_centers_mm(a) for a in range(3)), indexing="ij")
        return 1.0 + 0.5 * z - 0.25 * y + 0.125 * x

    found = interpolated(plane(grid), grid, FINE)
    inside = np.ones(FINE.shape, dtype=bool)
    for axis in range(3):
        centers, coarse = FINE.axis_centers_mm(axis), grid.axis_centers_mm(axis)
        between = (centers >= coarse[0]) & (centers <= coarse[-1])
        inside &= between.reshape([-1 if a == axis else 1 for a in range(3)])
    np.testing.assert_allclose(found[inside], plane(FINE)[inside], rtol=1e-4)


@pytest.mark.parametrize("sigma", [8.0, 30.0])
def test_a_blur_keeps_the_integral_and_has_its_width(sigma: float) -> None:
    grid = Grid.from_spacing((61, 61, 61), (8.0, 8.0, 8.0))
    point = np.zeros(grid.shape, dtype=np.float32)
    point[30, 30, 30] = 1.0
    found = blurred(point, grid, sigma)
    assert found.sum() == pytest.approx(1.0, rel=1e-4)
    z = grid.axis_centers_mm(0)
    variance = float((found.sum(axis=(1, 2)) * z**2).sum())
    # the voxel's own width is added once
    assert variance == pytest.approx(sigma**2 + 8.0**2 / 12.0, rel=0.01)


def test_a_turned_grid_is_refused() -> None:
    affine = np.eye(4)
    affine[:3, :3] = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    with pytest.raises(GeometryError, match="axis-aligned"):
        coarse_grid(Grid(shape=(2, 2, 2), affine=affine), 8.0)

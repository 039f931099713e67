"""Closed forms of the EANM scheme against blurred spheres that are computed."""

from math import log, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from milligray.errors import InputError
from milligray.score.contour_uncertainty import (
    edge_share,
    recovery_slope,
    sphere_radius_mm,
    volume_relative_uncertainty,
)
from milligray.source.partial_volume import RecoveryCurve, sphere_recovery


def _profile(x, radius, sigma):
    """Uniform sphere blurred by a Gaussian, at distance x from its center."""
    s = sqrt(2.0) * sigma
    flat = 0.5 * (erf((radius - x) / s) + erf((radius + x) / s))
    edge = np.exp(-(((radius - x) / s) ** 2)) - np.exp(-(((radius + x) / s) ** 2))
    return flat - sigma / (x * sqrt(2 * pi)) * edge


@pytest.mark.parametrize("volume_ml", [0.5, 5.0, 150.0])
def test_recovery_is_the_integral_of_the_blurred_profile(volume_ml):
    radius, sigma = sphere_radius_mm(volume_ml), 10.0 / (2 * sqrt(2 * log(2)))
    inside, _ = quad(lambda x: 4 * pi * x * x * _profile(x, radius, sigma), 1e-9, radius)
    assert sphere_recovery(volume_ml, 10.0) == pytest.approx(
        inside / (4 / 3 * pi * radius**3), rel=1e-5
    )
    assert edge_share(volume_ml, 10.0) == pytest.approx(
        2 * _profile(radius, radius, sigma), rel=1e-9
    )


def test_recovery_of_a_sphere_made_of_voxels():
    n, radius, sigma = 61, 12.0, 4.0
    axis = np.arange(n) - n // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    sphere = (x**2 + y**2 + z**2 <= radius**2).astype(float)
    blurred = gaussian_filter(sphere, sigma)
    volume_ml = float(sphere.sum()) / 1e3
    expected = float(blurred[sphere > 0].sum() / sphere.sum())
    fwhm = sigma * 2 * sqrt(2 * log(2))
    assert sphere_recovery(volume_ml, fwhm) == pytest.approx(expected, rel=0.02)


def test_limits_of_size():
    assert sphere_recovery(1e6, 5.0) == pytest.approx(1.0, abs=0.02)
    assert sphere_recovery(1e-4, 10.0) < 1e-3
    assert sphere_recovery(10.0, 0.0) == 1.0
    assert edge_share(1e6, 5.0) == pytest.approx(1.0, abs=0.02)
    assert edge_share(1e-3, 20.0) < 0.02


def test_volume_uncertainty_is_that_of_edges_drawn_at_random():
    """Each of two edges: uniform within a voxel, and Gaussian with the sigma of the blur."""
    rng = np.random.default_rng(1)
    voxel, fwhm, volume_ml = 4.42, 8.0, 40.0
    diameter = 2 * sphere_radius_mm(volume_ml)
    n = 200_000
    edges = rng.uniform(-0.5, 0.5, (2, n)) * voxel
    edges += rng.normal(size=(2, n)) * fwhm / (2 * sqrt(2 * log(2)))
    spread = 3 * np.std(edges.sum(axis=0)) / diameter
    found = volume_relative_uncertainty(volume_ml, voxel_mm=voxel, fwhm_mm=fwhm)
    assert found == pytest.approx(spread, rel=0.01)
    voxels_only = volume_relative_uncertainty(
        volume_ml, voxel_mm=voxel, fwhm_mm=fwhm, is_manual=False
    )
    assert voxels_only == pytest.approx(3 * voxel / sqrt(6) / diameter)


def test_slope_of_measured_recovery():
    """Of R = 1 - 1 / (1 + (v / 3)**0.9): 0.9 / (1 + (v / 3)**0.9)."""
    volumes = np.geomspace(0.5, 200.0, 400)
    curve = RecoveryCurve(volume_ml=volumes, recovery=1 - 1 / (1 + (volumes / 3.0) ** 0.9))
    for volume in (0.5, 3.0, 40.0):
        expected = 0.9 / (1 + (volume / 3.0) ** 0.9)
        assert recovery_slope(curve, volume) == pytest.approx(expected, rel=0.05)


def test_bad_volumes_are_refused():
    with pytest.raises(InputError, match="volume"):
        sphere_radius_mm(0.0)
    with pytest.raises(InputError, match="voxel"):
        volume_relative_uncertainty(1.0, voxel_mm=0.0, fwhm_mm=5.0)

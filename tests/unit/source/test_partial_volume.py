"""Recovery of spheres against a numerical convolution and its limits; curves from files."""

import numpy as np
import pytest
from scipy import ndimage

from milligray.errors import FormatError, InputError
from milligray.source.partial_volume import (
    RecoveryCurve,
    partial_volume_note,
    read_recovery_curve,
    recovered,
    sphere_recovery,
)


@pytest.mark.parametrize(("radius_mm", "fwhm_mm"), [(6.0, 8.0), (12.0, 8.0), (20.0, 12.0)])
def test_recovery_agrees_with_a_convolved_sphere(radius_mm, fwhm_mm):
    """Sphere on a fine grid (with partial voxels), blurred by a Gaussian."""
    step = radius_mm / 12.0
    reach = radius_mm + 2.0 * fwhm_mm
    n = int(np.ceil(reach / step))
    axis = step * np.arange(-n, n + 1)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    distance = np.sqrt(x * x + y * y + z * z)
    sphere = np.clip((radius_mm - distance) / step + 0.5, 0.0, 1.0)
    blurred = ndimage.gaussian_filter(sphere, fwhm_mm / 2.3548200450309493 / step, truncate=6.0)
    numerical = float((blurred * sphere).sum() / sphere.sum())
    volume_ml = 4.0 / 3.0 * np.pi * radius_mm**3 * 1e-3
    assert sphere_recovery(volume_ml, fwhm_mm) == pytest.approx(numerical, abs=0.004)


def test_recovery_of_large_spheres_loses_a_skin():
    """For sigma << R the loss is the surface's: 1 - RC = 3 sigma / (R sqrt(pi))."""
    radius, sigma = 100.0, 1.0
    recovery = sphere_recovery(4.0 / 3.0 * np.pi * radius**3 * 1e-3, sigma * 2.3548200450309493)
    # mean distance of a displaced point across a flat surface: E|x|/2 per area, 3/R area per volume
    assert 1.0 - recovery == pytest.approx(3.0 / radius * sigma / np.sqrt(2.0 * np.pi), rel=0.01)
    assert sphere_recovery(10.0, 0.0) == 1.0
    assert sphere_recovery(1e-4, 20.0) < 1e-3


def test_note_names_the_smallest_first():
    note = partial_volume_note({"kidney_left": 150.0, "tumor": 4.0}, 10.0)
    assert note.index("tumor") < note.index("kidney_left")
    assert "not corrected" in note


def test_curve_is_read_interpolated_and_applied(tmp_path):
    path = tmp_path / "rc.toml"
    path.write_text('volume_ml = [1.0, 10.0, 100.0]\nrecovery = [0.3, 0.6, 0.9]\nname = "NEMA"\n')
    curve = read_recovery_curve(path)
    assert curve.at(10.0) == pytest.approx(0.6)
    assert curve.at(np.sqrt(10.0)) == pytest.approx(0.45)
    assert curve.at(5000.0) == 0.9
    with pytest.raises(InputError, match="smaller than the smallest"):
        curve.at(0.5)
    activity = np.full((3, 3, 3), 2.0)
    region = np.zeros((3, 3, 3), dtype=bool)
    region[1, 1, 1] = True
    out, note = recovered(activity, region, 10.0, curve)
    assert out[1, 1, 1] == pytest.approx(2.0 / 0.6)
    assert out[~region].sum() == 26 * 2.0
    assert "NEMA" in note


def test_faulty_curves_are_refused(tmp_path):
    for volumes, recoveries in (([2.0, 1.0], [0.1, 0.2]), ([1.0], [0.5]), ([1.0, 2.0], [0.5, 2.0])):
        with pytest.raises(InputError):
            RecoveryCurve(volume_ml=np.array(volumes), recovery=np.array(recoveries))
    path = tmp_path / "rc.toml"
    for text, error in (
        ("volume = [1]", InputError), ('volume_ml = "a"', InputError), ("= =", FormatError),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(error):
            read_recovery_curve(path)
    with pytest.raises(InputError):
        sphere_recovery(-1.0, 8.0)

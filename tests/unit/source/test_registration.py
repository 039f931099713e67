"""Rigid registration finds the displacement that was made, and is written down."""

import numpy as np
import pytest
from scipy import ndimage

from milligray.errors import FormatError, GeometryError, InputError
from milligray.source.registration import Registration, read_transform
from milligray.source.rigid_registration import register_rigid
from milligray.volume import Grid, Volume


def rotation(axis_deg):
    c, s = np.cos(np.deg2rad(axis_deg)), np.sin(np.deg2rad(axis_deg))
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return about_z @ about_x


def body(points):
    """CT numbers of an invented trunk: outline, spine, lungs, liver; no symmetry."""
    x, y, z = np.moveaxis(points, -1, 0)
    hu = np.full(x.shape, -1000.0)
    hu[(x / 90) ** 2 + (y / 60) ** 2 < 1] = 20.0
    hu[((x - 40) / 30) ** 2 + ((y + 5) / 35) ** 2 + ((z - 25) / 45) ** 2 < 1] = -750.0
    hu[((x + 42) / 28) ** 2 + ((y + 2) / 33) ** 2 + ((z - 30) / 40) ** 2 < 1] = -750.0
    hu[(x / 16) ** 2 + ((y - 38) / 14) ** 2 < 1] = 400.0
    hu[((x + 30) / 45) ** 2 + (y / 40) ** 2 + ((z + 45) / 30) ** 2 < 1] = 110.0
    return hu


def volume_of(matrix, grid, noise, seed):
    """The body moved so that a fixed point p shows in this image at matrix p."""
    points = grid.to_lps_mm(np.stack(np.indices(grid.shape), axis=-1))
    back = np.linalg.inv(matrix)
    hu = body(points @ back[:3, :3].T + back[:3, 3])
    hu = ndimage.gaussian_filter(hu, 0.6)
    hu += np.random.default_rng(seed).normal(0, noise, hu.shape)
    return Volume(grid=grid, values=hu.astype(np.float32))


def test_known_displacement_is_found_within_a_voxel():
    truth = np.eye(4)
    truth[:3, :3] = rotation(4.0)
    truth[:3, 3] = (7.0, -5.0, 9.0)
    fixed = volume_of(np.eye(4), Grid.from_spacing((40, 36, 48), (4.0, 4.0, 4.0)), 15.0, 1)
    moving = volume_of(truth, Grid.from_spacing((50, 44, 56), (3.5, 3.8, 3.8)), 25.0, 2)
    found = register_rigid(fixed, moving, fill=(-1000.0, -1000.0))
    assert found.method == "rigid"
    assert found.metric_value < found.initial_metric_value
    assert found.correlation > 0.95
    corners = np.array([[x, y, z] for x in (-70, 70) for y in (-45, 45) for z in (-60, 60)], float)
    for corner in corners:
        wanted = truth[:3, :3] @ corner + truth[:3, 3]
        got = found.matrix[:3, :3] @ corner + found.matrix[:3, 3]
        assert np.linalg.norm(got - wanted) < 1.5
    again = register_rigid(fixed, moving, fill=(-1000.0, -1000.0))
    np.testing.assert_allclose(found.matrix, again.matrix, atol=1e-9)


def test_images_that_have_nothing_in_common_are_refused():
    grid = Grid.from_spacing((30, 28, 32), (5.0, 5.0, 5.0))
    fixed = volume_of(np.eye(4), grid, 15.0, 1)
    noise = ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 500, grid.shape), 2.0)
    with pytest.raises(GeometryError, match=r"correlate by|did not improve|turns the patient"):
        register_rigid(fixed, Volume(grid=grid, values=noise.astype(np.float32)))


def test_images_that_already_fit_stay():
    grid = Grid.from_spacing((36, 30, 42), (4.5, 4.5, 4.5))
    fixed, moving = volume_of(np.eye(4), grid, 15.0, 1), volume_of(np.eye(4), grid, 15.0, 2)
    found = register_rigid(fixed, moving, fill=(-1000.0, -1000.0))
    assert np.linalg.norm(found.shift_mm(np.array([60.0, 40.0, 60.0]))) < 0.5
    assert found.rotation_deg < 0.5


def test_transform_files_are_read(tmp_path):
    import SimpleITK

    truth = np.eye(4)
    truth[:3, :3] = rotation(10.0)
    truth[:3, 3] = (1.0, 2.0, 3.0)
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(truth[:3, :3].ravel().tolist())
    transform.SetTranslation(truth[:3, 3].tolist())
    SimpleITK.WriteTransform(transform, str(tmp_path / "a.tfm"))
    np.savetxt(tmp_path / "b.csv", truth, delimiter=",")
    np.savetxt(tmp_path / "c.matrix", truth)
    for name in ("a.tfm", "b.csv", "c.matrix"):
        found = read_transform(tmp_path / name)
        np.testing.assert_allclose(found.matrix, truth, atol=1e-9)
        assert (found.method, found.file) == ("file", name)
    angle = np.arccos((np.trace(truth[:3, :3]) - 1) / 2)
    assert found.rotation_deg == pytest.approx(np.rad2deg(angle))


def test_what_does_not_conserve_activity_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="not rigid"):
        Registration(matrix=np.diag([1.1, 1.0, 1.0, 1.0]))
    with pytest.raises(GeometryError, match="not rigid"):
        Registration(matrix=np.diag([-1.0, 1.0, 1.0, 1.0]))
    (tmp_path / "a.tfm").write_text("nothing")
    with pytest.raises(FormatError, match="no transform"):
        read_transform(tmp_path / "a.tfm")
    (tmp_path / "a.csv").write_text("1,0,0\n")
    with pytest.raises(FormatError, match="4x4"):
        read_transform(tmp_path / "a.csv")
    with pytest.raises(InputError, match="does not exist"):
        read_transform(tmp_path / "none.tfm")


def test_registrations_one_after_the_other_are_the_product():
    first, second = np.eye(4), np.eye(4)
    first[:3, :3], first[:3, 3] = rotation(5.0), (1.0, 2.0, 3.0)
    second[:3, :3], second[:3, 3] = rotation(-8.0), (4.0, 0.0, -2.0)
    one = Registration(method="file", matrix=first)
    both = one.followed_by(Registration(method="rigid", matrix=second))
    point = np.array([10.0, -20.0, 30.0])
    middle = first[:3, :3] @ point + first[:3, 3]
    wanted = second[:3, :3] @ middle + second[:3, 3]
    np.testing.assert_allclose(point + both.shift_mm(point), wanted)
    assert both.method == "rigid"

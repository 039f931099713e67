"""A surface of heights stands at its knots, and follows mirroring and shifts."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.heights import Heights, make_heights
from milligray.anatomy.motion import Motion
from milligray.errors import InputError

X, Y = (-40.0, -20.0, 0.0, 20.0, 40.0), (-30.0, -10.0, 10.0, 30.0)
Z = (
    (0.0, 2.0, 1.0, 3.0, -4.0),
    (1.0, 12.0, 8.0, 15.0, -2.0),
    (2.0, 14.0, 9.0, 18.0, 0.0),
    (-6.0, 3.0, 2.0, 5.0, -8.0),
)
ENTRY = {"x": X, "y": Y, "z": Z}


def frame_at(x: tuple[float, ...] = X, y: tuple[float, ...] = Y) -> VoxelFrame:
    z = np.arange(-30.0, 31.0, 1.0)
    one, zero = np.ones(z.size), np.zeros(z.size)
    return VoxelFrame(zc=z, ax=one, bx=zero, ay=one, by=zero, y=np.array(y), x=np.array(x))


def field_of(shape: Heights, frame: VoxelFrame) -> np.ndarray:
    out = np.full(frame.shape, 1e3, dtype=np.float32)
    shape.join(out, frame, 100.0, 0.0)
    return out


def test_the_surface_stands_at_its_knots() -> None:
    frame = frame_at()
    values = field_of(make_heights(ENTRY, "add"), frame)
    expected = frame.zc[:, None, None] - np.array(Z)[None]
    np.testing.assert_allclose(values, expected, atol=0.05)


def test_between_its_knots_it_is_smooth_and_near_them() -> None:
    fine = tuple(np.arange(-40.0, 40.5, 1.0))
    frame = frame_at(x=fine)
    surface = -field_of(make_heights(ENTRY, "add"), frame)[30]  # at z = 0
    assert np.abs(np.diff(surface, axis=1)).max() < 3.0
    assert surface.max() < np.max(Z) + 4.0
    assert surface.min() > np.min(Z) - 4.0


def test_stiffness_is_the_slope_and_keeps_the_surface() -> None:
    stiff = {**ENTRY, "stiffness": np.full((4, 5), 2.0)}
    frame = frame_at()
    soft = field_of(make_heights(ENTRY, "add"), frame)
    hard = field_of(make_heights(stiff, "add"), frame)
    np.testing.assert_allclose(hard, 2.0 * soft, rtol=1e-5, atol=1e-4)


def test_mirrored_and_shifted_heights_have_the_moved_field() -> None:
    shape = make_heights(ENTRY, "add")
    frame = frame_at()
    here = field_of(shape, frame)
    np.testing.assert_allclose(field_of(shape.mirrored(), frame), here[:, :, ::-1], atol=0.05)
    shifted = shape.moved(Motion(np.eye(3), np.zeros(3), np.array([5.0, -3.0, 4.0])))
    there = field_of(shifted, frame_at(tuple(v + 5.0 for v in X), tuple(v - 3.0 for v in Y)))
    np.testing.assert_allclose(there, here - 4.0, atol=0.05)


def test_heights_cannot_be_turned_and_need_a_full_table() -> None:
    turned = Motion(Rotation.from_rotvec([0.0, 0.1, 0.0]).as_matrix(), np.zeros(3), np.zeros(3))
    with pytest.raises(InputError, match="cannot be turned"):
        make_heights(ENTRY, "add").moved(turned)
    with pytest.raises(InputError, match="4 rows of 5 values"):
        make_heights({**ENTRY, "z": Z[:3]}, "add")

"""Fields are distances near a surface, and follow their shapes when these are mirrored or moved."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.motion import Motion
from milligray.anatomy.shape_entries import make_shape
from milligray.anatomy.shapes import Shape


def _frame(half: float = 60.0, step: float = 2.0) -> VoxelFrame:
    axis = np.arange(-half + 0.5 * step, half, step)
    one, zero = np.ones(axis.size), np.zeros(axis.size)
    return VoxelFrame(zc=axis, ax=one, bx=zero, ay=one, by=zero, y=axis, x=axis)


def _field(shape: Shape, frame: VoxelFrame) -> np.ndarray:
    out = np.full(frame.shape, 1e3, dtype=np.float32)
    shape.join(out, frame, 30.0, 0.0)
    return out


def _points(frame: VoxelFrame) -> np.ndarray:
    z, y, x = np.meshgrid(frame.zc, frame.y, frame.x, indexing="ij")
    return np.stack([x, y, z], axis=-1)


def test_ball_is_its_distance() -> None:
    frame = _frame()
    shape = make_shape({"type": "ellipsoid", "center": [5, -3, 2], "radii": [25, 25, 25]})
    exact = np.linalg.norm(_points(frame) - [5, -3, 2], axis=-1) - 25.0
    near = np.abs(exact) < 15.0
    assert np.abs(_field(shape, frame) - exact)[near].max() < 1e-3


def test_straight_tube_is_the_distance_to_its_axis() -> None:
    frame = _frame()
    shape = make_shape({"type": "tube", "points": [[0, 0, -30, 10], [0, 0, 0, 10], [0, 0, 30, 10]]})
    p = _points(frame)
    beyond = np.maximum(np.abs(p[..., 2]) - 30.0, 0.0)
    exact = np.sqrt(p[..., 0] ** 2 + p[..., 1] ** 2 + beyond**2) - 10.0
    near = np.abs(exact) < 10.0
    assert np.abs(_field(shape, frame) - exact)[near].max() < 1e-3


def test_ellipsoid_distance_is_right_to_first_order_at_its_surface() -> None:
    frame = _frame(step=1.5)
    radii = np.array([40.0, 25.0, 15.0])
    values = _field(
        make_shape({"type": "ellipsoid", "center": [0, 0, 0], "radii": list(radii)}), frame
    )
    volume = np.count_nonzero(values < 0.0) * 1.5**3
    assert volume == pytest.approx(4.0 / 3.0 * np.pi * radii.prod(), rel=0.01)
    grown = np.count_nonzero(values < 2.0) * 1.5**3
    # Steiner: the shell of 2 mm holds about its area times 2 mm and its mean width's share
    area = (
        4.0
        * np.pi
        * np.mean([(radii[a] * radii[b]) ** 1.6075 for a, b in ((0, 1), (0, 2), (1, 2))])
        ** (1 / 1.6075)
    )
    mean_width = 4.0 * np.pi * 4.0 * radii.mean()
    assert grown - volume == pytest.approx(2.0 * area + mean_width, rel=0.04)


ENTRIES = {
    "ellipsoid": {
        "type": "ellipsoid", "center": [20, 5, 3], "radii": [12, 20, 8], "turn": [20, 30, 40],
    },
    "boxy": {"type": "ellipsoid", "center": [20, 5, 3], "radii": [12, 20, 8], "power": 4.0},
    "tube": {"type": "tube", "points": [[10, 0, -20, 5], [25, 8, 0, 8], [15, -5, 22, 4]]},
    "strap": {
        "type": "tube", "points": [[10, 0, -20, 8], [25, 8, 0, 8], [15, -5, 22, 8]],
        "flat": 0.5, "normal": [0.6, 0.8, 0.0],
    },
    "sheet": {
        "type": "sheet",
        "points": [[[5, -10, -15, 6], [20, -12, -12, 6]], [[8, 12, 14, 6], [24, 10, 18, 6]]],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_mirrored_shape_has_the_mirrored_field(name: str) -> None:
    frame = _frame()
    shape = make_shape(ENTRIES[name])
    here, there = _field(shape, frame), _field(shape.mirrored(), frame)
    np.testing.assert_allclose(there, here[:, :, ::-1], atol=2e-3)


@pytest.mark.parametrize("name", ENTRIES)
def test_turned_shape_keeps_its_volume(name: str) -> None:
    frame = _frame(step=1.5)
    shape = make_shape(ENTRIES[name])
    motion = Motion(
        Rotation.from_rotvec([0.3, -0.7, 0.4]).as_matrix(), np.zeros(3), np.array([2.0, -4.0, 1.0])
    )
    before = np.count_nonzero(_field(shape, frame) < 0.0)
    after = np.count_nonzero(_field(shape.moved(motion), frame) < 0.0)
    assert after == pytest.approx(before, rel=0.03)


def test_growth_of_a_field_is_a_shift_of_its_surface() -> None:
    frame = _frame(step=1.5)
    shape = make_shape(ENTRIES["tube"])
    values = _field(shape, frame)
    thicker = make_shape(
        {
            **ENTRIES["tube"],
            "points": [[x, y, z, r + 2] for x, y, z, r in ENTRIES["tube"]["points"]],
        }
    )
    grown = np.count_nonzero(values < 2.0)
    assert grown == pytest.approx(np.count_nonzero(_field(thicker, frame) < 0.0), rel=0.01)

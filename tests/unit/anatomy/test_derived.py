"""Shells have their thickness; furrows only take away, and only near the surface."""

import numpy as np
import pytest

from milligray.anatomy.derived import SOLID_MM, Furrows, Shell
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.shape_entries import make_shape

STEP = 1.5
BALL = make_shape({"type": "ellipsoid", "center": [3, -2, 1], "radii": [20, 20, 20]})


def frame_of(half: float = 39.0, step: float = STEP) -> VoxelFrame:
    axis = np.arange(-half + 0.5 * step, half, step)
    one, zero = np.ones(axis.size), np.zeros(axis.size)
    return VoxelFrame(zc=axis, ax=one, bx=zero, ay=one, by=zero, y=axis, x=axis)


def away_from(frame: VoxelFrame, point: tuple[float, float, float]) -> np.ndarray:
    z, y, x = np.meshgrid(frame.zc, frame.y, frame.x, indexing="ij")
    return np.sqrt((x - point[0]) ** 2 + (y - point[1]) ** 2 + (z - point[2]) ** 2)


def field_of(shape: Shell, frame: VoxelFrame) -> np.ndarray:
    out = np.full(frame.shape, 1e3, dtype=np.float32)
    shape.join(out, frame, 30.0, 0.0)
    return out


@pytest.mark.parametrize(("inner", "outer"), [(0.0, 5.0), (-4.0, 0.0), (2.0, 8.0), (-6.0, 3.0)])
def test_a_shell_lies_between_its_distances(inner: float, outer: float) -> None:
    frame = frame_of()
    shell = Shell("add", (BALL,), 0.0, inner, outer)
    r = away_from(frame, (3, -2, 1)) - 20.0
    np.testing.assert_array_equal(field_of(shell, frame) < -1e-3, (r > inner) & (r < outer))
    low, high = shell.bounds()
    np.testing.assert_allclose(high - low, 2 * (20.0 + outer))


def test_a_shell_without_a_hollow_is_a_larger_body() -> None:
    frame = frame_of()
    larger = make_shape({"type": "ellipsoid", "center": [3, -2, 1], "radii": [25, 25, 25]})
    expected = np.full(frame.shape, 1e3, dtype=np.float32)
    larger.join(expected, frame, 30.0, 0.0)
    solid = field_of(Shell("add", (BALL,), 0.0, SOLID_MM, 5.0), frame)
    np.testing.assert_array_equal(solid < 0.0, expected < 0.0)


def test_a_mirrored_shell_has_the_mirrored_field() -> None:
    frame = frame_of()
    shell = Shell("add", (BALL,), 0.0, 0.0, 4.0)
    np.testing.assert_allclose(
        field_of(shell.mirrored(), frame), field_of(shell, frame)[:, :, ::-1], atol=2e-3
    )


FURROWS = Furrows(
    center_mm=np.zeros(3),
    radius_mm=30.0,
    period_mm=24.0,
    width_mm=3.0,
    depth_mm=9.0,
    smooth_center_mm=np.array([0.0, 0.0, -30.0]),
    smooth_radii_mm=np.array([25.0, 25.0, 15.0]),
)


def furrowed(furrows: Furrows, frame: VoxelFrame) -> tuple[np.ndarray, np.ndarray]:
    before = (away_from(frame, (0, 0, 0)) - 30.0).astype(np.float32)
    after = before.copy()
    furrows.join(after, frame, 20.0, 0.0)
    return before, after


def test_furrows_only_take_away_and_no_deeper_than_their_depth() -> None:
    frame = frame_of()
    before, after = furrowed(FURROWS, frame)
    assert np.all(after >= before)
    lost = (before < 0.0) & (after >= 0.0)
    assert 0.02 < np.count_nonzero(lost) / np.count_nonzero(before < 0.0) < 0.4
    assert before[lost].min() > -FURROWS.depth_mm


def test_furrows_narrow_with_depth() -> None:
    before, after = furrowed(FURROWS, frame_of())
    shares = []
    for depth in (1.0, 3.0, 5.0, 7.0):
        layer = (before < 1.0 - depth) & (before > -1.0 - depth)
        shares.append(np.mean(after[layer] >= 0.0))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2.0 * shares[-1]


def test_the_smooth_part_keeps_its_surface() -> None:
    frame = frame_of()
    before, after = furrowed(FURROWS, frame)
    z, y, x = np.meshgrid(frame.zc, frame.y, frame.x, indexing="ij")
    smooth = (x / 25.0) ** 2 + (y / 25.0) ** 2 + ((z + 30.0) / 15.0) ** 2 < 0.999
    np.testing.assert_array_equal(after[smooth], before[smooth])


def test_mirrored_furrows_are_the_mirror_image() -> None:
    frame = frame_of()
    _, here = furrowed(FURROWS, frame)
    _, there = furrowed(FURROWS.mirrored(), frame)
    np.testing.assert_allclose(there, here[:, :, ::-1], atol=1e-3)

"""The core is the deepest part; gas lies in front of what else is in it."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.anatomy.blueprint import Structure
from milligray.anatomy.core import SHAFT_CORTEX, core_of, gas_of, thinned
from milligray.anatomy.frame import VoxelFrame
from milligray.anatomy.shape_entries import make_shape

AXIS = np.arange(-29.0, 30.0, 2.0)
BALL = Structure(
    name="stomach",
    shapes=(make_shape({"type": "ellipsoid", "center": [0, 0, 0], "radii": [25, 25, 25]}),),
    tissue="bowel_wall",
    core="stomach_content",
    cortex_mm=4.0,
)


@pytest.fixture(scope="module")
def frame() -> VoxelFrame:
    one, zero = np.ones(AXIS.size), np.zeros(AXIS.size)
    return VoxelFrame(zc=AXIS, ax=one, bx=zero, ay=one, by=zero, y=AXIS, x=AXIS)


def test_the_core_has_its_share_and_is_the_deepest_part(frame: VoxelFrame) -> None:
    values = BALL.field(frame)
    taken = values < 0.0
    core = core_of(BALL, values, taken, 0.0, 0.6)
    assert core is not None
    assert not np.any(core & ~taken)
    assert np.count_nonzero(core) == pytest.approx(0.6 * np.count_nonzero(taken), rel=0.03)
    assert values[core].max() < values[taken & ~core].min()


def test_without_a_share_the_cortex_has_its_thickness(frame: VoxelFrame) -> None:
    values = BALL.field(frame)
    core = core_of(BALL, values, values < 0.0, 0.0, None)
    np.testing.assert_array_equal(core, values < -4.0)


def test_what_has_no_core_has_none_and_a_share_of_nothing_is_empty(frame: VoxelFrame) -> None:
    values = BALL.field(frame)
    taken = values < 0.0
    assert core_of(replace(BALL, core=""), values, taken, 0.0, 0.5) is None
    nothing = core_of(BALL, values, taken, 0.0, 0.0)
    assert nothing is not None
    assert not nothing.any()


def test_gas_has_its_volume_and_rises_to_the_front(frame: VoxelFrame) -> None:
    values = BALL.field(frame)
    core = core_of(BALL, values, values < 0.0, 0.0, 0.6)
    assert core is not None
    gas = gas_of(values, core, frame, 500.0)
    assert np.count_nonzero(gas) == pytest.approx(500, abs=5)
    assert not np.any(gas & ~core)
    y = np.broadcast_to(frame.y[None, :, None], frame.shape)
    assert y[gas].mean() < y[core & ~gas].mean() - 10.0


def test_the_cortex_is_thicker_in_the_shaft_by_its_factor() -> None:
    values = np.array([-6.0, -6.0, 3.0])
    shaft = np.array([-50.0, 50.0, 50.0])
    np.testing.assert_allclose(thinned(values, 0.0, shaft), [-6.0 / SHAFT_CORTEX, -6.0, 3.0])

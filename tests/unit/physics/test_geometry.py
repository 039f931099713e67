import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from milligray.physics.geometry import distance_to_box_cm, rotate, sincos_of_turn, voxel_of

POSITION = st.tuples(*[st.floats(-60.0, 60.0)] * 3)
EXTENT = st.tuples(*[st.floats(0.5, 40.0)] * 3)
UNIT_INTERVAL = st.floats(0.0, 1.0)
COMPONENT = st.one_of(st.floats(-1.0, 1.0), st.just(0.0))


@st.composite
def directions(draw):
    vector = np.array([draw(COMPONENT) for _ in range(3)])
    norm = np.linalg.norm(vector)
    assume(norm > 1e-3)
    return vector / norm


def depth_inside(point, extent):
    """How deep a point lies inside the box: negative outside."""
    return np.minimum(point, np.asarray(extent) - point).min(axis=-1)


@settings(max_examples=300)
@given(POSITION, directions(), EXTENT)
def test_distance_to_box_is_the_first_point_of_the_ray_inside(position, direction, extent):
    position = np.array(position)
    t = distance_to_box_cm(*position, *direction, *extent)
    steps = np.linspace(0.0, 250.0, 5001)
    if t < 0:
        assert t == -1.0
        ray = position + steps[:, None] * direction
        assert depth_inside(ray, extent).max() < 1e-6  # only grazes it at most
    else:
        assert depth_inside(position + t * direction, extent) > -1e-9
        before = position + steps[steps < t - 1e-9, None] * direction
        assert before.size == 0 or depth_inside(before, extent).max() < 1e-6
        if depth_inside(position, extent) > 0:
            assert t == 0.0


@given(EXTENT, st.tuples(*[st.floats(0.01, 0.99)] * 3), directions())
def test_a_ray_aimed_at_the_inside_hits(extent, share, direction):
    target = np.array(extent) * share
    t = distance_to_box_cm(*(target - 100.0 * direction), *direction, *extent)
    assert 0.0 < t <= 100.0


@given(POSITION, directions(), EXTENT)
def test_distance_to_box_compiled_and_interpreted_agree(position, direction, extent):
    arguments = *position, *(float(c) for c in direction), *extent
    assert distance_to_box_cm(*arguments) == distance_to_box_cm.py_func(*arguments)


@given(st.floats(-1.0, 31.0), st.integers(1, 60), st.floats(0.1, 2.0))
def test_voxel_is_inside_the_grid_and_holds_the_point(position, n_voxels, spacing):
    index = voxel_of(position, 1.0 / spacing, n_voxels)
    assert 0 <= index < n_voxels
    if 0.0 < position < n_voxels * spacing:
        assert index * spacing - 1e-12 <= position <= (index + 1) * spacing + 1e-12


def test_sine_and_cosine_of_a_turn_are_within_their_stated_error():
    xi = np.linspace(0.0, 1.0, 20_001)
    sine, cosine = np.array([sincos_of_turn(x) for x in xi]).T
    assert np.abs(sine - np.sin(2.0 * np.pi * xi)).max() < 4e-9
    assert np.abs(cosine - np.cos(2.0 * np.pi * xi)).max() < 4e-9


@settings(max_examples=300)
@given(directions(), st.floats(-1.0, 1.0), UNIT_INTERVAL)
def test_rotation_keeps_the_norm_and_the_polar_angle(direction, cos_polar, xi):
    new = np.array(rotate(*direction, cos_polar, xi))
    assert abs(np.linalg.norm(new) - 1.0) < 1e-14
    # within 1e-5 of the z axis the direction is taken as the axis itself
    transverse = 1.0 - direction[2] ** 2
    near_axis = transverse <= 1e-10
    # elsewhere the rounding of w counts for more the nearer the axis is
    tolerance = 2e-5 if near_axis else 3e-8 + 2.3e-16 / transverse
    assert abs(new @ direction - cos_polar) < tolerance


@given(directions(), st.floats(-0.99, 0.99))
def test_azimuth_goes_once_around(direction, cos_polar):
    new = np.array([rotate(*direction, cos_polar, xi) for xi in (np.arange(64) + 0.5) / 64])
    assert np.allclose(new.mean(axis=0), cos_polar * direction, atol=2e-5)
    across = new - new.mean(axis=0)
    steps = np.linalg.norm(across - np.roll(across, 1, axis=0), axis=1)
    chord = 2.0 * np.sin(np.pi / 64) * np.sqrt(1.0 - cos_polar**2)
    assert np.allclose(steps, chord, atol=1e-6)


@given(directions(), st.floats(-1.0, 1.0), UNIT_INTERVAL)
def test_rotation_compiled_and_interpreted_agree(direction, cos_polar, xi):
    arguments = *(float(c) for c in direction), cos_polar, xi
    assert np.allclose(rotate(*arguments), rotate.py_func(*arguments), rtol=0, atol=1e-14)

"""Flights through voxels against exp(-mu t). Bounds: false alarm below 1e-7 a test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from milligray.errors import InputError
from milligray.materials import cross_sections as xs
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.physics.interactions import grid_position
from milligray.physics.random import uniform4
from milligray.transport.monte_carlo.flight import (
    enter_box,
    march_flight,
    unpack_density,
    unpack_material,
    woodcock_flight,
)
from milligray.transport.monte_carlo.matter import pack_matter
from milligray.volume import Grid

ENERGY = 61.3
N = 200_000
MATERIALS = (
    load_material("water"),
    load_material("cortical_bone"),
    load_material("air"),
    Material(name="calcium", mass_fractions={"Ca": 1.0}),
)


def random_patient() -> Patient:
    """Voxels of 6 x 5 x 4 mm of everything from air to calcium, at random."""
    grid = Grid.from_spacing((9, 8, 7), (6.0, 5.0, 4.0))
    rng = np.random.default_rng(4)
    index = rng.integers(0, len(MATERIALS), grid.shape)
    density = np.array([1.0, 1.9, 0.0012, 1.5])[index] * rng.uniform(0.7, 1.1, grid.shape)
    return Patient(
        grid=grid,
        density_g_cm3=density,
        material_index=index,
        materials=MATERIALS,
        body=np.ones(grid.shape, dtype=bool),
    )


PATIENT = random_patient()
MATTER, TABLES = pack_matter(PATIENT, max_energy_kev=150.0)
EXTENT_CM = np.array([7 * 0.4, 8 * 0.5, 9 * 0.6])
SPACING_CM = np.array([0.4, 0.5, 0.6])
MU_PER_CM = (
    np.array([xs.mu_rho_cm2_g(m, ENERGY)[0] for m in MATERIALS])[PATIENT.material_index]
    * PATIENT.density_g_cm3
)
DIRECTIONS = [(0.0, 1.0, 0.0), (0.6, 0.0, -0.8), (-0.48, 0.64, 0.6), (1e-13, 0.0, 1.0)]


def paths_cm(start, direction, n: int = 60_001) -> np.ndarray:
    """Path in each voxel, by brute force: many small steps along the ray."""
    direction = np.array(direction)
    length = 2.0 * np.linalg.norm(EXTENT_CM)
    t = (np.arange(n) + 0.5) / n * length
    points = np.array(start) + t[:, None] * direction
    inside = np.all((points > 0) & (points < EXTENT_CM), axis=1)
    i, j, k = (points[inside] / SPACING_CM).astype(int).T
    paths = np.zeros(PATIENT.grid.shape)
    np.add.at(paths, (k, j, i), length / n)
    return paths


@njit
def fly(estimator, matter, tables, start, direction, energy, n, tally):
    row, fraction = grid_position(tables, energy)
    u, v, w = direction
    ends = np.empty((n, 4))
    for h in range(n):
        key, history = np.uint64(1), np.uint64(h)
        xi, _, _, _ = uniform4(key, history, 0)
        if estimator == 1:
            voxel, x, y, z = march_flight(
                matter, tables, tally, start[0], start[1], start[2], u, v, w, energy, row,
                fraction, -np.log(xi), True,
            )  # fmt: skip
        else:
            voxel, x, y, z, _ = woodcock_flight(
                matter, tables, start[0], start[1], start[2], u, v, w, row, fraction, key,
                history, 1,
            )  # fmt: skip
        ends[h, 0], ends[h, 1], ends[h, 2], ends[h, 3] = voxel, x, y, z
    return ends


def flights(estimator: int, start, direction) -> tuple[np.ndarray, np.ndarray]:
    tally = np.zeros(PATIENT.density_g_cm3.size)
    arguments = MATTER, TABLES, np.array(start), np.array(direction), ENERGY, N, tally
    return fly(estimator, *arguments), tally


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("estimator", [0, 1], ids=["woodcock", "march"])
def test_transmission_and_collisions_follow_the_attenuation_law(estimator, direction):
    start = EXTENT_CM * (0.4, 0.3, 0.5)
    ends, _ = flights(estimator, start, direction)
    depth = MU_PER_CM * paths_cm(start, direction)
    transmitted = np.exp(-depth.sum())
    count = np.count_nonzero(ends[:, 0] < 0)
    sigma = np.sqrt(N * transmitted * (1.0 - transmitted))
    assert abs(count - N * transmitted) < 5.5 * sigma + 3e-4 * N * transmitted
    # and the collisions: sorted along the ray, every voxel takes its share of what arrives
    collisions = np.bincount(ends[ends[:, 0] >= 0, 0].astype(int), minlength=depth.size)
    crossed = np.flatnonzero(depth)
    voxel_center = (np.stack(np.unravel_index(crossed, depth.shape), axis=1)[:, ::-1] + 0.5) * (
        SPACING_CM
    )
    order = crossed[np.argsort(voxel_center @ np.array(direction), kind="stable")]
    mean_place = (ends[ends[:, 0] >= 0, 1:] - start) @ np.array(direction)
    for voxel, tau in zip(order, depth.ravel()[order], strict=True):
        assert collisions[voxel] <= N * (1.0 - np.exp(-tau)) + 6.0 * np.sqrt(N)
    assert np.all(mean_place >= 0)
    assert collisions[depth.ravel() == 0].sum() <= 3  # brute force misses the thinnest corners


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_track_length_scores_energy_transfer_times_path_of_what_arrives(direction):
    start = EXTENT_CM * (0.4, 0.3, 0.5)
    _, tally = flights(1, start, direction)
    paths = paths_cm(start, direction)
    mu_tr = (
        np.array([xs.mu_tr_rho_cm2_g(m, ENERGY)[0] for m in MATERIALS])[PATIENT.material_index]
        * PATIENT.density_g_cm3
    )
    crossed = np.argwhere(paths > 1e-4)
    along = (crossed[:, ::-1] + 0.5) * SPACING_CM @ np.array(direction)
    expected, arriving = 0.0, 1.0
    for k, j, i in crossed[np.argsort(along)]:
        tau = MU_PER_CM[k, j, i] * paths[k, j, i]
        share = mu_tr[k, j, i] / MU_PER_CM[k, j, i]
        expected += N * ENERGY * arriving * (1.0 - np.exp(-tau)) * share
        arriving *= np.exp(-tau)
    assert tally.sum() == pytest.approx(expected, rel=0.01)  # 5.5 sigma is 0.6 % at most


def test_collisions_of_both_flights_are_spread_alike():
    start, direction = EXTENT_CM * (0.4, 0.3, 0.5), DIRECTIONS[2]
    woodcock, march = (flights(e, start, direction)[0] for e in (0, 1))
    size = PATIENT.density_g_cm3.size + 1
    a, b = (np.bincount(ends[:, 0].astype(int) + 1, minlength=size) for ends in (woodcock, march))
    used = a + b > 50
    chi2 = ((a - b)[used] ** 2 / (a + b)[used]).sum()
    assert chi2 < used.sum() + 5.5 * np.sqrt(2.0 * used.sum()) + 30.0


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.floats(0.001, 0.999)] * 3),
    st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda d: np.linalg.norm(d) > 0.01),
)
def test_march_ends_in_the_voxel_that_it_names(share, direction):
    start = EXTENT_CM * share
    direction = np.array(direction) / np.linalg.norm(direction)
    tally = np.zeros(PATIENT.density_g_cm3.size)
    ends = fly(1, MATTER, TABLES, start, direction, ENERGY, 50, tally)
    for voxel, *point in ends:
        if voxel < 0:
            on_face = min(np.abs(point).min(), np.abs(EXTENT_CM - point).min())
            assert on_face < 1e-9
            continue
        k, j, i = np.unravel_index(int(voxel), PATIENT.grid.shape)
        low = np.array([i, j, k]) * SPACING_CM
        assert np.all(point >= low - 1e-9)
        assert np.all(point <= low + SPACING_CM + 1e-9)


def test_empty_space_is_crossed_without_collision_or_score():
    empty = Patient(
        grid=PATIENT.grid,
        density_g_cm3=np.zeros(PATIENT.grid.shape),
        material_index=np.zeros(PATIENT.grid.shape),
        materials=MATERIALS[:1],
        body=np.ones(PATIENT.grid.shape, dtype=bool),
    )
    matter, tables = pack_matter(empty, max_energy_kev=150.0)
    tally = np.zeros(empty.density_g_cm3.size)
    ends = fly(1, matter, tables, EXTENT_CM * 0.5, np.array([0.6, 0.0, 0.8]), ENERGY, 100, tally)
    assert np.all(ends[:, 0] == -1)
    assert not tally.any()


def test_packed_voxels_keep_material_and_density():
    words = MATTER.voxels
    density = [unpack_density(word) for word in words]
    assert np.allclose(density, PATIENT.density_g_cm3.ravel(), atol=6e-7)
    assert [unpack_material(word) for word in words] == PATIENT.material_index.ravel().tolist()


def test_majorant_is_nowhere_exceeded():
    for row in range(0, MATTER.majorant.size, 7):
        mu = PATIENT.density_g_cm3 * TABLES.mu_rho[row, :, 0][PATIENT.material_index]
        assert mu.max() <= MATTER.majorant[row]


def test_entering_the_box_through_vacuum_and_air():
    row, fraction = grid_position(TABLES, ENERGY)
    start = np.array([-3.0, 2.0, 2.7])
    towards = 1.0, 0.0, 0.0
    assert enter_box(MATTER, TABLES, *start, *towards, row, fraction, 0.5)[0] == 1
    assert enter_box(MATTER, TABLES, *start, -1.0, 0.0, 0.0, row, fraction, 0.5)[0] == -1
    in_air, tables = pack_matter(PATIENT, max_energy_kev=150.0, ambient="air")
    mu = 1.205e-3 * xs.mu_rho_cm2_g(MATERIALS[2], ENERGY)[0]
    to_box = np.exp(-3.0 * mu)
    status, x, *_ = enter_box(in_air, tables, *start, *towards, row, fraction, 0.9 * to_box)
    assert (status, x) == (1, pytest.approx(0.0, abs=1e-12))
    status, x, *_ = enter_box(in_air, tables, *start, *towards, row, fraction, 0.5 + 0.5 * to_box)
    assert status == 0
    assert -3.0 < x < 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"ambient": "water"}, "ambient"), ({"max_energy_kev": 900.0}, "max_energy_kev")],
)
def test_matter_that_the_kernel_cannot_hold_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        pack_matter(PATIENT, **({"max_energy_kev": 150.0} | change))


def test_densities_above_those_of_metals_are_refused():
    heavy = Patient(
        grid=PATIENT.grid,
        density_g_cm3=np.full(PATIENT.grid.shape, 17.0),
        material_index=np.zeros(PATIENT.grid.shape),
        materials=MATERIALS[:1],
        body=np.ones(PATIENT.grid.shape, dtype=bool),
    )
    with pytest.raises(InputError, match="17 g/cm3"):
        pack_matter(heavy, max_energy_kev=150.0)

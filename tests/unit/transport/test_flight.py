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
from milligray.transport.monte_carlo import matter as packing
from milligray.transport.monte_carlo.flight import (
    enter_box,
    local_woodcock_flight,
    march_flight,
    woodcock_flight,
)
from milligray.transport.monte_carlo.matter import pack_matter, without_border
from milligray.transport.monte_carlo.voxels import unpack_density, unpack_material
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
SHAPE = PATIENT.grid.shape


def with_local_majorants():
    """Blocks of 2 x 2 x 3 voxels; the last ones reach beyond the box."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "LOCAL_PAYS", 0.0)
        patch.setattr(packing, "BLOCK_MM", 11.0)
        return pack_matter(PATIENT, max_energy_kev=150.0)


MATTER, TABLES = with_local_majorants()
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
                fraction, -np.log(xi),
            )  # fmt: skip
        elif estimator < 3:
            voxel, x, y, z, _ = woodcock_flight(
                matter, tables, tally, start[0], start[1], start[2], u, v, w, energy, row,
                fraction, key, history, 1, 0, estimator == 2,
            )  # fmt: skip
        else:
            voxel, x, y, z, _ = local_woodcock_flight(
                matter, tables, tally, start[0], start[1], start[2], u, v, w, energy, row,
                fraction, key, history, 1, 0, estimator == 4,
            )  # fmt: skip
        ends[h, 0], ends[h, 1], ends[h, 2], ends[h, 3] = voxel, x, y, z
    return ends


def flights(estimator: int, start, direction) -> tuple[np.ndarray, np.ndarray]:
    """Ends of flights (voxel of the patient's grid or -1, place), and what they scored there."""
    tally = np.zeros(MATTER.words.size)
    arguments = MATTER, TABLES, np.array(start), np.array(direction), ENERGY, N, tally
    ends = fly(estimator, *arguments)
    ends[:, 0] = patient_voxels(ends[:, 0])
    assert tally.sum() == pytest.approx(without_border(tally, SHAPE).sum(), rel=1e-12)
    return ends, without_border(tally, SHAPE)


def patient_voxels(cells: np.ndarray) -> np.ndarray:
    """Number of the voxel on the patient's grid, of a cell of the padded one; -1 stays."""
    k, j, i = np.unravel_index(np.maximum(cells, 0).astype(int), packing.padded_shape(SHAPE))
    inside = cells >= 0
    assert np.all(k[inside] > 0)
    voxels = np.full(cells.shape, -1)
    voxels[inside] = np.ravel_multi_index((k[inside] - 1, j[inside] - 1, i[inside] - 1), SHAPE)
    return voxels


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("estimator", [0, 1, 3], ids=["woodcock", "march", "local woodcock"])
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
@pytest.mark.parametrize("estimator", [1, 2, 4], ids=["track length", "tentative", "local"])
def test_flights_score_energy_transfer_times_path_of_what_arrives(estimator, direction):
    start = EXTENT_CM * (0.4, 0.3, 0.5)
    _, tally = flights(estimator, start, direction)
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
    # 5.5 sigma is 0.6 % at most for the track length; a tentative collision scores more at once
    assert tally.sum() == pytest.approx(expected, rel=0.01 if estimator == 1 else 0.02)


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
    tally = np.zeros(MATTER.words.size)
    ends = fly(1, MATTER, TABLES, start, direction, ENERGY, 50, tally)
    for voxel, point in zip(patient_voxels(ends[:, 0]), ends[:, 1:], strict=True):
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
    tally = np.zeros(matter.words.size)
    ends = fly(1, matter, tables, EXTENT_CM * 0.5, np.array([0.6, 0.0, 0.8]), ENERGY, 100, tally)
    assert np.all(ends[:, 0] == -1)
    assert not tally.any()


def test_packed_voxels_keep_material_and_density():
    words = without_border(MATTER.words, SHAPE).ravel()
    density = [unpack_density(word) for word in words]
    assert np.allclose(density, PATIENT.density_g_cm3.ravel(), atol=6e-7)
    assert [unpack_material(word) for word in words] == PATIENT.material_index.ravel().tolist()


def test_majorant_is_nowhere_exceeded():
    for row in range(0, MATTER.majorant.shape[0] - 1, 7):
        mu_rho = TABLES.mu_rho[row, :, 0]
        for fraction in (0.0, 0.4, 1.0):
            mu = (mu_rho[:, 0] + fraction * mu_rho[:, 1])[PATIENT.material_index]
            largest = MATTER.majorant[row, 0] + fraction * MATTER.majorant[row, 1]
            assert (PATIENT.density_g_cm3 * mu).max() <= largest


def test_majorants_of_the_blocks_are_nowhere_exceeded():
    block = np.kron(MATTER.block_level, np.ones((2, 2, 3), dtype=np.uint8))[:9, :8, :7]
    assert MATTER.block_level.shape == (5, 4, 3)
    assert np.unique(block).size > 1
    for row in range(0, MATTER.majorant.shape[0] - 1, 7):
        mu_rho = TABLES.mu_rho[row, :, 0]
        for fraction in (0.0, 0.4, 1.0):
            mu = (mu_rho[:, 0] + fraction * mu_rho[:, 1])[PATIENT.material_index]
            local = MATTER.level_majorant[block, row]
            assert np.all(PATIENT.density_g_cm3 * mu <= local[..., 0] + fraction * local[..., 1])


def test_local_majorants_are_taken_where_they_pay():
    """A speck of metal in a water box, against the box alone."""
    grid = Grid.from_spacing((30, 30, 30), (5.0, 5.0, 5.0))
    density = np.ones(grid.shape)
    for metal, expected in ((1.0, 0), (9.0, 6)):
        density[3, 4, 5] = metal
        patient = Patient(
            grid=grid, density_g_cm3=density, material_index=np.zeros(grid.shape),
            materials=MATERIALS[:1], body=np.ones(grid.shape, dtype=bool),
        )  # fmt: skip
        matter, _ = pack_matter(patient, max_energy_kev=150.0)
        assert matter.block_level.shape[0] == expected


def few_kinds(shape=(9, 10, 11)) -> tuple[Patient, np.ndarray]:
    """A phantom of labels, mostly in large pieces, and tally bins by label."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[2:7, 1:8, 3:] = 1
    labels[4:6, 2:5, 4:6] = 2
    labels[8] = 3
    patient = Patient(
        grid=Grid.from_spacing(shape, (6.0, 5.0, 4.0)),
        density_g_cm3=np.array([1.0, 1.9, 0.3, 1.0])[labels],
        material_index=np.array([0, 1, 0, 0])[labels],
        materials=MATERIALS[:2],
        body=labels >= 0,
    )
    return patient, labels.astype(np.int32)


@pytest.mark.parametrize("estimator", [0, 1, 2])
def test_kinds_of_voxels_fly_like_voxels(estimator, monkeypatch):
    """One byte a voxel and bricks: the same flights and scores as with a word a voxel."""
    patient, bins = few_kinds()
    plain, tables = pack_matter(patient, max_energy_kev=150.0, tally_bin=bins)
    monkeypatch.setattr(packing, "MIN_CLASSIFIED_VOXELS", 1)
    kinds, _ = pack_matter(patient, max_energy_kev=150.0, tally_bin=bins)
    assert plain.voxel_class.size == 0
    assert kinds.words.size == 5
    assert kinds.voxel_class.size == plain.words.size
    start = np.array([1.3, 1.1, 2.2])
    for direction in DIRECTIONS:
        tallies = np.zeros((2, 4))
        ends = [
            fly(estimator, matter, tables, start, np.array(direction), ENERGY, 2000, tally)
            for matter, tally in zip((plain, kinds), tallies, strict=True)
        ]
        assert np.array_equal(ends[0][:, 1:], ends[1][:, 1:])
        assert np.array_equal(ends[0][:, 0] < 0, ends[1][:, 0] < 0)
        assert np.allclose(tallies[0], tallies[1], rtol=1e-12)


def test_too_many_kinds_stay_voxels(monkeypatch):
    monkeypatch.setattr(packing, "MIN_CLASSIFIED_VOXELS", 1)
    bins = np.zeros(SHAPE, dtype=np.int32)
    matter, _ = pack_matter(PATIENT, max_energy_kev=150.0, tally_bin=bins)
    assert matter.voxel_class.size == 0  # every voxel has its own density


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
    [({"ambient": "water"}, "ambient"), ({"max_energy_kev": 3200.0}, "max_energy_kev")],
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

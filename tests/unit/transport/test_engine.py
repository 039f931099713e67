"""The engine's bookkeeping: batches, goals, threads. Laws of the dose stand in tests/property."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from scipy import stats

from milligray.errors import InputError
from milligray.patient.phantoms import water_box
from milligray.segment.mass_weights import organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.goal import MIN_BATCHES, batch_statistics
from milligray.transport.monte_carlo.regions import transport_to_regions

BOX = water_box((120.0, 120.0, 120.0), voxel_size_mm=20.0)
BEAM = FieldBeam(
    focal_spot_lps_mm=(0.0, -300.0, 0.0),
    field_center_lps_mm=(0.0, 0.0, 0.0),
    field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    field_size_mm=(100.0, 100.0),
    spectrum=Spectrum.monoenergetic(60.0),
)


def organ_map(labels: np.ndarray) -> OrganMap:
    names = {1: "front", 2: "back", 3: "small"}
    return OrganMap(
        grid=BOX.grid,
        labels=labels,
        names={label: names[label] for label in np.unique(labels[labels > 0])},
        method="test",
        fraction_in_image={},
    )


def halves() -> OrganMap:
    labels = np.ones(BOX.grid.shape, dtype=np.uint16)
    labels[:, 3:] = 2
    return organ_map(labels)


@pytest.mark.parametrize("estimator", ["track-length", "analogue"])
def test_same_seed_same_bits_for_any_number_of_threads(estimator):
    results = [
        transport_photons(
            BOX, BEAM, histories=20_000, seed=3, threads=n, estimator=estimator, organs=halves()
        )
        for n in (1, 2, 3)
    ]
    for other in results[1:]:
        assert np.array_equal(other.energy_kev, results[0].energy_kev)
        assert np.array_equal(other.relative_uncertainty, results[0].relative_uncertainty)
        assert np.array_equal(other.organ_batches_kev_g, results[0].organ_batches_kev_g)


def test_stopping_by_precision_does_not_depend_on_the_threads():
    results = [
        transport_photons(BOX, BEAM, precision=0.004, seed=3, threads=n, organs=halves())
        for n in (1, 3)
    ]
    assert results[0].batches == results[1].batches
    assert np.array_equal(results[0].energy_kev, results[1].energy_kev)


def test_another_seed_gives_another_sample():
    one, other = (transport_photons(BOX, BEAM, histories=5_000, seed=s) for s in (3, 4))
    assert not np.any(one.energy_kev == other.energy_kev)


def test_histories_are_rounded_up_to_whole_batches():
    deposit = transport_photons(BOX, BEAM, histories=10_001)
    assert deposit.batches >= MIN_BATCHES
    assert deposit.histories % deposit.batches == 0
    assert 10_001 <= deposit.histories < 10_001 + deposit.batches
    assert (deposit.seed, deposit.estimator, deposit.converged) == (1, "track-length", True)


def test_voxel_sums_and_uncertainties_are_those_of_the_batches():
    """Every voxel a region: the batches are known, so its statistics can be made by hand."""
    deposit = transport_photons(BOX, BEAM, histories=32_000, seed=5)
    every_voxel = scipy.sparse.identity(BOX.density_g_cm3.size, format="csr")
    regions = transport_to_regions(
        BOX, BEAM, every_voxel, precision=0.9, seed=5, batch_histories=1000, max_histories=32_000
    )
    assert regions.batches_kev.shape == (32, BOX.density_g_cm3.size)
    mean = regions.batches_kev.mean(axis=0)
    assert deposit.energy_kev.ravel() == pytest.approx(mean, rel=1e-9)
    spread = regions.batches_kev.std(axis=0, ddof=1) / np.sqrt(32)
    assert deposit.relative_uncertainty.ravel() == pytest.approx(spread / mean, rel=1e-5)


def test_overlapping_and_partial_regions_are_sums_of_their_voxels():
    n = BOX.density_g_cm3.size
    rng = np.random.default_rng(2)
    membership = scipy.sparse.csr_matrix(rng.uniform(0, 1, (3, n)) * (rng.uniform(size=n) < 0.3))
    some = transport_to_regions(
        BOX, BEAM, membership, precision=0.9, seed=5, batch_histories=500, max_histories=16_000
    )
    every = transport_to_regions(
        BOX, BEAM, scipy.sparse.identity(n, format="csr"), precision=0.9, seed=5,
        batch_histories=500, max_histories=16_000,
    )  # fmt: skip
    assert some.energy_kev == pytest.approx(membership @ every.energy_kev, rel=1e-9)


def test_a_membership_of_another_grid_is_refused():
    with pytest.raises(InputError, match="grid"):
        transport_to_regions(BOX, BEAM, scipy.sparse.csr_matrix((1, 7)), precision=0.1)


def test_batch_statistics_by_hand():
    mean, relative = batch_statistics(np.array([[1.0, 0.0], [3.0, 0.0]]))
    assert mean.tolist() == [2.0, 0.0]
    assert relative.tolist() == [0.5, 0.0]


def test_organ_dose_is_the_mass_weighted_mean_of_its_voxels():
    organs = halves()
    weights = organ_mass_weights(BOX, organs)
    deposit = transport_photons(BOX, BEAM, histories=20_000, organs=organs)
    assert deposit.organs == ("front", "back")
    for row, label in enumerate((1, 2)):
        inside = organs.labels == label
        kev_g = deposit.energy_kev[inside].sum() / BOX.mass_g[inside].sum(dtype=np.float64)
        assert deposit.organ_batches_kev_g[:, row].mean() == pytest.approx(kev_g, rel=1e-6)
        assert deposit.organ_mass_g[row] == pytest.approx(weights.mass_g[row])
        assert deposit.organ_mass_g[row] == pytest.approx(864.0, rel=1e-6)
    assert deposit.organ_volume_ml.tolist() == pytest.approx([864.0, 864.0])


def test_organ_uncertainty_holds_the_covariance_of_its_voxels():
    organs = halves()
    deposit = transport_photons(BOX, BEAM, histories=32_000, seed=5, organs=organs)
    voxels = transport_to_regions(
        BOX, BEAM, scipy.sparse.identity(BOX.density_g_cm3.size, format="csr"), precision=0.9,
        seed=5, batch_histories=1000, max_histories=32_000,
    )  # fmt: skip
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    for row, label in enumerate((1, 2)):
        inside = (organs.labels == label).ravel()
        covariance = np.cov(voxels.batches_kev[:, inside].T)
        energy = voxels.energy_kev[inside].sum()
        assert relative[row] == pytest.approx(np.sqrt(covariance.sum() / 32) / energy, rel=1e-6)


def test_precision_is_reached_and_said_so():
    states = []
    deposit = transport_photons(
        BOX, BEAM, precision=0.0015, organs=halves(), progress=states.append
    )
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    assert deposit.converged
    assert deposit.batches > MIN_BATCHES
    assert relative.max() <= 0.0015
    assert deposit.batches % 8 == 0
    assert states[-1].worst_organ == "back"
    assert states[-1].worst_relative_uncertainty == pytest.approx(relative.max())
    assert states[-1].histories == deposit.histories
    assert all(state.histories_goal is None for state in states)


def test_a_finer_goal_takes_more_histories():
    coarse, fine = (
        transport_photons(BOX, BEAM, precision=p, organs=halves()).histories for p in (0.01, 0.0015)
    )
    assert fine > coarse


@pytest.mark.parametrize("limit", [{"max_histories": 700_000}, {"max_seconds": 1e-6}])
def test_a_limit_ends_the_run_and_is_no_convergence(limit):
    deposit = transport_photons(BOX, BEAM, precision=1e-5, organs=halves(), **limit)
    assert not deposit.converged
    assert deposit.histories <= 720_000
    assert deposit.energy_kev.sum() > 0


def test_small_organs_do_not_hold_up_the_rest():
    labels = halves().labels.copy()
    labels[0, 0, 0] = 3  # 8 mL in the corner, outside the beam
    organs = organ_map(labels)
    deposit = transport_photons(BOX, BEAM, precision=0.003, organs=organs)
    _, relative = batch_statistics(deposit.organ_batches_kev_g)
    assert deposit.converged
    assert relative[2] > 0.003


def test_chosen_organs_are_judged():
    fewer, more = (
        transport_photons(
            BOX, BEAM, precision=0.0012, organs=halves(), precision_organs=np.array(judged)
        )
        for judged in ([True, False], [False, True])
    )
    for row, deposit in enumerate((fewer, more)):
        assert batch_statistics(deposit.organ_batches_kev_g)[1][row] <= 0.0012
    assert fewer.histories < more.histories  # the back half is the harder one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either histories or precision"),
        ({"histories": 1000, "precision": 0.1}, "either histories or precision"),
        ({"histories": 0}, "histories must be >= 1"),
        ({"histories": -5}, "histories must be >= 1"),
        ({"precision": 0.1}, "needs organs"),
        ({"precision": 0.0, "organs": True}, "between 0 and 1"),
        ({"precision": 1.5, "organs": True}, "between 0 and 1"),
        ({"histories": 1000, "estimator": "exponential"}, "estimator"),
        ({"histories": 1000, "seed": -1}, "seed"),
        ({"histories": 1000, "seed": 2**63}, "seed"),
        ({"histories": 1000, "ambient": "helium"}, "ambient"),
    ],
)
def test_silly_arguments_are_refused(arguments, message):
    if arguments.get("organs"):
        arguments = arguments | {"organs": halves()}
    with pytest.raises(InputError, match=message):
        transport_photons(BOX, BEAM, **arguments)


def test_organs_of_another_patient_are_refused():
    other = water_box((100.0, 100.0, 100.0), voxel_size_mm=20.0)
    weights = organ_mass_weights(
        other,
        OrganMap(
            grid=other.grid, labels=np.ones(other.grid.shape, dtype=np.uint16),
            names={1: "all"}, method="test", fraction_in_image={},
        ),
    )  # fmt: skip
    with pytest.raises(InputError, match="grid"):
        transport_photons(BOX, BEAM, histories=1000, organs=weights)


def test_estimated_sigma_is_the_spread_over_independent_seeds():
    """Ratio of variances against chi-square: two-sided chance 1e-6 for each of four blocks."""
    n_seeds = 100
    membership = np.zeros((4, *BOX.grid.shape))
    membership[0, :3, :3] = membership[1, 3:, 3:] = 1
    membership[2, :1] = membership[3, 2:4, 2:4, 2:4] = 1
    membership = scipy.sparse.csr_matrix(membership.reshape(4, -1))
    runs = [
        transport_to_regions(
            BOX, BEAM, membership, precision=0.9, seed=s, batch_histories=60, max_histories=1920
        )
        for s in range(n_seeds)
    ]
    means = np.array([run.energy_kev for run in runs])
    estimated = np.array([run.relative_uncertainty for run in runs]) * means
    ratio = means.var(axis=0, ddof=1) / (estimated**2).mean(axis=0)
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], n_seeds - 1) / (n_seeds - 1)
    assert np.all((ratio > low) & (ratio < high))


def test_uncertainty_falls_with_the_square_root_of_the_histories():
    """500 batches each: the log of the ratio spreads by sqrt(2 x 2 / 500) / 2 = 0.045."""
    whole = scipy.sparse.csr_matrix(np.ones((1, BOX.density_g_cm3.size)))
    few, many = (
        transport_to_regions(
            BOX, BEAM, whole, precision=1e-9, seed=1, batch_histories=n, max_histories=500 * n
        ).relative_uncertainty[0]
        for n in (40, 640)
    )
    assert abs(np.log(few / many / 4.0)) < 5.5 * 0.045


TWIN = """
import numpy as np
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.transport.monte_carlo.cpu import run_batch
from milligray.transport.monte_carlo.history import STACK_SHAPE
from milligray.transport.monte_carlo.matter import pack_matter
from milligray.volume import Grid

grid = Grid.from_spacing((3, 3, 3), (20.0, 20.0, 20.0))
index = np.arange(27).reshape(3, 3, 3) % 2
patient = Patient(
    grid=grid, density_g_cm3=1.0 + 0.9 * index, material_index=index, body=index >= 0,
    materials=(load_material("water"), load_material("cortical_bone")),
)
beam = FieldBeam(
    focal_spot_lps_mm=(0.0, -100.0, 0.0), field_center_lps_mm=(0.0, 0.0, 0.0),
    field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), field_size_mm=(50.0, 50.0),
    spectrum=Spectrum.monoenergetic(60.0),
)
matter, tables = pack_matter(
    patient, max_energy_kev=60.0, ambient="air", window_z_mm=(15.0, 25.0)
)
emission = beam.emission_tables(grid.corner_lps_mm)
for estimator in (0, 1, 2):
    tally = np.zeros(125)
    run_batch(
        estimator, 3, 100, 150, emission, matter, tables, np.zeros(STACK_SHAPE), tally
    )
    print(" ".join(f"{value:.12g}" for value in tally))
"""


def test_interpreted_histories_equal_compiled_ones():
    """The same code without Numba; single precision of the tables differs in the last bits."""
    outputs = []
    for disable in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": disable}
        done = subprocess.run(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-c", TWIN], env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        lines = done.stdout.strip().splitlines()
        outputs.append(np.array([[float(v) for v in line.split()] for line in lines]))
    compiled, interpreted = outputs
    assert compiled.shape == (3, 125)
    assert np.all(compiled.sum(axis=1) > 0)
    assert np.allclose(interpreted, compiled, rtol=1e-5, atol=1e-4)


def test_photons_that_make_pairs_are_refused():
    """This transport follows no positrons: two of their photons would be missing."""
    source = VoxelSource(
        grid=BOX.grid, emission=np.ones(BOX.grid.shape), spectrum=Spectrum.monoenergetic(1500.0)
    )
    with pytest.raises(InputError, match="transport_decays"):
        transport_photons(BOX, source, histories=1000)

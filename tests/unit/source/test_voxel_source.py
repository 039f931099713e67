"""Photons from the voxels of an image: where, in which direction, and how evenly."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from milligray.errors import InputError
from milligray.source.emission import emit
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.volume import Grid

GRID = Grid.from_spacing((4, 5, 6), (6.0, 5.0, 4.0), origin_lps_mm=(-30.0, 12.0, 7.0))
TURN = np.array([[0.8, 0.6, 0, 0], [-0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
TILTED = Grid(affine=TURN @ GRID.affine, shape=GRID.shape)
CORNER_MM = GRID.corner_lps_mm - np.array([10.0, 20.0, 30.0])
RNG = np.random.default_rng(8)
EMISSION = RNG.uniform(0, 1, GRID.shape) * (RNG.uniform(size=GRID.shape) < 0.4)
EMISSION[2] = 0.0
EMISSION[1, 3] = 0.0
N = 120_000
FALSE_ALARM = 1e-7


@njit
def emit_many(tables, seed, first, n):
    photons = np.empty((n, 7))
    for h in range(n):
        x, y, z, u, v, w, energy, _ = emit(tables, np.uint64(seed), np.uint64(first + h))
        photons[h] = x, y, z, u, v, w, energy
    return photons


def source(**changes) -> VoxelSource:
    given = {"grid": GRID, "emission": EMISSION, "spectrum": Spectrum.monoenergetic(140.5)}
    return VoxelSource(**(given | changes))


def photons(given: VoxelSource, *, seed=1, batch=0, n=N) -> tuple[np.ndarray, np.ndarray]:
    tables = given.emission_tables(CORNER_MM)._replace(batch_histories=n)
    found = emit_many(tables, seed, batch * n, n)
    return found[:, :3] * 10.0 + CORNER_MM, found[:, 3:]


def voxel_of(position: np.ndarray) -> np.ndarray:
    i, j, k = np.floor((position - GRID.corner_lps_mm) / np.array(GRID.spacing_mm[::-1])).T
    return np.ravel_multi_index((k.astype(int), j.astype(int), i.astype(int)), GRID.shape)


def unevenness(given: VoxelSource, *, batch: int, n: int) -> tuple[float, int]:
    """Chi-square of the photons from each voxel against its share, and degrees of freedom."""
    position, _ = photons(given, batch=batch, n=n)
    count = np.bincount(voxel_of(position), minlength=EMISSION.size)
    share = EMISSION.ravel() / EMISSION.sum()
    assert not count[share == 0].any()
    used = share > 0
    chi2 = ((count - n * share)[used] ** 2 / (n * share[used])).sum()
    return float(chi2), int(used.sum()) - 1


@pytest.mark.parametrize("is_stratified", [False, True])
def test_voxels_emit_their_share_and_no_other_does(is_stratified):
    chi2, freedom = unevenness(source(is_stratified=is_stratified), batch=0, n=N)
    assert stats.chi2.sf(chi2, freedom) > FALSE_ALARM


def test_a_stratified_source_is_more_even_than_chance():
    found = [unevenness(source(), batch=b, n=20_000) for b in range(30)]
    total, freedom = sum(chi2 for chi2, _ in found), 30 * found[0][1]
    assert stats.chi2.cdf(total, freedom) < FALSE_ALARM


@pytest.mark.parametrize("is_stratified", [False, True])
def test_directions_are_isotropic_and_independent_of_the_place(is_stratified):
    position, rest = photons(source(is_stratified=is_stratified))
    u, v, w = rest[:, :3].T
    assert np.allclose(u * u + v * v + w * w, 1.0)
    assert np.all(rest[:, 3] == 140.5)
    uniform = stats.uniform(-1.0, 2.0).cdf
    for cosine in (u, v, w):
        for half in (position[:, 0] < -18.0, position[:, 0] >= -18.0):
            assert stats.kstest(cosine[half], uniform).pvalue > FALSE_ALARM


@pytest.mark.parametrize("is_stratified", [False, True])
def test_places_are_uniform_within_a_voxel(is_stratified):
    one = np.zeros(GRID.shape)
    one[1, 2, 3] = 1.0
    position, _ = photons(source(emission=one, is_stratified=is_stratified), n=20_000)
    low = GRID.corner_lps_mm + np.array([3 * 4.0, 2 * 5.0, 6.0])
    for axis, size in enumerate((4.0, 5.0, 6.0)):
        within = (position[:, axis] - low[axis]) / size
        assert stats.kstest(within, "uniform").pvalue > FALSE_ALARM


def test_batches_of_a_stratified_source_are_independent():
    """Each batch is shifted by itself: the mean place wanders, and neighbours do not follow."""
    tables = source().emission_tables(CORNER_MM)._replace(batch_histories=64)
    mean = emit_many(tables, 3, 0, 64 * 2000)[:, 2].reshape(2000, 64).mean(axis=1)
    assert mean.std() > 0
    correlation = np.corrcoef(mean[:-1], mean[1:])[0, 1]
    assert abs(correlation) < 5.5 / np.sqrt(2000)
    random = source(is_stratified=False).emission_tables(CORNER_MM)._replace(batch_histories=64)
    other = emit_many(random, 3, 0, 64 * 2000)[:, 2].reshape(2000, 64).mean(axis=1)
    assert mean.std() < 0.5 * other.std()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emission": np.ones((2, 2, 2))}, "shape"),
        ({"emission": -EMISSION}, ">= 0"),
        ({"emission": np.full(GRID.shape, np.nan)}, "finite"),
        ({"emission": np.zeros(GRID.shape)}, "0 everywhere"),
        ({"grid": TILTED}, "axis-aligned"),
    ],
)  # fmt: skip
def test_sources_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        source(**changes)

"""Laws of the dose, whatever the patient: energy, symmetry, linearity, agreement of estimators.

Differences of two independent means are judged by Student's t; the bound of every test holds for
all of its entries together, with a false-alarm chance below 1e-6.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from milligray.errors import InputError
from milligray.materials.material import Material
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.patient.phantoms import water_box, water_cylinder
from milligray.score.dose_scoring import score_dose, score_organ_dose
from milligray.segment.organs import OrganMap
from milligray.source.beams import FieldBeam
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.regions import RegionDeposit, transport_to_regions
from milligray.volume import Grid

WATER, LUNG, BONE, AIR = (load_material(n) for n in ("water", "lung", "cortical_bone", "air"))
CALCIUM = Material(name="calcium", mass_fractions={"Ca": 1.0})
IODINE = Material(name="iodinated", mass_fractions={"H": 0.1, "O": 0.8, "I": 0.1})
SPECTRUM = Spectrum(
    edges_kev=np.linspace(20.0, 120.0, 11),
    weights=np.array([1.0, 3.0, 6.0, 7.0, 6.0, 4.0, 3.0, 2.0, 1.0, 0.5]),
    name="like 120 kV",
)


def beam(**changes) -> FieldBeam:
    given_values = {
        "focal_spot_lps_mm": (0.0, -400.0, 0.0),
        "field_center_lps_mm": (0.0, 0.0, 0.0),
        "field_axes": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),  # towards +y
        "field_size_mm": (140.0, 140.0),
        "spectrum": SPECTRUM,
    }
    return FieldBeam(**(given_values | changes))


def fan(**changes) -> CtSource:
    given_values = {
        "field": open_fan(focal_radius_mm=500.0, width_mm=200.0, height_mm=30.0, spectrum=SPECTRUM),
        "isocenter_lps_mm": (0.0, 0.0),
        "z_bins_mm": np.array([[-40.0, 0.0], [0.0, 40.0]]),
        "z_weights": np.ones(2),
        "rotations": 2.0,
        "feed_mm": 30.0,
        "collimation_mm": 30.0,
        "start_angle_rad": None,
        "mode": "helical",
    }
    return CtSource(**(given_values | changes))


def mixed_patient() -> Patient:
    """24^3 voxels of 6 mm: water with lung, bone, an air cavity, calcium and contrast medium."""
    grid = Grid.from_spacing((24, 24, 24), (6.0, 6.0, 6.0))
    index = np.zeros(grid.shape, dtype=np.uint8)
    index[2:14, 6:18, 2:10] = 1
    index[:, 18:21, 9:15] = 2
    index[16:22, 4:10, 4:12] = 3
    index[4:8, 3:6, 14:20] = 4
    index[12:18, 10:16, 14:20] = 5
    density = np.array([1.0, 0.26, 1.92, 0.0012, 1.5, 1.1])[index]
    return Patient(
        grid=grid,
        density_g_cm3=density,
        material_index=index,
        materials=(WATER, LUNG, BONE, AIR, CALCIUM, IODINE),
        body=np.ones(grid.shape, dtype=bool),
    )


def blocks(patient: Patient, n: int = 3) -> scipy.sparse.csr_matrix:
    """n^3 blocks of the grid, each split by material."""
    nz, ny, nx = patient.grid.shape
    z, y, x = (np.arange(size) * n // size for size in (nz, ny, nx))
    block = (z[:, None, None] * n + y[None, :, None]) * n + x
    group = block * len(patient.materials) + patient.material_index
    used, row = np.unique(group, return_inverse=True)
    column = np.arange(row.size)
    ones = np.ones(row.size)
    return scipy.sparse.csr_matrix((ones, (row.ravel(), column)), (used.size, row.size))


def regions(patient, source, membership, *, histories=320_000, **options) -> RegionDeposit:
    return transport_to_regions(
        patient, source, membership, precision=1e-9, batch_histories=histories // 32,
        max_histories=histories, **options,
    )  # fmt: skip


def assert_same_means(one: RegionDeposit, other: RegionDeposit) -> None:
    """Welch's t in every region and in their total, with Bonferroni's bound for 1e-6 in all."""
    a, b = (np.column_stack([r.batches_kev, r.batches_kev.sum(axis=1)]) for r in (one, other))
    result = stats.ttest_ind(a, b, equal_var=False)
    assert np.min(result.pvalue) > 1e-6 / a.shape[1]


@pytest.mark.parametrize("spectrum", [Spectrum.monoenergetic(60.0), SPECTRUM])
def test_all_energy_is_imparted_where_nothing_escapes(spectrum):
    grid = Grid.from_spacing((40, 40, 40), (100.0, 100.0, 100.0))
    ocean = Patient(
        grid=grid,
        density_g_cm3=np.ones(grid.shape),
        material_index=np.zeros(grid.shape),
        materials=(WATER,),
        body=np.ones(grid.shape, dtype=bool),
    )
    source = beam(
        focal_spot_lps_mm=(0.0, -50.0, 0.0),
        field_size_mm=(100.0, 100.0),
        spectrum=spectrum,
    )
    whole = scipy.sparse.csr_matrix(np.ones((1, grid.shape[0] ** 3)))
    emitted = spectrum.mean_energy_kev
    analogue = regions(ocean, source, whole, histories=64_000, estimator="analogue")
    track_length = regions(ocean, source, whole, histories=64_000)
    if spectrum.weights.size == 1:  # every history imparts its energy, to the last bit
        assert analogue.energy_kev[0] == pytest.approx(emitted, rel=1e-12)
    else:
        assert abs(analogue.energy_kev[0] / emitted - 1) < 7.5 * analogue.relative_uncertainty[0]
    # t with 31 degrees of freedom: 6.1 at 1e-6
    assert abs(track_length.energy_kev[0] / emitted - 1) < 6.1 * track_length.relative_uncertainty
    assert track_length.relative_uncertainty[0] < 0.005


def test_no_more_is_imparted_than_emitted():
    patient = mixed_patient()
    whole = scipy.sparse.csr_matrix(np.ones((1, patient.density_g_cm3.size)))
    deposit = regions(patient, beam(), whole, histories=32_000)
    assert 0.2 * SPECTRUM.mean_energy_kev < deposit.energy_kev[0] < SPECTRUM.mean_energy_kev


@pytest.mark.parametrize("source", [beam(), fan()], ids=["point", "scan"])
def test_analogue_and_track_length_estimators_agree(source):
    patient = mixed_patient()
    membership = blocks(patient)
    analogue = regions(patient, source, membership, histories=960_000, estimator="analogue", seed=1)
    track_length = regions(patient, source, membership, histories=320_000, seed=2)
    assert_same_means(analogue, track_length)
    material = np.array([int(patient.material_index.ravel()[r.indices[0]]) for r in membership])
    for number in (0, 1, 2, 4, 5):  # what the comparison can tell, by material
        inside = material == number
        spread = analogue.batches_kev[:, inside].sum(axis=1)
        assert spread.std(ddof=1) / np.sqrt(32) / spread.mean() < 0.01


@pytest.mark.parametrize("source", [beam(), fan()], ids=["point", "scan"])
def test_scoring_at_tentative_collisions_agrees_with_track_length(source):
    patient = mixed_patient()
    membership = blocks(patient)
    tentative = regions(
        patient, source, membership, histories=960_000, estimator="tentative-collision", seed=5
    )
    track_length = regions(patient, source, membership, seed=6)
    assert_same_means(tentative, track_length)


@pytest.mark.parametrize("estimator", ["track-length", "tentative-collision"])
def test_the_weight_window_changes_no_mean_and_helps_beyond_the_beam(estimator):
    """A narrow beam across the end of a long box: dose 10 to 30 cm away from it."""
    long = water_box((400.0, 200.0, 200.0), voxel_size_mm=20.0)
    slabs = np.zeros((5, *long.grid.shape))
    slabs[np.arange(20) // 4, np.arange(20)] = 1
    membership = scipy.sparse.csr_matrix(slabs.reshape(5, -1))
    source = beam(
        field_center_lps_mm=(0.0, 0.0, -180.0), focal_spot_lps_mm=(0.0, -400.0, -180.0),
        field_size_mm=(20.0, 100.0),
    )  # fmt: skip
    assert source.irradiated_z_mm == (-190.0, -170.0)
    split, plain = (
        regions(
            long, source, membership, histories=960_000, estimator=estimator, weight_window=on,
            seed=7 + on,
        )
        for on in (True, False)
    )  # fmt: skip
    assert_same_means(split, plain)
    assert split.energy_kev[4] < 1e-3 * split.energy_kev[0]
    # the variance of 32 batches is known to 25 %; the gain is well beyond that
    assert split.relative_uncertainty[4] < 0.6 * plain.relative_uncertainty[4]


@pytest.mark.parametrize("is_stratified", [True, False])
def test_energy_of_a_source_in_the_body_is_conserved(is_stratified):
    grid = Grid.from_spacing((40, 40, 40), (100.0, 100.0, 100.0))
    ocean = Patient(
        grid=grid, density_g_cm3=np.ones(grid.shape), material_index=np.zeros(grid.shape),
        materials=(WATER,), body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    emission = np.zeros(grid.shape)
    emission[18:22, 17:20, 20:24] = np.arange(1.0, 49.0).reshape(4, 3, 4)
    source = VoxelSource(
        grid=grid, emission=emission, spectrum=Spectrum.monoenergetic(511.0),
        is_stratified=is_stratified,
    )  # fmt: skip
    whole = scipy.sparse.csr_matrix(np.ones((1, grid.shape[0] ** 3)))
    analogue = regions(ocean, source, whole, histories=64_000, estimator="analogue")
    assert analogue.energy_kev[0] == pytest.approx(511.0, rel=1e-12)
    track_length = regions(ocean, source, whole, histories=64_000)
    assert abs(track_length.energy_kev[0] / 511.0 - 1) < 6.1 * track_length.relative_uncertainty
    assert track_length.relative_uncertainty[0] < 0.005


def test_a_stratified_source_has_the_dose_of_a_random_one_with_less_variance():
    patient = mixed_patient()
    source = VoxelSource(
        grid=patient.grid, emission=patient.mass_g, spectrum=Spectrum.monoenergetic(511.0)
    )
    half = np.zeros((2, *patient.grid.shape))
    half[0, :, :, :12] = half[1, :, :, 12:] = 1
    membership = scipy.sparse.csr_matrix(half.reshape(2, -1))
    stratified, random = (
        transport_to_regions(
            patient, replace(source, is_stratified=chosen), membership, precision=1e-9,
            batch_histories=2000, max_histories=600_000, seed=1 + chosen,
        )
        for chosen in (True, False)
    )  # fmt: skip
    assert_same_means(stratified, random)
    # variances of 300 batches: their ratio is known to 12 %
    ratio = (stratified.relative_uncertainty / random.relative_uncertainty) ** 2
    assert np.all(ratio < 0.75)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_patient_has_the_mirrored_dose(axis):
    patient = mixed_patient()
    mirrored = replace(
        patient,
        density_g_cm3=np.flip(patient.density_g_cm3, axis),
        material_index=np.flip(patient.material_index, axis),
    )
    source = fan()
    number = np.arange(patient.density_g_cm3.size).reshape(patient.grid.shape)
    membership = blocks(patient)
    there = regions(patient, source, membership, seed=1)
    back = regions(mirrored, source, membership[:, np.flip(number, axis).ravel()], seed=2)
    assert_same_means(there, back)


def test_a_turned_patient_has_the_turned_dose():
    patient = mixed_patient()
    turned = replace(
        patient,
        density_g_cm3=np.rot90(patient.density_g_cm3, axes=(1, 2)),
        material_index=np.rot90(patient.material_index, axes=(1, 2)),
    )
    number = np.arange(patient.density_g_cm3.size).reshape(patient.grid.shape)
    membership = blocks(patient)
    there = regions(patient, fan(), membership, seed=1)
    back = regions(turned, fan(), membership[:, np.rot90(number, axes=(1, 2)).ravel()], seed=2)
    assert_same_means(there, back)


def test_dose_does_not_depend_on_the_voxels_of_a_homogeneous_patient():
    quarters = []
    for spacing in (5.0, 20.0):
        box = water_box((160.0, 160.0, 160.0), voxel_size_mm=spacing)
        quarters.append(regions(box, beam(), blocks(box, 4), seed=int(spacing)))
    assert_same_means(*quarters)


def test_a_homogeneous_cylinder_has_the_same_dose_all_around():
    cylinder = water_cylinder(160.0, 100.0, 10.0)
    y, x = (cylinder.grid.axis_centers_mm(axis) for axis in (1, 2))
    angle = np.arctan2(y[:, None], x[None])
    quadrant = np.floor((angle + np.pi) / (0.5 * np.pi)).astype(int) % 4
    membership = np.stack([np.broadcast_to(quadrant == q, cylinder.grid.shape) for q in range(4)])
    membership = scipy.sparse.csr_matrix(membership.reshape(4, -1).astype(float))
    deposit = regions(cylinder, fan(), membership)
    others = deposit.batches_kev[:, 1:] - deposit.batches_kev[:, :1]
    assert np.min(stats.ttest_1samp(others, 0.0).pvalue) > 1e-7


def test_air_around_the_box_acts_as_air_inside_it():
    """20 keV through 40 cm of air: 3.7 % are lost on the way, which the test can see."""
    source = beam(
        focal_spot_lps_mm=None,
        field_center_lps_mm=(0.0, -460.0, 0.0),
        field_size_mm=(60.0, 60.0),
        spectrum=Spectrum.monoenergetic(20.0),
    )
    box = water_box((120.0, 120.0, 120.0), voxel_size_mm=20.0)
    grid = Grid.from_spacing((22, 52, 22), (20.0, 20.0, 20.0))
    shell = (slice(8, 14), slice(23, 29), slice(8, 14))
    density = np.full(grid.shape, 1.205e-3)
    index = np.ones(grid.shape, dtype=np.uint8)
    density[shell], index[shell] = 1.0, 0
    in_air = Patient(
        grid=grid, density_g_cm3=density, material_index=index, materials=(WATER, AIR),
        body=index == 0,
    )  # fmt: skip
    # the same water in the same six slabs along the beam
    slabs = np.zeros((6, *grid.shape))
    for slab in range(6):
        slabs[slab, 8:14, 23 + slab, 8:14] = 1
    explicit = scipy.sparse.csr_matrix(slabs.reshape(6, -1))
    small = np.zeros((6, 6, 6, 6))
    small[np.arange(6), :, np.arange(6)] = 1
    small = scipy.sparse.csr_matrix(small.reshape(6, -1))
    around = regions(box, source, small, ambient="air", seed=1, histories=640_000)
    inside = regions(in_air, source, explicit, seed=2, histories=640_000)
    assert_same_means(around, inside)
    vacuum = regions(box, source, small, seed=3, histories=640_000)
    lost = 1.0 - around.energy_kev.sum() / vacuum.energy_kev.sum()
    assert 0.02 < lost < 0.05


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e15), st.floats(1.0, 1e3))
def test_dose_is_linear_in_the_photons(photons, factor):
    dose, more = (score_dose(DEPOSIT, BOX, photons=n) for n in (photons, photons * factor))
    assert np.allclose(more.dose_mgy, factor * dose.dose_mgy, rtol=1e-6, atol=0)
    assert np.array_equal(more.relative_uncertainty, dose.relative_uncertainty)
    organs = [score_organ_dose(d, ORGANS).rows[0] for d in (dose, more)]
    assert organs[1].mean_dose_mgy == pytest.approx(
        factor * organs[0].mean_dose_mgy, rel=1e-12, abs=0
    )
    assert organs[1].relative_uncertainty == organs[0].relative_uncertainty


BOX = water_box((60.0, 60.0, 60.0), voxel_size_mm=20.0)
ORGANS = OrganMap(
    grid=BOX.grid, labels=np.ones(BOX.grid.shape, dtype=np.uint16), names={1: "all"},
    method="test", fraction_in_image={"all": 1.0},
)  # fmt: skip
DEPOSIT = transport_photons(BOX, beam(), histories=2000, organs=ORGANS)


def test_dose_does_not_depend_on_the_density_where_photons_are_not_attenuated():
    """A thin foil: dose is fluence times energy transfer per mass, whatever its density."""
    doses = []
    for density in (1e-3, 4e-3):
        foil = water_box((60.0, 20.0, 60.0), voxel_size_mm=20.0)
        foil = replace(
            foil,
            density_g_cm3=np.full(foil.grid.shape, density),
            material_index=np.zeros(foil.grid.shape),
            materials=(WATER,),
        )
        whole = scipy.sparse.csr_matrix(np.ones((1, foil.density_g_cm3.size)))
        source = beam(
            field_size_mm=(40.0, 40.0), spectrum=Spectrum.monoenergetic(60.0),
            focal_spot_lps_mm=None, field_center_lps_mm=(0.0, -50.0, 0.0),
        )  # fmt: skip
        deposit = regions(foil, source, whole, histories=32_000)
        doses.append(deposit.energy_kev[0] / density)
        expected = 60.0 * 0.03190 * density * 2.0  # E mu_en/rho of NIST x density x 2 cm
        assert deposit.energy_kev[0] == pytest.approx(expected, rel=5e-3)
    assert doses[0] == pytest.approx(doses[1], rel=2e-3)


def test_wrong_patients_and_scales_are_refused():
    other = water_box((80.0, 60.0, 60.0), voxel_size_mm=20.0)
    with pytest.raises(InputError, match="grid"):
        score_dose(DEPOSIT, other, photons=1.0)
    with pytest.raises(InputError, match="photons must be > 0"):
        score_dose(DEPOSIT, BOX, photons=0.0)

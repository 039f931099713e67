"""Positions of the tube add up to the scan; tails, weights and turning back."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from milligray.learn.inputs.cylinder_dose import CylinderDose
from milligray.learn.inputs.slab import rotated_patient, slab_grid
from milligray.learn.position_superposition import (
    SuperpositionSettings,
    cylinder_fields,
    plane_weights,
    scan_planes,
    sum_along_z,
    superpose,
)
from milligray.learn.scatter_tail import add_tails, decay_length_mm
from milligray.learn.turned_back import turned_back
from milligray.learn.turned_scan import (
    CylinderInSlab,
    SeenPosition,
    TurnedScan,
    see_position,
    turn_scan,
)
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read.series import CtSeries
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.position_source import make_position_source
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.typing import FloatArray
from milligray.volume import Grid, Volume

SIZE = 10.0
ISO = (0.0, 0.0)


@pytest.fixture(scope="module")
def patient() -> Patient:
    """Ellipse of water, narrower towards the head, with a rod of bone at one side."""
    nz, n = 26, 44
    grid = Grid.from_spacing((nz, n, n), (5.0, 5.0, 5.0), origin_lps_mm=(-107.5, -107.5, -62.5))
    z, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    width = 80.0 - 0.2 * z
    hu = np.where((x / width) ** 2 + (y / 60.0) ** 2 <= 1.0, 0.0, -1000.0).astype(np.float32)
    hu[(x + 40.0) ** 2 + y**2 <= 120.0] = 700.0
    series = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=5.0)
    return build_patient(
        series, calibration=load_hu_calibration("schneider2000"), voxel_size_mm=SIZE, couch="keep"
    )


@pytest.fixture(scope="module")
def scan_source() -> CtSource:
    field = open_fan(
        focal_radius_mm=600.0, width_mm=400.0, height_mm=30.0, spectrum=Spectrum.monoenergetic(60.0)
    )
    edges = np.linspace(-40.0, 40.0, 9)
    return CtSource(
        field=field, isocenter_lps_mm=ISO, z_bins_mm=np.stack([edges[:-1], edges[1:]], axis=1),
        z_weights=np.linspace(1.0, 2.0, 8), rotations=3.0, feed_mm=27.0, collimation_mm=30.0,
        start_angle_rad=None, mode="helical",
    )  # fmt: skip


def flat_cylinder(source: CtSource, planes: int = 25) -> CylinderInSlab:
    """Cylinder whose dose is 1 everywhere, so that a first guess is what it is multiplied with."""
    grid = slab_grid((planes, 24, 24), SIZE, ISO, 0.0)
    one = np.ones(grid.shape, dtype=np.float32)
    made = CylinderInSlab.from_dose(
        source, CylinderDose(grid=grid, dose_mgy=one, relative_uncertainty=one * 0)
    )
    return replace(made, mu_per_mm=0.0)  # a correction factor of 1


def test_true_positions_add_up_to_the_scan(patient: Patient, scan_source: CtSource) -> None:
    """With Monte Carlo in the place of the network, the sum is Monte Carlo of the whole scan."""
    cylinder = flat_cylinder(scan_source, planes=29)  # holds all of the patient from everywhere
    settings = SuperpositionSettings(angles=6, step=2, tail_planes=0)
    planes = scan_planes(patient.grid, SIZE)
    number = iter(range(100))

    def by_transport(seen: SeenPosition) -> FloatArray:
        n, shape = next(number), seen.density.shape
        angle = 2.0 * math.pi * (counts["angle"] + 0.5) / settings.angles
        plane = seen.place[0].start + shape[0] // 2 - seen.inside.start
        grid = slab_grid((planes.size, 24, 24), SIZE, ISO, 0.5 * float(planes[0] + planes[-1]))
        turned = rotated_patient(patient, grid, isocenter_mm=ISO, angle_rad=angle)
        z = float(planes[0]) + SIZE * plane
        deposit = transport_photons(
            turned, make_position_source(scan_source, angle_rad=0.0, z_mm=z), histories=15_000,
            seed=n, threads=1,
        )  # fmt: skip
        energy = np.full(shape, 1e-9)
        part = (deposit.energy_kev / turned.mass_g)[seen.place]
        energy[seen.inside] = np.maximum(part, 1e-9)
        return np.log(energy)

    fields = cylinder_fields(cylinder, by_transport)

    counts = {"angle": 0}
    weights = plane_weights(scan_source, planes)[None]
    total = np.zeros(patient.grid.shape)
    for k in range(settings.angles):
        counts["angle"] = k
        angle = 2.0 * math.pi * (k + 0.5) / settings.angles
        turned = turn_scan(patient, cylinder.grid, planes, ISO, angle)
        found = sum_along_z(
            turned, fields, weights, settings, half=cylinder.grid.shape[0] // 2, first=k
        )
        total += turned_back(found[0, 0], turned, patient, angle) / settings.angles
    whole = transport_photons(patient, scan_source, histories=400_000, seed=5, threads=1)
    inside = patient.body & (patient.density_g_cm3 > 0.9) & (patient.density_g_cm3 < 1.1)
    mass = patient.mass_g
    mine = (total * mass)[inside].sum() / mass[inside].sum()
    true = whole.energy_kev[inside].sum() / mass[inside].sum()
    assert mine == pytest.approx(true, rel=0.04)  # cubes of 10 mm, interpolated twice
    for half in (slice(0, 6), slice(7, 13)):
        mask = np.zeros_like(inside)
        mask[half] = inside[half]
        ratio = (total * mass)[mask].sum() / whole.energy_kev[mask].sum()
        assert ratio == pytest.approx(1.0, abs=0.06)


def test_weights_of_planes_are_the_photons_emitted_there(scan_source: CtSource) -> None:
    planes = np.arange(-20.0, 21.0, 10.0)
    weights = plane_weights(scan_source, planes)
    assert weights.size == planes.size + 2 * 2
    assert weights.sum() == pytest.approx(1.0)
    # bins of 10 mm from -40: the plane at 0 holds half of two bins
    share = scan_source.z_weights / scan_source.z_weights.sum()
    assert weights[4] == pytest.approx(0.5 * (share[3] + share[4]))
    station = replace(scan_source, z_bins_mm=np.array([[7.0, 7.0]]), z_weights=np.ones(1))
    assert plane_weights(station, planes).tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


def test_currents_of_several_scans_share_their_positions(
    patient: Patient, scan_source: CtSource
) -> None:
    cylinder = flat_cylinder(scan_source, planes=5)
    calls = 0

    def ask(seen: SeenPosition) -> FloatArray:
        nonlocal calls
        calls += 1
        return np.zeros(seen.density.shape)

    settings = SuperpositionSettings(angles=2, step=2, tail_planes=0)
    currents = np.stack([scan_source.z_weights, np.ones(8)])
    slab, fields = cylinder.grid, cylinder_fields(cylinder, ask)
    both = superpose(patient, scan_source, slab, fields, settings, currents=currents)
    n = calls
    own = superpose(patient, scan_source, slab, fields, settings)
    assert calls == 2 * n
    assert np.array_equal(both[0], own[0])
    assert not np.allclose(both[1], own[0])
    assert np.all(own[0, 0, ~patient.body] == 0)


def test_a_dose_turned_there_and_back_is_where_it_was(patient: Patient) -> None:
    planes = scan_planes(patient.grid, SIZE)
    slab = slab_grid((5, 24, 24), SIZE, ISO, 0.0)
    for angle in (0.4, 0.5 * math.pi, 4.0):
        turned = turn_scan(patient, slab, planes, ISO, angle)
        back = turned_back(turned.density, turned, patient, angle)
        bone = patient.density_g_cm3 > 1.15
        assert back[bone].mean() > 1.1 * back[patient.body & ~bone].mean()


def test_a_position_beside_the_patient_sees_nothing(
    patient: Patient, scan_source: CtSource
) -> None:
    cylinder = flat_cylinder(scan_source, planes=5)
    planes = scan_planes(patient.grid, SIZE)
    turned = turn_scan(patient, cylinder.grid, planes, ISO, 0.0)
    assert see_position(turned, cylinder, -3) is None
    seen = see_position(turned, cylinder, -2)
    assert seen is not None
    assert seen.inside == slice(4, 5)
    assert np.all(seen.density[:4] == 0)


def test_tails_go_on_as_the_slab_ended() -> None:
    n = 41
    grid = Grid.from_spacing((n, 12, 12), (5.0, 5.0, 5.0))
    body = np.ones(grid.shape, dtype=bool)
    one = body.astype(np.float32)
    turned = TurnedScan(
        grid=grid, isocenter_mm=ISO, density=one, attenuating=np.stack([one, 0 * one]), body=body
    )
    true = np.exp(-np.abs(np.arange(n) - 20) * 5.0 / 45.0)[:, None, None] * np.ones((1, 12, 12))
    dose = np.where(np.abs(np.arange(n) - 20)[:, None, None] <= 10, true, 0.0)
    add_tails(dose, turned, 20, 10, 24)
    assert np.allclose(dose, true, rtol=1e-2)


@pytest.mark.parametrize(("near", "far", "expected"), [(1.0, 0.0, 42.0), (1.0, 1.0, 60.0)])
def test_a_decay_that_cannot_be_told_is_typical(near: float, far: float, expected: float) -> None:
    assert decay_length_mm(near, far, 20.0) == expected


def test_no_module_of_prediction_needs_torch() -> None:
    import milligray.learn as package

    folder = Path(package.__file__).parent
    for name in (
        "position_superposition",
        "scatter_tail",
        "turned_scan",
        "turned_back",
        "traced_fields",
    ):
        assert "torch" not in (folder / f"{name}.py").read_text()

"""A scan is the sum of its positions, and a turned patient is the same patient."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from milligray.dataset.kinds import find_kind
from milligray.learn.inputs.slab import (
    path_lengths_mm,
    rotated_patient,
    slab_grid,
    water_cylinder_on,
)
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read import read_ct_nifti
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.position_source import make_position_source
from milligray.source.spectrum import Spectrum
from milligray.transport.deposit import EnergyDeposit
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.volume import Grid


@pytest.fixture(scope="module")
def patient(cohort_folder: Any) -> Patient:
    ct = read_ct_nifti(cohort_folder / "p1_ct.nii.gz")
    return build_patient(ct, calibration="schneider2000", voxel_size_mm=8.0)


def helix(n: int, *, start: float = 0.3) -> CtSource:
    """Helix of n stations, so that a sum over its positions is exact."""
    z = 60.0 + np.linspace(-30.0, 30.0, n)
    weights = np.linspace(1.0, 2.0, n)
    field = open_fan(
        focal_radius_mm=600.0, width_mm=400.0, height_mm=20.0, spectrum=Spectrum.monoenergetic(70.0)
    )
    return CtSource(
        field=field, isocenter_lps_mm=(-148.0, -108.0), z_bins_mm=np.stack([z, z], axis=1),
        z_weights=weights, rotations=1.0, feed_mm=25.0, collimation_mm=20.0,
        start_angle_rad=start, mode="helical",
    )  # fmt: skip


def run(patient: Patient, source: CtSource, histories: int, seed: int) -> EnergyDeposit:
    return transport_photons(patient, source, histories=histories, seed=seed, threads=2)


def test_a_scan_is_the_sum_of_its_positions(patient: Patient) -> None:
    scan = helix(6)
    low, high = (patient.grid.axis_centers_mm(a).mean() for a in (2, 1))
    scan = replace(scan, isocenter_lps_mm=(float(low), float(high)))
    z0 = patient.grid.axis_centers_mm(0).mean() - 60.0
    scan = replace(scan, z_bins_mm=scan.z_bins_mm + z0)
    whole = run(patient, scan, 600_000, seed=1)
    share = scan.z_weights / scan.z_weights.sum()
    total = np.zeros(patient.grid.shape)
    variance = np.zeros(patient.grid.shape)
    for n, (z, _) in enumerate(scan.z_bins_mm):
        turn = 2 * np.pi * (z - scan.z_bins_mm[0, 0]) / scan.feed_mm
        source = make_position_source(
            scan, angle_rad=float(scan.start_angle_rad or 0.0) + turn, z_mm=float(z)
        )
        part = run(patient, source, 150_000, seed=10 + n)
        total += share[n] * part.energy_kev
        variance += (share[n] * part.energy_kev * part.relative_uncertainty) ** 2
    variance += (whole.energy_kev * whole.relative_uncertainty) ** 2
    scored = patient.body & (whole.relative_uncertainty < 0.1) & (whole.energy_kev > 0)
    pull = (total - whole.energy_kev)[scored] / np.sqrt(variance[scored])
    # as many voxels as there are, the pulls are those of a normal distribution
    assert pull.size > 1500
    assert abs(float(np.mean(pull))) < 0.25  # voxels share histories
    assert 0.9 < float(np.std(pull)) < 1.15
    sums = total[scored].sum(), whole.energy_kev[scored].sum()
    assert sums[0] == pytest.approx(sums[1], rel=0.01)


@pytest.mark.parametrize("angle", [0.0, 0.5 * np.pi, 2.1])
def test_a_turned_patient_gets_the_same_dose(patient: Patient, angle: float) -> None:
    x, y, z = (float(patient.grid.axis_centers_mm(a).mean()) for a in (2, 1, 0))
    source = replace(helix(1), isocenter_lps_mm=(x, y))
    grid = slab_grid((16, 40, 40), 8.0, (x, y), z)
    turned = rotated_patient(patient, grid, isocenter_mm=(x, y), angle_rad=angle)
    assert turned.mass_g[turned.body].sum() == pytest.approx(
        patient.mass_g[patient.body].sum(), rel=0.05
    )
    fixed = run(patient, make_position_source(source, angle_rad=angle, z_mm=z), 300_000, 3)
    here = run(turned, make_position_source(source, angle_rad=0.0, z_mm=z), 300_000, 4)
    # energy in all of the body, and in the bone, whose place tells left from right
    for inside in ("body", "bone"):
        energies = []
        for which, deposit in ((patient, fixed), (turned, here)):
            mask = which.body if inside == "body" else which.density_g_cm3 > 1.25
            energies.append(float(deposit.energy_kev[mask].sum()) / float(which.mass_g[mask].sum()))
        tolerance = 0.04 if inside == "body" else 0.10  # voxels of 8 mm, interpolated
        assert energies[1] == pytest.approx(energies[0], rel=tolerance)


def test_the_side_towards_the_tube_comes_first(patient: Patient) -> None:
    """The bone is at the patient's right, where the tube is at 90 degrees."""
    x, y, z = (float(patient.grid.axis_centers_mm(a).mean()) for a in (2, 1, 0))
    grid = slab_grid((4, 40, 40), 8.0, (x, y), z)
    turned = rotated_patient(patient, grid, isocenter_mm=(x, y), angle_rad=0.5 * np.pi)
    depth = np.nonzero(turned.density_g_cm3 > 1.25)[1]
    assert depth.size > 0
    assert depth.mean() < 19.5 - 4


def test_path_through_a_cylinder_is_its_chord() -> None:
    grid = slab_grid((9, 60, 60), 5.0, (10.0, -20.0), 7.0)
    cylinder = water_cylinder_on(grid, (10.0, -20.0), 200.0)
    focal = np.array([10.0, -20.0 - 600.0, 7.0])
    density = (cylinder.density_g_cm3 > 0.5).astype(np.float32)
    path = path_lengths_mm(density, grid, focal)
    z, y, x = (grid.axis_centers_mm(a) for a in range(3))
    for k, j, i in ((4, 59, 30), (4, 30, 30), (4, 40, 12), (0, 59, 30)):
        dx, dy, dz = x[i] - focal[0], y[j] - focal[1], z[k] - focal[2]
        flat = math.hypot(dx, dy)
        off = 600.0 * abs(dx) / flat
        half = math.sqrt(max(100.0**2 - off**2, 0.0))
        middle = 600.0 * dy / flat
        chord = max(0.0, min(flat, middle + half) - (middle - half))
        expected = chord * math.hypot(flat, dz) / flat
        assert path[k, j, i] == pytest.approx(expected, abs=5.0)


def test_paths_scale_with_density_and_are_zero_before_matter() -> None:
    grid = Grid.from_spacing((3, 30, 30), (5.0, 5.0, 5.0))
    density = np.zeros(grid.shape, dtype=np.float32)
    density[:, 10:20] = 1.0
    focal = np.array([0.0, -500.0, 0.0])
    once = path_lengths_mm(density, grid, focal)
    twice = path_lengths_mm(2.0 * density, grid, focal)
    assert np.allclose(twice, 2 * once)
    assert np.all(once[:, :9] == 0)
    assert np.allclose(once[1, 25, 14:16], 50.0, atol=2.5)  # a step


def test_samples_hold_water_and_patient_in_one_frame(specs_of: Any) -> None:
    _, specs = specs_of(
        "source-positions", positions=2, slab_shape=(48, 50, 5), voxel_precision=0.2
    )
    sample = find_kind("source-positions").build(specs[0], 2)
    a = {name: array.values for name, array in sample.arrays.items()}
    assert a["dose"].shape == (2, 5, 48, 50)
    assert a["cylinder_dose"].shape == (5, 48, 50)
    assert np.all(a["dose"][a["body"] == 0] == 0)
    # the factor is 1 where nothing but air lies before water and patient
    assert np.allclose(a["correction_factor"][:, :, :2], 1.0, atol=0.02)
    # and brings the water's dose near to the patient's: within scatter's factor of two
    k = 2
    for n in range(2):
        sure = (a["relative_uncertainty"][n, k] < 0.2) & (a["body"][n, k] > 0)
        sure &= (a["electron_density"][n, k] > 0.8) & (a["dose"][n, k] > 0)
        scaled = a["cylinder_dose"][k] * a["correction_factor"][n, k]
        ratio = a["dose"][n, k][sure] / scaled[sure]
        assert 0.4 < np.median(ratio) < 2.0
    assert sample.statistics["mean_relative_uncertainty"] < 0.25

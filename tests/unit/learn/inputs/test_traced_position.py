"""The traced primary beam of one position, and the guess of its scatter."""

import math

import numpy as np
import pytest

from milligray.learn.inputs.basis_materials import basis_coefficients_cm2_g, basis_densities
from milligray.learn.inputs.position_primary import position_primary_mgy
from milligray.learn.inputs.primary_field import primary_kerma_mgy
from milligray.learn.inputs.slab import (
    reach_voxels,
    rotated_patient,
    slab_grid,
    tracing_shape,
)
from milligray.learn.inputs.traced_position import (
    TRACED_CHANNELS,
    TracedPosition,
    scatter_mgy,
    traced_position,
)
from milligray.learn.position_superposition import (
    PositionFields,
    SuperpositionSettings,
    superpose,
)
from milligray.learn.traced_fields import traced_fields
from milligray.learn.turned_scan import TurnedScan, place_of, turn_scan
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read.series import CtSeries
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.volume import Grid, Volume

ISO = (0.0, 0.0)
FIELD = open_fan(
    focal_radius_mm=600.0, width_mm=500.0, height_mm=30.0, spectrum=Spectrum.monoenergetic(60.0)
)


def water_block(n: int = 20, size: float = 5.0) -> tuple[Grid, np.ndarray, np.ndarray]:
    grid = slab_grid((9, n, n), size, ISO, 0.0)
    attenuating = np.zeros((2, *grid.shape), dtype=np.float32)
    attenuating[0] = 1.0
    return grid, attenuating, np.ones(grid.shape, dtype=bool)


def test_the_primary_beam_falls_off_by_distance_and_attenuation() -> None:
    grid, attenuating, _ = water_block()
    kerma = position_primary_mgy(FIELD, grid, attenuating, isocenter_mm=ISO, z_mm=0.0)
    mu = basis_coefficients_cm2_g(np.array([60.0]))[0][0, 0]
    column = kerma[0, 4, :, 10]
    depth = 600.0 + grid.axis_centers_mm(1)
    inside = (grid.axis_centers_mm(1) + 50.0) / 10.0
    expected = np.exp(-mu * inside) / depth**2
    # paths are summed in steps of half a voxel
    assert column / column[0] == pytest.approx(expected / expected[0], rel=0.03)


def test_the_beam_ends_where_it_is_collimated() -> None:
    grid, attenuating, _ = water_block()
    kerma = position_primary_mgy(FIELD, grid, attenuating, isocenter_mm=ISO, z_mm=0.0)
    z = np.abs(grid.axis_centers_mm(0))
    assert np.all(kerma[0, z > 20.0] == 0.0)
    assert np.all(kerma[0, z < 10.0] > 0.0)
    # the beam is 30 mm high at the isocenter: all of it is in the grid
    whole = kerma[0].sum(axis=0)[9:11, 10].mean() * 5.0
    middle = kerma[0, 4, 9:11, 10].mean() * 30.0
    assert whole == pytest.approx(middle, rel=0.02)


def test_channels_do_not_change_with_bone_free_scaling_and_guess_scales_with_the_beam() -> None:
    grid, attenuating, body = water_block()
    found = traced_position(FIELD, grid, attenuating, body, isocenter_mm=ISO, z_mm=0.0)
    assert found is not None
    assert found.channels.shape == (len(TRACED_CHANNELS), *grid.shape)
    assert np.isfinite(found.channels).all()
    assert np.abs(found.channels).max() < 5.0
    nothing = scatter_mgy(found, np.zeros((2, *grid.shape)))
    assert nothing[0] == pytest.approx(found.guess_mgy)
    double = scatter_mgy(found, np.full((2, *grid.shape), math.log(2.0)))
    assert double[0] == pytest.approx(2.0 * nothing[0], rel=1e-6)
    assert double[1] == pytest.approx(4.0 * nothing[1], rel=1e-6)


def test_a_beam_that_meets_nothing_is_no_position() -> None:
    grid, attenuating, body = water_block()
    air = np.zeros_like(attenuating)
    assert traced_position(FIELD, grid, air, body, isocenter_mm=ISO, z_mm=0.0) is None
    assert traced_position(FIELD, grid, attenuating, body, isocenter_mm=ISO, z_mm=300.0) is None


def _patient() -> Patient:
    grid = Grid.from_spacing((20, 40, 40), (5.0, 5.0, 5.0), origin_lps_mm=(-97.5, -97.5, -47.5))
    _, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    hu = np.where((x / 80.0) ** 2 + (y / 60.0) ** 2 <= 1.0, 0.0, -1000.0).astype(np.float32)
    series = CtSeries(volume=Volume(grid=grid, values=hu), slice_thickness_mm=5.0)
    return build_patient(
        series, calibration=load_hu_calibration("schneider2000"), voxel_size_mm=5.0, couch="keep"
    )


def test_the_square_of_a_scan_holds_the_body_at_every_angle() -> None:
    """Shoulders cut off on the side of the tube would let the beam through."""
    patient = _patient()
    n = reach_voxels(patient, 5.0, ISO)
    assert n % 2 == 0
    assert 0.5 * n * 5.0 > 80.0 + 5.0
    assert reach_voxels(patient, 5.0, (40.0, 0.0)) > n
    slab = slab_grid((5, n, n), 5.0, ISO, 0.0)
    for angle in (0.0, 0.8, 0.5 * math.pi):
        turned = turn_scan(patient, slab, np.arange(-10.0, 11.0, 5.0), ISO, angle)
        edge = turned.body.copy()
        edge[:, 1:-1, 1:-1] = False
        assert turned.body.any()
        assert not edge.any()


def test_a_part_of_a_position_is_that_part() -> None:
    grid, attenuating, body = water_block()
    found = traced_position(FIELD, grid, attenuating, body, isocenter_mm=ISO, z_mm=0.0)
    assert found is not None
    place = (slice(2, 5), slice(3, 9), slice(0, 4))
    part = found.part(place)
    assert np.array_equal(part.guess_mgy, found.guess_mgy[place])
    assert np.array_equal(part.channels, found.channels[(slice(None), *place)])


def test_a_prediction_sees_a_position_as_the_training_does() -> None:
    """Channels are relative to means over the slab: its cut to the body must come afterwards."""
    patient = _patient()
    shape = tracing_shape(patient, (11, 40, 52), 5.0, ISO)
    slab = slab_grid(shape, 5.0, ISO, 0.0)
    planes = np.arange(-25.0, 26.0, 5.0)
    turned = turn_scan(patient, slab, planes, ISO, 0.3)
    seen: list[TracedPosition] = []

    def ask(traced: TracedPosition) -> np.ndarray:
        seen.append(traced)
        return np.zeros((2, *traced.guess_mgy.shape))

    found = traced_fields(FIELD, shape[0], ask)(turned, 5)
    assert found is not None
    same = rotated_patient(patient, slab, isocenter_mm=ISO, angle_rad=0.3)
    whole = traced_position(
        FIELD, slab, basis_densities(same)[0], same.body, isocenter_mm=ISO, z_mm=0.0
    )
    assert whole is not None
    _, rows, columns = found.place
    assert rows.stop - rows.start < shape[1]
    expected = whole.part((slice(None), rows, columns))
    np.testing.assert_allclose(seen[0].channels, expected.channels, atol=1e-4)


def test_positions_add_up_to_the_primary_beam_of_the_scan() -> None:
    """Two implementations: rays in three dimensions position by position, and the scan's slices."""
    patient = _patient()
    edges = np.linspace(-30.0, 30.0, 7)
    source = CtSource(
        field=FIELD, isocenter_lps_mm=ISO, z_bins_mm=np.stack([edges[:-1], edges[1:]], axis=1),
        z_weights=np.ones(6), rotations=2.0, feed_mm=30.0, collimation_mm=30.0,
        start_angle_rad=None, mode="helical",
    )  # fmt: skip

    def fields_of(turned: TurnedScan, plane: int) -> PositionFields | None:
        found = place_of(turned, plane, 10)
        if found is None:
            return None
        kerma = position_primary_mgy(
            FIELD, found.grid, found.cut(turned.attenuating), isocenter_mm=ISO, z_mm=found.z_mm
        )
        return PositionFields(values=kerma[:1], place=found.place, inside=found.inside)

    slab = slab_grid((21, 48, 48), 5.0, ISO, 0.0)
    settings = SuperpositionSettings(angles=12, step=1, tail_planes=0)
    mine = superpose(patient, source, slab, fields_of, settings)[0, 0]
    scan = primary_kerma_mgy(
        source, patient.grid, basis_densities(patient)[0], patient.body, photons=1.0
    )[0]
    _, y, x = np.meshgrid(*(patient.grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    inner = patient.body & ((x / 70.0) ** 2 + (y / 50.0) ** 2 < 1.0)
    assert mine[inner].mean() == pytest.approx(scan[inner].mean(), rel=0.01)
    judged = inner & (scan > 0.2 * scan.max())
    assert np.abs(mine / np.maximum(scan, 1e-30) - 1.0)[judged].mean() < 0.03

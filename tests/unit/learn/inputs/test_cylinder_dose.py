"""The dose of a beam in the water cylinder: symmetry, cache, and what it is good for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from milligray.learn.inputs import cylinder_dose as module
from milligray.learn.inputs.cylinder_dose import CYLINDER_DIAMETER_MM, CylinderDose, cylinder_dose
from milligray.learn.inputs.electron_density import relative_electron_density
from milligray.learn.inputs.position_channels import (
    CHANNELS,
    first_guess,
    isocenter_dose,
    position_channels,
)
from milligray.learn.inputs.slab import (
    correction_factor,
    path_from_tube_mm,
    slab_grid,
    water_cylinder_on,
)
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum, effective_water_mu_per_mm

SHAPE = (5, 44, 48)


@pytest.fixture(scope="module")
def source() -> CtSource:
    field = open_fan(
        focal_radius_mm=600.0, width_mm=400.0, height_mm=20.0, spectrum=Spectrum.monoenergetic(60.0)
    )
    return CtSource(
        field=field, isocenter_lps_mm=(3.0, -8.0), z_bins_mm=np.array([[0.0, 50.0]]),
        z_weights=np.ones(1), rotations=1.0, feed_mm=20.0, collimation_mm=20.0,
        start_angle_rad=None, mode="helical",
    )  # fmt: skip


@pytest.fixture(scope="module")
def dose(source: CtSource) -> Iterator[CylinderDose]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCATTER_MM", 40.0)
        yield cylinder_dose(source, SHAPE, 8.0, histories=400_000, threads=1)


def test_the_dose_has_the_symmetry_of_the_beam(dose: CylinderDose) -> None:
    assert np.array_equal(dose.dose_mgy, dose.dose_mgy[::-1])
    assert np.array_equal(dose.dose_mgy, dose.dose_mgy[:, :, ::-1])
    water = np.hypot(*np.meshgrid(*(dose.grid.axis_centers_mm(a) for a in (1, 2)))) < 150
    assert np.all(dose.dose_mgy[2][water.T] > 0)
    assert 0 < np.median(dose.relative_uncertainty[2][water.T]) < 0.1


def test_the_primary_falls_off_into_the_cylinder(dose: CylinderDose) -> None:
    line = dose.dose_mgy[2, :, 20:28].mean(axis=1)
    y = dose.grid.axis_centers_mm(1)
    inside = np.abs(y) < 0.5 * CYLINDER_DIAMETER_MM - 10
    assert line[inside][0] > 5 * line[inside][-1]
    assert np.all(np.diff(line[inside][::6]) < 0)


def test_the_cache_gives_the_same_and_holds_one_beam(
    source: CtSource, dose: CylinderDose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> CylinderDose:
        raise AssertionError("simulated again")

    monkeypatch.setattr(module, "_simulate", never)
    again = cylinder_dose(source, SHAPE, 8.0, histories=400_000)
    assert np.array_equal(again.dose_mgy, dose.dose_mgy)
    with pytest.raises(AssertionError, match="simulated again"):
        cylinder_dose(source, SHAPE, 8.0, histories=400_001)


def test_a_damaged_cache_is_made_again(
    source: CtSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MILLIGRAY_CACHE", str(tmp_path))
    first = cylinder_dose(source, (1, 20, 20), 20.0, histories=20_000, threads=1)
    (path,) = tmp_path.glob("cylinder-*.npz")
    path.write_bytes(path.read_bytes()[:100])
    second = cylinder_dose(source, (1, 20, 20), 20.0, histories=20_000, threads=1)
    assert np.array_equal(first.dose_mgy, second.dose_mgy)


def test_a_patient_that_is_the_cylinder_needs_no_correction(
    source: CtSource, dose: CylinderDose
) -> None:
    mu = effective_water_mu_per_mm(source.field.spectrum)
    grid = slab_grid(SHAPE, 8.0, source.isocenter_lps_mm, 120.0)
    same = water_cylinder_on(grid, source.isocenter_lps_mm, CYLINDER_DIAMETER_MM)
    reference = water_cylinder_on(dose.grid, (0.0, 0.0), CYLINDER_DIAMETER_MM)
    paths = [
        path_from_tube_mm(
            relative_electron_density(one), one.grid, focal_radius_mm=600.0, isocenter_mm=iso,
            z_mm=z,
        )
        for one, iso, z in ((reference, (0.0, 0.0), 0.0), (same, source.isocenter_lps_mm, 120.0))
    ]  # fmt: skip
    factor = correction_factor(mu, paths[0], paths[1])
    assert np.allclose(factor, 1.0, atol=1e-3)
    share = dose.dose_mgy / isocenter_dose(dose.dose_mgy)
    scored = share > 1e-3
    assert np.allclose(first_guess(share, factor)[scored], share[scored], rtol=2e-3)


def test_channels_are_of_order_one_and_finite(dose: CylinderDose) -> None:
    share = dose.dose_mgy / isocenter_dose(dose.dose_mgy)
    factor = np.full(SHAPE, 1e-3, dtype=np.float32)
    density = np.full(SHAPE, 12.0, dtype=np.float32)
    channels = position_channels(density, share, factor)
    assert channels.shape == (len(CHANNELS), *SHAPE)
    assert channels.dtype == np.float32
    assert np.isfinite(channels).all()
    assert np.abs(channels).max() < 6

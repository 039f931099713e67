"""The curve that the report draws is the one that was integrated."""

import numpy as np
import pytest

from milligray.exam.nm_kinetics import curve_of_voxels
from milligray.source.kinetics.image_integral import tia_from_images
from milligray.source.nuclide import load_nuclide
from milligray.volume import Grid

GRID = Grid.from_spacing((1, 1, 2), (3.0, 3.0, 3.0))
HOUR = 3600.0


@pytest.mark.parametrize(
    ("kinetics", "hours", "options"),
    [
        ("physical", (1.2,), {}),
        ("prior", (24.0,), {"effective_half_life_s": 50.0 * HOUR, "half_life_spread": 0.001}),
        ("trapezoid", (4.0,), {"start": "physical-decay"}),
        ("trapezoid", (4.0, 24.0, 96.0), {"start": "linear-from-zero"}),
        ("trapezoid", (4.0, 24.0, 96.0), {"start": "physical-decay"}),
        ("trapezoid", (4.0, 24.0, 96.0), {"start": "constant"}),
    ],
)
def test_area_of_the_drawn_curve_is_the_integral(kinetics, hours, options):
    nuclide = load_nuclide("F-18" if kinetics == "physical" else "Lu-177")
    times = [HOUR * h for h in hours]
    images = [np.full(GRID.shape, 40.0 / (n + 1)) for n in range(len(times))]
    voxels = tia_from_images(
        GRID, images, times, nuclide=nuclide.name, half_life_s=nuclide.half_life_s,
        kinetics=kinetics, **options,
    )  # fmt: skip
    drawn = np.union1d(np.linspace(0.0, 30 * nuclide.half_life_s, 200_001), times)
    activity = np.array([image.sum() for image in images])
    curve = curve_of_voxels(
        drawn, times, activity, voxels, nuclide, options.get("start", "linear-from-zero")
    )
    assert np.trapezoid(curve, drawn) == pytest.approx(voxels.total_mbq_s, rel=1e-4)


@pytest.mark.parametrize(("kinetics", "hours"), [("haenscheid", (96.0,)), ("mono", (4.0, 96.0))])
def test_what_is_no_curve_of_the_organ_is_not_drawn(kinetics, hours):
    nuclide = load_nuclide("Lu-177")
    times = [HOUR * h for h in hours]
    images = [np.full(GRID.shape, 40.0 / (n + 1)) for n in range(len(times))]
    voxels = tia_from_images(
        GRID, images, times, nuclide=nuclide.name, half_life_s=nuclide.half_life_s,
        kinetics=kinetics,
    )  # fmt: skip
    drawn = HOUR * np.array([0.0, 1.0, 150.0])
    activity = np.array([image.sum() for image in images])
    curve = curve_of_voxels(drawn, times, activity, voxels, nuclide, "linear-from-zero")
    assert np.isnan(curve).all()

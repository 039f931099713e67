"""From images to decays: totals, choices, refusals."""

from math import exp, log

import numpy as np
import pytest

from milligray.errors import GeometryError, InputError
from milligray.source.kinetics.curve_fit import fit_curve
from milligray.source.kinetics.image_integral import tia_from_images
from milligray.source.kinetics.regions import region_curves, scaled_to_regions
from milligray.source.time_integrated_activity import TimeIntegratedActivity
from milligray.volume import Grid

HOUR = 3600.0
LU177 = 6.647 * 24 * HOUR
GRID = Grid.from_spacing((4, 5, 6), (4.0, 4.0, 4.0))
TIMES = [4 * HOUR, 24 * HOUR, 72 * HOUR, 168 * HOUR]
RATE = log(2.0) / (60 * HOUR)


def _images(noise=0.0):
    rng = np.random.default_rng(1)
    start = rng.uniform(0.2, 2.0, GRID.shape)
    start[0] = 0.0
    factors = [np.exp(-RATE * t) * (1 + noise * rng.normal(size=GRID.shape)) for t in TIMES]
    return start, [(0.064 * start * f).astype(np.float32) for f in factors]


def _integrate(images, times=TIMES, **options):
    options = {"nuclide": "Lu-177", "half_life_s": LU177, "kinetics": "mono", **options}
    return tia_from_images(GRID, images, times, **options)


def test_mono_integrates_every_voxel():
    start, images = _images()
    found = _integrate(images, administered_activity_mbq=100.0)
    assert found.tia_mbq_s == pytest.approx(start * 0.064 / RATE, rel=1e-3)
    assert found.coefficient_s() == pytest.approx(found.total_mbq_s / 100.0)
    inside = np.zeros(GRID.shape, dtype=bool)
    inside[2] = True
    assert found.coefficient_s(inside) < found.coefficient_s()
    assert any("one exponential" in note for note in found.notes)
    assert found.effective_half_life_s[1:] == pytest.approx(60 * HOUR, rel=1e-3)
    assert np.all(np.isnan(found.effective_half_life_s[0]))


def test_physical_kinetics_is_decay_from_administration():
    start, images = _images()
    found = _integrate(images[1:2], TIMES[1:2], kinetics="physical")
    decay = log(2.0) / LU177
    factor = exp(decay * TIMES[1]) / decay * exp(-RATE * TIMES[1]) * 0.064
    assert found.tia_mbq_s == pytest.approx(start * factor, rel=1e-5)
    assert 0.2 < found.relative_uncertainty < 0.4


def test_haenscheid_and_prior_of_one_image():
    _, images = _images()
    truth = _integrate(images).total_mbq_s
    by_rule = _integrate(images[2:3], TIMES[2:3], kinetics="haenscheid")
    assert by_rule.total_mbq_s == pytest.approx(truth, rel=0.10)
    by_prior = _integrate(
        images[2:3], TIMES[2:3], kinetics="prior", effective_half_life_s=60 * HOUR
    )
    assert by_prior.total_mbq_s == pytest.approx(truth, rel=0.03)
    assert 0 < by_prior.relative_uncertainty < 0.1


def test_trapezoid_is_above_the_truth_by_its_tail():
    start, images = _images()
    found = _integrate(images, kinetics="trapezoid", start="physical-decay")
    excess = found.total_mbq_s / (start.sum() * 0.064 / RATE) - 1.0
    assert 0.0 < excess < 0.5
    assert excess < 2.0 * found.relative_uncertainty
    assert any("extrapolated" in note for note in found.notes)


def test_regions_hold_the_integral_of_their_own_curve():
    _, images = _images(noise=0.1)
    labels = np.zeros(GRID.shape, dtype=np.uint16)
    labels[1:3] = 1
    labels[3] = 2
    names = {1: "liver", 2: "spleen", 7: "absent"}
    curves = region_curves(GRID, images, TIMES, labels, names, LU177)
    assert [curve.region for curve in curves] == ["liver", "spleen"]
    assert curves[0].activity_mbq[0] == pytest.approx(
        images[0][1:3].sum(dtype=np.float64), rel=1e-6
    )
    fits = [fit_curve(curve, "mono").result for curve in curves]
    scaled = scaled_to_regions(_integrate(images), labels, names, fits)
    for label, fit in zip((1, 2), fits, strict=True):
        assert scaled.tia_mbq_s[labels == label].sum() == pytest.approx(fit.tia_mbq_s)
        assert np.all(scaled.relative_uncertainty[labels == label] == fit.relative_uncertainty)


def test_more_activity_than_was_given_is_refused():
    _, images = _images()
    with pytest.raises(InputError, match="units, calibration, administered activity or times"):
        _integrate(images, administered_activity_mbq=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinetics": "cubic"}, "unknown kinetics"),
        ({"kinetics": "physical"}, "is for one image, 4 are given"),
        ({"times": TIMES[::-1]}, "out of order"),
        ({"times": TIMES[:3]}, "4 images but 3 times"),
    ],
)
def test_bad_choices_are_refused(options, message):
    _, images = _images()
    with pytest.raises(InputError, match=message):
        _integrate(images, **options)


def test_bad_images_are_refused():
    _, images = _images()
    with pytest.raises(InputError, match="one time point"):
        _integrate(images[:1], TIMES[:1])
    with pytest.raises(InputError, match="effective half-life"):
        _integrate(images[:1], TIMES[:1], kinetics="prior")
    with pytest.raises(GeometryError, match="resample"):
        _integrate([images[0][1:], *images[1:]])
    with pytest.raises(InputError, match="image 2 has negative"):
        _integrate([images[0], -images[1], *images[2:]])
    with pytest.raises(InputError, match="not known"):
        _integrate(images).coefficient_s()
    with pytest.raises(InputError, match="no voxel"):
        TimeIntegratedActivity(
            grid=GRID, tia_mbq_s=np.zeros(GRID.shape), relative_uncertainty=0.0, method="",
            administered_activity_mbq=None, nuclide="Lu-177",
        )  # fmt: skip

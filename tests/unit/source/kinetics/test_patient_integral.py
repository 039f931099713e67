"""Images of one administration on a patient's grid: what is carried over, what is refused."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from milligray.errors import GeometryError, InputError
from milligray.read.activity_series import ActivityImage
from milligray.source.activity_on_patient import PatientActivity
from milligray.source.kinetics.patient_integral import integrate_patient_activity
from milligray.source.nuclide import load_nuclide
from milligray.source.registration import no_registration
from milligray.volume import Grid

HOUR = 3600.0
GRID = Grid.from_spacing((3, 4, 5), (4.0, 4.0, 4.0))
RATE = log(2.0) / (60 * HOUR)


def _point(time_h, **changes):
    factor = exp(-RATE * time_h * HOUR)
    image = ActivityImage(
        grid=GRID,
        activity_mbq_ml=np.full(GRID.shape, 10.0 * factor),
        reference_s_after_administration=time_h * HOUR,
        nuclide="Lu-177",
        half_life_s=574_300.0,
        administered_activity_mbq=7400.0,
    )
    image = replace(image, **changes)
    return PatientActivity(
        grid=GRID, activity_mbq=np.full(GRID.shape, 0.64 * factor), image=image,
        registration=no_registration(), outside_ct_fraction=0.0, outside_body_fraction=0.0,
        outside_grid_fraction=0.0, correction=1.0, notes=("placed",),
    )  # fmt: skip


def _points(**changes):
    return [_point(h, **changes) for h in (4.0, 24.0, 72.0, 168.0)]


def test_times_nuclide_and_activity_come_from_the_images():
    found = integrate_patient_activity(_points(), kinetics="mono")
    assert found.nuclide == "Lu-177"
    assert found.tia_mbq_s == pytest.approx(np.full(GRID.shape, 0.64 / RATE), rel=1e-3)
    assert found.coefficient_s() == pytest.approx(found.total_mbq_s / 7400.0)
    assert "placed" in found.notes


def test_given_values_win_and_are_noted():
    found = integrate_patient_activity(
        _points(nuclide=None), kinetics="mono", nuclide="177Lu", administered_activity_mbq=7000.0
    )
    assert found.administered_activity_mbq == 7000.0
    assert any("7000 MBq as given; the images say 7400" in note for note in found.notes)


def test_one_image_by_physical_decay():
    found = integrate_patient_activity([_point(24.0)], kinetics="physical")
    decay = load_nuclide("Lu-177").decay_constant_per_s
    expected = 0.64 * exp(-RATE * 24 * HOUR) * exp(decay * 24 * HOUR) / decay
    assert found.tia_mbq_s == pytest.approx(np.full(GRID.shape, expected), rel=1e-9)


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"nuclide": "Y-90"}, {}, "Y-90 was asked for, but the images are of Lu-177"),
        ({}, {"nuclide": None}, "give the nuclide"),
        ({"nuclide": "Lu-178x"}, {}, "unknown nuclide"),
        ({}, {"half_life_s": 230_760.0}, "half-life of the image"),
    ],
)
def test_disagreeing_facts_are_refused(options, changes, message):
    with pytest.raises(InputError, match=message):
        integrate_patient_activity(_points(**changes), kinetics="mono", **options)


def test_bad_series_are_refused():
    with pytest.raises(InputError, match="no activity image"):
        integrate_patient_activity([], kinetics="mono")
    with pytest.raises(InputError, match="out of order"):
        integrate_patient_activity(_points()[::-1], kinetics="mono")
    other = replace(_point(200.0), grid=Grid.from_spacing((3, 4, 5), (4.0, 4.0, 4.1)))
    with pytest.raises(GeometryError, match="another grid"):
        integrate_patient_activity([*_points(), other], kinetics="mono")
    with pytest.raises(InputError, match="time after administration"):
        integrate_patient_activity(
            [_point(1.0, reference_s_after_administration=float("nan"))], kinetics="physical"
        )

"""The image of an anatomy is a CT like any other."""

import numpy as np
import pytest

from milligray.anatomy import Anatomy, anatomy_ct
from milligray.anatomy.image import cropped
from milligray.patient import build_patient
from milligray.segment import segment_organs
from milligray.segment.plausibility import implausible_organs


@pytest.mark.parametrize(
    ("person", "low_mm", "high_mm"),
    [("man", 1400.0, None), ("woman", 1300.0, None), ("woman", 780.0, 1000.0)],
)
def test_its_organs_look_like_what_they_are_called(
    person: str, low_mm: float, high_mm: float | None, request: pytest.FixtureRequest
) -> None:
    ct, labels = anatomy_ct(cropped(request.getfixturevalue(person), low_mm, high_mm))
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=8.0)
    assert implausible_organs(patient, segment_organs(patient, labels)) == ()


def test_a_cropped_anatomy_lies_where_it_lay(man: Anatomy) -> None:
    part = cropped(man, 1000.0, 1400.0)
    z = part.grid.axis_centers_mm(0)
    assert 1000.0 <= z[0] < 1000.0 + man.grid.spacing_mm[0]
    assert 1400.0 - man.grid.spacing_mm[0] < z[-1] <= 1400.0
    rows = np.isin(man.grid.axis_centers_mm(0).round(3), z.round(3))
    assert np.count_nonzero(part.structure) == np.count_nonzero(man.structure[rows])
    assert set(part.names) == set(np.unique(part.structure).tolist()) - {0}

import pytest

from milligray.errors import InputError
from milligray.exam.predict_settings import PredictSettings
from milligray.exam.settings import CtSettings


def test_settings_of_a_list_hold_for_predictions_too():
    given = CtSettings(scanner="generic", couch="keep", extend_mm=10.0, threads=3)
    found = PredictSettings.from_ct_settings(given, beyond_validity=True)
    assert (found.scanner, found.couch, found.extend_mm, found.threads) == (
        "generic",
        "keep",
        10.0,
        3,
    )
    assert found.beyond_validity
    assert found.voxel_size_mm is None


@pytest.mark.parametrize(
    "wrong", [{"voxel_size_mm": -1.0}, {"couch": "maybe"}, {"segmenter": "magic"}, {"threads": 0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        PredictSettings(**wrong)

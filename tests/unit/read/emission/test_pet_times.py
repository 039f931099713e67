"""When a PET was measured, and when its tracer was given: every clock, and every wrong one."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.read import ActivityFacts, read_activity, read_pet_frames, read_pet_series

HALF_LIFE_S = 6586.2
GIVEN = datetime(2026, 2, 24, 10, 0, 0)
SCAN = datetime(2026, 2, 24, 11, 0, 0)
FRAME_S = 180.0
MIDDLE_S = 3600.0 + FRAME_S
ACTIVITY_MBQ = 300.0
WEIGHT_KG = 70.0


def left(seconds):
    return np.exp2(-np.asarray(seconds) / HALF_LIFE_S)


def mean_over(start_s, length_s):
    """By a fine sum, not by the formula of the code."""
    t = start_s + length_s * (np.arange(20000) + 0.5) / 20000
    return float(left(t).mean())


def bed_s(k):
    return 3600.0 + FRAME_S * (k // 3)


def set_item(dataset, **changes):
    item = dataset.RadiopharmaceuticalInformationSequence[0]
    for name, value in changes.items():
        if value is None:
            delattr(item, name)
        else:
            setattr(item, name, value)


def assert_is_truth(image, at_administration, rtol=1e-4):
    """The concentration at the middle of the measurement, decayed from the administration."""
    assert image.reference_s_after_administration == pytest.approx(MIDDLE_S)
    expected = at_administration * 1e-6 * left(MIDDLE_S)
    np.testing.assert_allclose(image.activity_mbq_ml, expected, rtol=rtol, atol=1e-4 * 0.02)
    assert image.grid.spacing_mm == pytest.approx((3.0, 4.0, 5.0))
    np.testing.assert_allclose(image.grid.to_lps_mm([0, 0, 0]), (-20, -30, -100))


def test_times_across_midnight_and_without_dates(write_pet, at_administration):
    """Injected 23:30, scanned 00:30: only times of day are given."""

    def night(dataset):
        set_item(dataset, RadiopharmaceuticalStartDateTime=None,
                 RadiopharmaceuticalStartTime="233000")  # fmt: skip

    folder = write_pet(
        at_administration * left(3600.0), alter=night, SeriesTime="003000",
        per_slice=lambda k: {"AcquisitionTime": "003000" if k < 3 else "003300"},
    )  # fmt: skip
    image = read_pet_series(folder)
    assert_is_truth(image, at_administration)
    assert image.administration_time == datetime(2026, 2, 23, 23, 30)
    assert any("on the day before" in note for note in image.notes)


def test_date_of_the_administration_after_the_scan_is_mended_for_short_lives(
    write_pet, at_administration
):
    def shifted(dataset):
        set_item(dataset, RadiopharmaceuticalStartDateTime="20260225100000")

    image = read_pet_series(write_pet(at_administration * left(3600.0), alter=shifted))
    assert_is_truth(image, at_administration)
    assert any("AFTER the scan" in note for note in image.notes)


def test_date_of_the_administration_after_the_scan_is_refused_for_long_lives(
    write_pet, at_administration
):
    def shifted(dataset):
        set_item(dataset, RadiopharmaceuticalStartDateTime="20260225100000",
                 RadionuclideHalfLife=282240.0)  # fmt: skip

    with pytest.raises(InputError, match="AFTER the scan; give administration_time"):
        read_pet_series(write_pet(at_administration, alter=shifted))


def test_time_of_day_alone_tells_nothing_of_a_nuclide_that_lives_for_days(
    write_pet, at_administration
):
    def zirconium(dataset):
        set_item(dataset, RadiopharmaceuticalStartDateTime=None, RadionuclideHalfLife=282240.0)

    image = read_pet_series(write_pet(at_administration, alter=zirconium))
    assert np.isnan(image.reference_s_after_administration)
    assert any("give administration_time" in note for note in image.notes)
    facts = ActivityFacts(administration_time=GIVEN - timedelta(days=3))
    image = read_pet_series(write_pet(at_administration, "b", alter=zirconium), facts=facts)
    assert image.reference_s_after_administration == pytest.approx(MIDDLE_S + 3 * 86400.0)


def test_processed_later_takes_the_scan_start_of_ge(write_pet, at_administration):
    """SeriesTime after the acquisition; the private time is one minute before the first bed."""

    def ge(dataset):
        dataset.add_new((0x0009, 0x0010), "LO", "GEMS_PETD_01")
        dataset.add_new((0x0009, 0x100D), "DT", "20260224105900.00")

    later = {"SeriesTime": "153000"}
    image = read_pet_series(write_pet(at_administration * left(3540.0), "a", alter=ge, **later))
    assert_is_truth(image, at_administration)
    assert any("GE's private start" in note for note in image.notes)
    image = read_pet_series(write_pet(at_administration * left(3600.0), "b", **later))
    assert_is_truth(image, at_administration)
    assert any("earliest AcquisitionTime" in note for note in image.notes)


def test_decay_factors_tell_that_each_bed_has_its_own_reference(write_pet, at_administration):
    stored = at_administration * np.array([left(bed_s(k)) for k in range(6)])[:, None, None]
    factor = left(0.0) / mean_over(0.0, FRAME_S)
    image = read_pet_series(write_pet(stored, per_slice=lambda _: {"DecayFactor": f"{factor:.8f}"}))
    # two beds are 180 s apart: 1.9 % of F-18 decays, more than the 1 % that is left alone
    assert_is_truth(image, at_administration)
    assert any("every bed position was corrected to its own start" in n for n in image.notes)


def test_decay_factors_that_agree_change_nothing(write_pet, at_administration):
    def factor(k):
        return {"DecayFactor": f"{left(3600.0) / mean_over(bed_s(k), FRAME_S):.8f}"}

    image = read_pet_series(write_pet(at_administration * left(3600.0), per_slice=factor))
    assert_is_truth(image, at_administration)
    assert not any("decay factor" in note for note in image.notes)


def test_contradicting_decay_factor_is_refused_until_the_user_decides(write_pet, at_administration):
    def factor(k):
        return {"DecayFactor": f"{1.0 / mean_over(bed_s(k), FRAME_S):.8f}"}

    folder = write_pet(at_administration, per_slice=factor)
    with pytest.raises(InputError, match="fits another time"):
        read_pet_series(folder)
    chosen = ActivityFacts(decay_reference="administration")
    assert_is_truth(read_pet_series(folder, facts=chosen), at_administration)


def test_dynamic_series_gives_its_frames_in_order(write_pet, at_administration):
    """Three frames of one place, decay-corrected to the series start."""
    starts = [0.0, 600.0, 1800.0]
    uptake = [0.2, 0.7, 1.0]
    folder = None
    for number in (2, 0, 1):
        start = SCAN + timedelta(seconds=starts[number])
        attributes = {"AcquisitionTime": start.strftime("%H%M%S"), "ActualFrameDuration": 600000}
        folder = write_pet(
            at_administration * uptake[number] * left(3600.0),
            f"dynamic/{number}",
            SeriesType=["DYNAMIC", "IMAGE"],
            per_slice=lambda _, a=attributes: a,
        )
    with pytest.raises(InputError, match="dynamic, 3 time frames"):
        read_activity(folder.parent)
    frames = read_pet_frames(folder.parent)
    times = [frame.reference_s_after_administration for frame in frames]
    assert times == pytest.approx([3600.0 + s + 300.0 for s in starts])
    for frame, part, time in zip(frames, uptake, times, strict=True):
        expected = part * at_administration * 1e-6 * left(time)
        np.testing.assert_allclose(frame.activity_mbq_ml, expected, rtol=2e-4, atol=1e-6)


def test_half_life_is_asked_where_the_header_has_none(write_pet, at_administration):
    folder = write_pet(
        at_administration * left(3600.0), alter=lambda d: set_item(d, RadionuclideHalfLife=None)
    )
    asked = []

    def table(nuclide):
        asked.append(nuclide)
        return HALF_LIFE_S

    image = read_activity(folder, half_life_of=table)
    assert_is_truth(image, at_administration)
    assert asked == ["F-18"]
    assert any("that of F-18, 6586.2 s, was taken" in note for note in image.notes)


def test_nuclide_of_the_user_brings_its_own_half_life(write_pet, at_administration):
    """The header's half-life belongs to the header's nuclide."""
    folder = write_pet(at_administration * left(3600.0))
    facts = ActivityFacts(nuclide="68Ga")
    with pytest.raises(InputError, match="give half_life_s"):
        read_pet_series(folder, facts=facts)
    image = read_pet_series(folder, facts=facts, half_life_of=lambda _: 4070.0)
    assert (image.nuclide, image.half_life_s) == ("Ga-68", 4070.0)
    assert any("says Ga-68, the header F-18" in note for note in image.notes)


def test_start_in_another_zone_than_its_time_of_day(write_pet, at_administration):
    """09:00 UTC beside 10:00 on the scanner's clock; and with the zone of the file told."""
    stored = at_administration * left(3600.0)
    utc = {"RadiopharmaceuticalStartDateTime": "20260224090000.000000+0000"}
    image = read_pet_series(write_pet(stored, "a", alter=lambda d: set_item(d, **utc)))
    assert_is_truth(image, at_administration)
    assert any("another clock" in note for note in image.notes)
    image = read_pet_series(
        write_pet(stored, "b", TimezoneOffsetFromUTC="+0100", alter=lambda d: set_item(d, **utc))
    )
    assert_is_truth(image, at_administration)
    assert not any("clock" in note for note in image.notes)


def test_frame_reference_time_that_does_not_fit_is_noted(write_pet, at_administration):
    stored = at_administration * left(3600.0)
    fits = write_pet(
        stored, "a", per_slice=lambda k: {"FrameReferenceTime": 1000 * (bed_s(k) - 3600.0 + 90.0)}
    )
    assert not any("FrameReferenceTime" in note for note in read_pet_series(fits).notes)
    image = read_pet_series(write_pet(stored, "b", FrameReferenceTime=3600000))
    assert_is_truth(image, at_administration)
    assert any("FrameReferenceTime would put" in note for note in image.notes)


def test_half_life_in_minutes_is_refused_by_the_tables(write_pet, at_administration):
    folder = write_pet(
        at_administration * left(3600.0), alter=lambda d: set_item(d, RadionuclideHalfLife=109.77)
    )
    with pytest.raises(InputError, match="in another unit or of another nuclide"):
        read_activity(folder, half_life_of=lambda _: HALF_LIFE_S)
    with pytest.raises(InputError, match=r"the half-life of 109\.77 s is wrong"):
        read_activity(folder)


def test_time_of_the_user_replaces_that_of_the_header(write_pet, at_administration):
    folder = write_pet(at_administration * left(3600.0))
    facts = ActivityFacts(administration_time=GIVEN - timedelta(minutes=8), origin="the report")
    image = read_pet_series(folder, facts=facts)
    assert image.reference_s_after_administration == pytest.approx(MIDDLE_S + 480.0)
    assert any("of the report taken: 8.0 min earlier" in note for note in image.notes)
    late = ActivityFacts(administration_time=SCAN + timedelta(hours=1))
    with pytest.raises(InputError, match="AFTER the scan"):
        read_pet_series(folder, facts=late)


def test_what_the_scanner_did_not_know_does_not_change_what_it_measured(
    write_pet, at_administration
):
    """SUV and ADMIN were made with the header's activity, weight and time."""
    suv = at_administration * WEIGHT_KG * 1000.0 / (ACTIVITY_MBQ * 1e6)
    facts = ActivityFacts(
        administered_activity_mbq=250.0, residual_activity_mbq=10.0, weight_kg=90.0,
        administration_time=GIVEN - timedelta(minutes=10),
    )  # fmt: skip
    for image in (
        read_pet_series(write_pet(suv, "suv", Units="GML", SUVType="BW"), facts=facts),
        read_pet_series(write_pet(at_administration, "a", DecayCorrection="ADMIN"), facts=facts),
        read_pet_series(write_pet(at_administration * left(3600.0), "s"), facts=facts),
    ):
        expected = at_administration * 1e-6 * left(MIDDLE_S)
        np.testing.assert_allclose(image.activity_mbq_ml, expected, rtol=2e-4, atol=1e-6)
        assert image.reference_s_after_administration == pytest.approx(MIDDLE_S + 600.0)
        assert image.administered_activity_mbq == 240.0


@pytest.mark.parametrize("start", ["20260224110500", None])
def test_clocks_that_do_not_fit_are_refused(write_pet, at_administration, start):
    """Five minutes after the scan is no injection of the day before: nothing would be left."""

    def late(dataset):
        set_item(dataset, RadiopharmaceuticalStartDateTime=start,
                 RadiopharmaceuticalStartTime="110500")  # fmt: skip

    with pytest.raises(InputError, match="the clocks do not fit together"):
        read_pet_series(write_pet(at_administration * left(3600.0), alter=late))


def test_frames_without_times_of_their_own_are_refused(write_pet, at_administration):
    """Told apart by FrameReferenceTime, but all acquired at one time, it says."""
    for number in range(3):
        attributes = {"AcquisitionTime": "110000", "FrameReferenceTime": 60000 * (number + 1)}
        folder = write_pet(
            at_administration, f"dynamic/{number}", per_slice=lambda _, a=attributes: a
        )
    with pytest.raises(InputError, match="do not have ascending AcquisitionTimes"):
        read_pet_frames(folder.parent)


def test_lost_slices_of_a_time_frame_are_noticed(write_pet, at_administration):
    for number in range(2):
        attributes = {"AcquisitionTime": f"11{number}000"}
        folder = write_pet(
            at_administration, f"dynamic/{number}", per_slice=lambda _, a=attributes: a
        )
    (folder / "im2.dcm").unlink()
    with pytest.raises(FormatError, match="occur 1 to 2 times"):
        read_pet_frames(folder.parent)


def test_two_reconstructions_in_one_series_are_refused(write_pet, at_administration):
    for number in range(2):
        folder = write_pet(at_administration * (1 + 0.1 * number), f"twice/{number}")
    with pytest.raises(InputError, match="2 times at one time"):
        read_pet_frames(folder.parent)

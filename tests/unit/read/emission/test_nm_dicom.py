"""SPECT: frames at their places, counts to activity, what decays, and what is no SPECT."""

from datetime import datetime

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from milligray.errors import FormatError, InputError
from milligray.read import ActivityFacts, SpectCalibration, read_activity, read_nm_series

LU177_S = 6.647 * 86400.0
SCAN_S, LENGTH_S = 86400.0, 900.0
VOXEL_ML = 0.06
FACTS = ActivityFacts(
    half_life_s=LU177_S,
    calibration=SpectCalibration(mbq_ml_per_unit=2e-3, relative_uncertainty=0.05),
)


@pytest.fixture
def counts():
    return np.random.default_rng(5).integers(1, 3000, (6, 5, 4)).astype(float)


def test_calibrated_counts_are_means_over_the_rotation(write_spect, counts):
    """Uncorrected for decay: the mean over 900 s equals the middle to (lambda T)^2/24."""
    image = read_nm_series(write_spect(counts), facts=FACTS)
    np.testing.assert_allclose(image.activity_mbq_ml, counts * 2e-3, rtol=1e-6)
    assert image.reference_s_after_administration == pytest.approx(SCAN_S + LENGTH_S / 2)
    assert image.frame_duration_s == LENGTH_S
    assert image.nuclide == "Lu-177"
    assert image.administered_activity_mbq == 7400.0
    assert image.calibration_relative_uncertainty == 0.05
    assert image.decay_correction == "NONE"
    assert image.grid.spacing_mm == pytest.approx((3, 4, 5))


def test_sensitivity_counts_the_whole_rotation(write_spect, counts):
    """A known activity gives sensitivity x activity x time counts; so backwards."""
    activity_mbq = 100.0
    share = counts / counts.sum()
    stored = np.rint(share * activity_mbq * 9.3 * LENGTH_S)
    facts = ActivityFacts(
        half_life_s=LU177_S, calibration=SpectCalibration(sensitivity_cps_per_mbq=9.3)
    )
    image = read_activity(write_spect(stored, BitsStored=16), facts=facts)
    assert image.total_activity_mbq == pytest.approx(activity_mbq, rel=1e-3)
    assert any("by the header" in note for note in image.notes)


@pytest.mark.parametrize(("step", "sign"), [(3.0, 1), (-3.0, -1)])
def test_frames_are_stacked_by_the_sign_of_their_spacing(write_spect, counts, step, sign):
    """Frame n lies n x spacing along row x column from the detector's position."""
    image = read_nm_series(write_spect(counts, SpacingBetweenSlices=step), facts=FACTS)
    assert image.grid.is_axis_aligned
    for frame in range(6):
        point = (-20.0, -30.0, -100.0 + sign * 3.0 * frame)
        k, j, i = np.rint(image.grid.to_index_kji(point)).astype(int)
        assert (j, i) == (0, 0)
        assert image.activity_mbq_ml[k, j, i] == pytest.approx(counts[frame, 0, 0] * 2e-3)


def test_feet_first_and_oblique_frames(write_spect, counts):
    """Feet first supine: rows run to the right, the normal points to the feet; and cardiac."""
    tilt = np.deg2rad(30.0)
    for name, orientation in {
        "ffs.dcm": (-1, 0, 0, 0, 1, 0),
        "oblique.dcm": (np.cos(tilt), 0, np.sin(tilt), 0, 1, 0),
    }.items():
        image = read_nm_series(write_spect(counts, name, orientation=orientation), facts=FACTS)
        row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
        normal = np.cross(row, column)
        assert image.grid.is_axis_aligned == (name == "ffs.dcm")
        for f, r, c in np.ndindex(6, 5, 4):
            point = np.array([-20.0, -30, -100]) + 3 * f * normal + 4 * r * column + 5 * c * row
            at = tuple(np.rint(image.grid.to_index_kji(point)).astype(int))
            assert image.activity_mbq_ml[at] == pytest.approx(counts[f, r, c] * 2e-3)


def test_slice_vector_numbers_the_frames(write_spect, counts):
    """Frames stored in reverse, numbered so."""
    path = write_spect(
        counts[::-1], alter=lambda d: d.add_new((0x0054, 0x0080), "US", [6, 5, 4, 3, 2, 1])
    )
    image = read_nm_series(path, facts=FACTS)
    np.testing.assert_allclose(image.activity_mbq_ml, counts * 2e-3, rtol=1e-6)
    path = write_spect(
        counts, "b.dcm", alter=lambda d: d.add_new((0x0054, 0x0080), "US", [1, 2, 3, 1, 2, 3])
    )
    with pytest.raises(FormatError, match="SliceVector"):
        read_nm_series(path, facts=FACTS)


def test_quantitative_spect_by_units_and_by_mapping(write_spect, counts):
    def mapped(dataset):
        item, unit = Dataset(), Dataset()
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "Bq/ml", "UCUM", "Bq/ml"
        item.MeasurementUnitsCodeSequence = Sequence([unit])
        item.RealWorldValueSlope, item.RealWorldValueIntercept = 250.0, 0.0
        dataset.RealWorldValueMappingSequence = Sequence([item])
        dataset.RescaleSlope = 7.0  # must not be applied before the mapping

    facts = ActivityFacts(half_life_s=LU177_S)
    image = read_nm_series(write_spect(counts, alter=mapped), facts=facts)
    np.testing.assert_allclose(image.activity_mbq_ml, counts * 250e-6, rtol=1e-6)
    path = write_spect(counts, "units.dcm", Units="BQML", RescaleSlope=40.0)
    image = read_nm_series(path, facts=facts)
    np.testing.assert_allclose(image.activity_mbq_ml, counts * 40e-6, rtol=1e-6)
    with pytest.raises(InputError, match="give a calibration"):
        read_nm_series(write_spect(counts, "counts.dcm"), facts=facts)


def test_short_lives_need_a_decay_reference(write_spect, counts):
    """Tc-99m loses 2.8 % in 900 s: where the header is silent the user has to say."""
    short = ActivityFacts(
        half_life_s=21624.0, nuclide="Tc-99m", calibration=FACTS.calibration,
        administration_time=datetime(2026, 2, 24, 9, 0),
    )  # fmt: skip
    path = write_spect(counts, CorrectedImage=None)
    with pytest.raises(InputError, match="does not tell whether it is decay-corrected"):
        read_nm_series(path, facts=short)
    start = read_nm_series(path, facts=ActivityFacts(decay_reference="start").over(short))
    middle = read_nm_series(path, facts=ActivityFacts(decay_reference="middle").over(short))
    ratio = start.total_activity_mbq / middle.total_activity_mbq
    assert ratio == pytest.approx(2.0 ** (-450.0 / 21624.0), rel=1e-5)
    path = write_spect(counts, "decy.dcm", CorrectedImage=["ATTN", "SCAT", "DECY"])
    noted = read_nm_series(path, facts=short)
    assert noted.total_activity_mbq == pytest.approx(start.total_activity_mbq)
    assert any("does not say to when" in note for note in noted.notes)
    assert noted.reference_s_after_administration == pytest.approx(7200.0 + 450.0)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("WHOLE BODY", "planar whole-body"),
        ("STATIC", "planar static"),
        ("TOMO", "not reconstructed"),
        ("RECON GATED TOMO", "gated"),
        ("PARAMETRIC", "of type PARAMETRIC"),
    ],
)
def test_what_is_no_spect_is_refused_with_the_reason(write_spect, counts, kind, words):
    path = write_spect(counts, ImageType=["ORIGINAL", "PRIMARY", kind, "EMISSION"])
    with pytest.raises(InputError, match=words):
        read_activity(path, facts=FACTS)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"DetectorInformationSequence": None}, "no position or orientation"),
        ({"SpacingBetweenSlices": None, "SliceThickness": None}, "height"),
        ({"EnergyWindowVector": [1, 1, 1, 2, 2, 2]}, "several energy windows"),
        ({"NumberOfTimeSlots": 8}, "several gates"),
    ],
)
def test_incomplete_geometry_is_refused(write_spect, counts, attributes, words):
    with pytest.raises(InputError, match=words):
        read_nm_series(write_spect(counts, **attributes), facts=FACTS)


def test_uncorrected_attenuation_and_missing_half_life_are_refused(write_spect, counts):
    path = write_spect(counts, Units="BQML", CorrectedImage=["UNIF"])
    with pytest.raises(InputError, match="no attenuation correction"):
        read_nm_series(path, facts=ActivityFacts(half_life_s=LU177_S))
    with pytest.raises(InputError, match="give half_life_s of Lu-177"):
        read_nm_series(path, facts=ActivityFacts(calibration=FACTS.calibration))


def test_calibration_is_one_factor():
    with pytest.raises(InputError, match="one of them"):
        SpectCalibration()
    with pytest.raises(InputError, match="must be > 0"):
        SpectCalibration(mbq_ml_per_unit=-1.0)


def test_single_frame_files_are_one_image(write_spect, counts):
    """Some workstations write every slice of a SPECT as an object of its own."""
    for k in range(6):
        path = write_spect(
            counts[k : k + 1], f"single/{k}.dcm", position=(-20, -30, -100 + 3.0 * k),
            NumberOfFrames=None, InstanceNumber=k + 1,
        )  # fmt: skip
    image = read_nm_series(path.parent, facts=FACTS)
    np.testing.assert_allclose(image.activity_mbq_ml, counts * 2e-3, rtol=1e-6)
    assert image.grid.spacing_mm == pytest.approx((3, 4, 5))

"""One activity in a patient, written in every way that scanners write it, is read as one."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from milligray.errors import FormatError, GeometryError, InputError
from milligray.read import ActivityFacts, read_activity, read_pet_series

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


def test_start_correction_to_the_series_start(write_pet, at_administration):
    image = read_pet_series(write_pet(at_administration * left(3600.0)))
    assert_is_truth(image, at_administration)
    assert image.nuclide == "F-18"
    assert image.half_life_s == HALF_LIFE_S
    assert image.administered_activity_mbq == ACTIVITY_MBQ
    assert image.administration_time == GIVEN
    assert image.acquisition_time == SCAN
    assert image.frame_duration_s == 2 * FRAME_S
    assert (image.decay_correction, image.units, image.modality) == ("START", "BQML", "PT")
    assert image.patient.weight_kg == WEIGHT_KG
    assert any("measured over 6.0 min" in note for note in image.notes)
    assert not image.activity_mbq_ml.flags.writeable


def test_correction_to_the_administration(write_pet, at_administration):
    folder = write_pet(at_administration, DecayCorrection="ADMIN")
    assert_is_truth(read_pet_series(folder), at_administration)


def test_uncorrected_means_over_each_bed(write_pet, at_administration):
    means = np.array([mean_over(bed_s(k), FRAME_S) for k in range(6)])
    folder = write_pet(
        at_administration * means[:, None, None],
        DecayCorrection="NONE",
        CorrectedImage=["ATTN", "SCAT"],
    )
    assert_is_truth(read_pet_series(folder), at_administration)


def test_suv_is_turned_back_whatever_reference_it_names(write_pet, at_administration):
    suv = at_administration * WEIGHT_KG * 1000.0 / (ACTIVITY_MBQ * 1e6)
    for name in ("START", "ADMIN"):
        folder = write_pet(suv, name, Units="GML", SUVType="BW", DecayCorrection=name)
        assert_is_truth(read_pet_series(folder), at_administration)


def test_philips_counts_by_both_private_factors(write_pet, at_administration):
    def philips(dataset, concentration, suv):
        dataset.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
        if suv:
            dataset.add_new((0x7053, 0x1000), "DS", f"{suv:.9g}")
        if concentration:
            dataset.add_new((0x7053, 0x1009), "DS", f"{concentration:.9g}")

    counts = at_administration * left(3600.0) / 0.37
    folder = write_pet(counts, "a", Units="CNTS", alter=lambda d: philips(d, 0.37, 99.0))
    assert_is_truth(read_pet_series(folder), at_administration)
    to_suv = 0.37 * WEIGHT_KG * 1000.0 / (ACTIVITY_MBQ * 1e6 * left(3600.0))
    folder = write_pet(counts, "b", Units="CNTS", alter=lambda d: philips(d, 0, to_suv))
    assert_is_truth(read_pet_series(folder), at_administration)
    with pytest.raises(InputError, match=r"CNTS .* without Philips"):
        read_pet_series(write_pet(counts, "c", Units="CNTS"))


def test_real_world_value_mapping_where_units_are_missing(write_pet, at_administration):
    def mapped(dataset):
        item, unit = Dataset(), Dataset()
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "kBq/ml", "UCUM", "kBq/ml"
        item.MeasurementUnitsCodeSequence = Sequence([unit])
        item.RealWorldValueSlope = float(dataset.RescaleSlope) * 1e-3
        item.RealWorldValueIntercept = 0.0
        dataset.RescaleSlope = 1
        dataset.RealWorldValueMappingSequence = Sequence([item])

    folder = write_pet(at_administration * left(3600.0), Units=None, alter=mapped)
    assert_is_truth(read_pet_series(folder), at_administration)


def test_enhanced_pet_with_its_own_times(write_pet, save_slice, tmp_path, at_administration):
    """Frames of one object; decay-corrected to a stated moment."""
    stored = at_administration * left(3600.0)
    single = write_pet(stored[:1], "one")
    from pydicom import dcmread

    dataset = dcmread(single / "im1.dcm")
    slope = stored.max() / 32767.0
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Units",
                 "SliceThickness", "RescaleSlope", "RescaleIntercept", "DecayCorrection",
                 "AcquisitionTime", "ActualFrameDuration", "FrameReferenceTime",
                 "CorrectedImage"):  # fmt: skip
        delattr(dataset, name)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.130"
    dataset.NumberOfFrames = 6
    dataset.DecayCorrected, dataset.AttenuationCorrected = "YES", "YES"
    dataset.DecayCorrectionDateTime = "20260224110000"

    def item(**attributes):
        made = Dataset()
        for name, value in attributes.items():
            setattr(made, name, value)
        return Sequence([made])

    unit = item(CodeValue="Bq/ml", CodingSchemeDesignator="UCUM", CodeMeaning="Bq/ml")
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=[4.0, 5.0], SliceThickness=3.0)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.RealWorldValueMappingSequence = item(
        RealWorldValueSlope=slope, RealWorldValueIntercept=0.0, MeasurementUnitsCodeSequence=unit
    )
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in range(6):
        groups = Dataset()
        groups.PlanePositionSequence = item(ImagePositionPatient=[-20, -30, -100 + 3.0 * k])
        start = GIVEN + timedelta(seconds=bed_s(k))
        groups.FrameContentSequence = item(
            FrameAcquisitionDateTime=start.strftime("%Y%m%d%H%M%S"),
            FrameAcquisitionDuration=FRAME_S * 1000,
        )
        frames.append(groups)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.PixelData = np.rint(stored / slope).astype("<i2").tobytes()
    path = save_slice(dataset, tmp_path / "enhanced" / "pet.dcm")
    assert_is_truth(read_pet_series(path), at_administration, rtol=1e-3)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"Units": None}, "no unit"),
        ({"Units": "CPS"}, "Units .* are CPS"),
        ({"Units": "GML", "SUVType": "LBM"}, "type LBM"),
        ({"DecayCorrection": None}, "is missing: the time for which"),
        ({"DecayCorrection": "NONE"}, "names a decay correction"),
        ({"CorrectedImage": ["ATTN"]}, "names no decay correction"),
        ({"CorrectedImage": ["DECY", "SCAT"]}, "not corrected for attenuation"),
        ({"SeriesType": ["GATED", "IMAGE"]}, "gated"),
        ({"SeriesType": ["STATIC", "REPROJECTION"]}, "projections"),
        ({"RescaleSlope": None}, "RescaleSlope"),
        ({"AcquisitionTime": None, "SeriesTime": None}, "time of the measurement"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient"),
        ({"Units": "GML", "PatientWeight": None}, "give weight_kg"),
        ({"Units": "GML", "PatientWeight": 70000}, "weight of 70000 kg cannot be"),
    ],
)
def test_what_cannot_be_known_is_refused(write_pet, at_administration, attributes, words):
    suv = attributes.get("Units") == "GML"
    values = at_administration * left(3600.0) * (1e-4 if suv else 1.0)
    with pytest.raises(InputError, match=words):
        read_pet_series(write_pet(values, **attributes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RadionuclideHalfLife": None}, "give half_life_s"),
        ({"RadionuclideTotalDose": 5e4}, "neither Bq nor MBq"),
        ({"RadionuclideTotalDose": 3e5}, "times what is left of the administered"),
    ],
)
def test_impossible_administrations_are_refused(write_pet, at_administration, changes, words):
    # 1e4 Bq/mL in 7 mL: 0.05 MBq is less than 300 MBq and more than 0.2 MBq left... scaled up
    values = at_administration * left(3600.0) * 10.0
    with pytest.raises(InputError, match=words):
        read_pet_series(write_pet(values, alter=lambda d: set_item(d, **changes)))


def test_activity_in_mbq_by_mistake_is_mended(write_pet, at_administration):
    folder = write_pet(
        at_administration * left(3600.0), alter=lambda d: set_item(d, RadionuclideTotalDose=300)
    )
    image = read_pet_series(folder)
    assert image.administered_activity_mbq == 300.0
    assert any("cannot be in Bq" in note for note in image.notes)


def test_residual_of_the_user_is_taken_off(write_pet, at_administration):
    folder = write_pet(at_administration * left(3600.0))
    image = read_pet_series(folder, facts=ActivityFacts(residual_activity_mbq=12.0))
    assert image.administered_activity_mbq == 288.0
    with pytest.raises(InputError, match="residual"):
        read_pet_series(folder, facts=ActivityFacts(residual_activity_mbq=400.0))


def test_missing_and_uneven_slices_are_refused(write_pet, at_administration):
    folder = write_pet(at_administration)
    (folder / "im3.dcm").unlink()
    with pytest.raises(FormatError, match="1 slice is missing"):
        read_pet_series(folder)
    shifts = (0, 3, 6, 10, 14, 18)
    folder = write_pet(
        at_administration, "b", per_slice=lambda k: {"ImagePositionPatient": [0, 0, shifts[k]]}
    )
    with pytest.raises(GeometryError, match="unevenly spaced"):
        read_pet_series(folder)


def test_negative_voxels_of_noise_are_spread_and_more_are_refused(write_pet, at_administration):
    values = at_administration * left(3600.0)
    values[:, 0, :] = -0.002 * values[:, 1:, :].sum() / values[:, 0, :].size
    image = read_pet_series(write_pet(values))
    total = values.sum() * 1e-6 * left(MIDDLE_S - 3600.0)
    assert image.activity_mbq_ml.min() == 0
    assert image.activity_mbq_ml.sum() == pytest.approx(total, rel=1e-4)
    assert any("negative voxels" in note for note in image.notes)
    values[:, 0, :] *= 10
    with pytest.raises(InputError, match="negative voxels hold 2"):
        read_pet_series(write_pet(values, "b"))
    with pytest.raises(InputError, match="no voxel holds activity"):
        read_pet_series(write_pet(values * 0.0, "c"))


def test_prone_and_oblique_series_keep_every_voxel_at_its_place(write_pet, at_administration):
    """Each voxel's place by the DICOM equation, its value found there in the image."""
    tilt = np.deg2rad(20.0)
    row = np.array([np.cos(tilt), np.sin(tilt), 0.0])
    for name, (along_row, along_column) in {
        "prone": (np.array([-1.0, 0, 0]), np.array([0, -1.0, 0])),
        "oblique": (row, np.array([-np.sin(tilt), np.cos(tilt), 0.0])),
        "coronal": (np.array([1.0, 0, 0]), np.array([0, 0, -1.0])),
    }.items():
        normal = np.cross(along_row, along_column)

        def place(k, normal=normal, along_row=along_row, along_column=along_column):
            return {
                "ImagePositionPatient": [f"{v:.8g}" for v in 3.0 * k * normal],
                "ImageOrientationPatient": [f"{v:.10g}" for v in (*along_row, *along_column)],
            }

        stored = at_administration * left(3600.0)
        image = read_pet_series(write_pet(stored, name, per_slice=place))
        assert image.grid.is_axis_aligned == (name != "oblique")
        for k, j, i in np.ndindex(6, 5, 4):
            point = 3.0 * k * normal + 4.0 * j * along_column + 5.0 * i * along_row
            index = image.grid.to_index_kji(point)
            at = tuple(np.rint(index).astype(int))
            np.testing.assert_allclose(index, at, atol=1e-5)
            expected = at_administration[k, j, i] * 1e-6 * left(MIDDLE_S)
            assert image.activity_mbq_ml[at] == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_ct_and_several_pets_in_a_folder(write_pet, write_series, hu, at_administration, tmp_path):
    write_pet(at_administration * left(3600.0), "exam/pet")
    write_series(hu, "exam/ct")
    assert read_activity(tmp_path / "exam").grid.shape == (6, 5, 4)
    write_pet(at_administration, "exam/nac", SeriesInstanceUID="1.2.7", SeriesNumber=6,
              SeriesDescription="PET NAC", CorrectedImage=["DECY"])  # fmt: skip
    image = read_activity(tmp_path / "exam")
    assert any("not usable: not attenuation-corrected" in note for note in image.notes)
    write_pet(
        at_administration,
        "exam/psf",
        SeriesInstanceUID="1.2.8",
        SeriesNumber=6,
        SeriesDescription="PSF",
    )
    with pytest.raises(InputError, match=r"(?s)2 PET or NM series.*series 5.*series 6"):
        read_activity(tmp_path / "exam")
    assert read_activity(tmp_path / "exam", series="PET AC").grid.shape == (6, 5, 4)
    with pytest.raises(InputError, match="no PET or NM image in ct"):
        read_activity(tmp_path / "exam" / "ct")


def test_nobody_is_named_and_ignored_facts_are_refused(write_pet, at_administration):
    folder = write_pet(at_administration * left(3600.0))
    image = read_pet_series(folder)
    assert "SECRET" not in repr(image.patient) + repr(image.notes)
    assert "Doe" not in repr(image.patient) + repr(image.notes)
    with pytest.raises(InputError, match="units cannot be given"):
        read_pet_series(folder, facts=ActivityFacts(units="kBq/mL"))


def test_copies_of_files_are_left_out(write_pet, at_administration):
    folder = write_pet(at_administration * left(3600.0))
    (folder / "copy").mkdir()
    for file in list(folder.glob("*.dcm"))[:4]:
        (folder / "copy" / file.name).write_bytes(file.read_bytes())
    image = read_pet_series(folder)
    assert_is_truth(image, at_administration)
    assert any("4 copies of files" in note for note in image.notes)


def test_truncated_files_are_named(write_pet, at_administration):
    folder = write_pet(at_administration)
    file = folder / "im2.dcm"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(FormatError, match=r"im2\.dcm"):
        read_pet_series(folder)
    file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(FormatError, match=r"im2\.dcm"):
        read_pet_series(folder)


def test_folders_without_images_say_what_is_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_activity(tmp_path / "none")
    (tmp_path / "pet.nii.gz").write_bytes(b"x")
    with pytest.raises(InputError, match=r"give the NIfTI file itself, e\.g\. pet\.nii\.gz"):
        read_activity(tmp_path)


def test_user_fills_what_suv_lack(write_pet, at_administration):
    suv = at_administration * WEIGHT_KG * 1000.0 / (ACTIVITY_MBQ * 1e6)

    def bare(dataset):
        set_item(dataset, RadionuclideTotalDose=None, RadiopharmaceuticalStartDateTime=None,
                 RadiopharmaceuticalStartTime=None)  # fmt: skip

    folder = write_pet(suv, Units="GML", PatientWeight=None, alter=bare)
    facts = ActivityFacts(
        administered_activity_mbq=ACTIVITY_MBQ, weight_kg=WEIGHT_KG, administration_time=GIVEN
    )
    assert_is_truth(read_pet_series(folder, facts=facts), at_administration)
    with pytest.raises(InputError, match="give administered_activity_mbq"):
        read_pet_series(folder, facts=ActivityFacts(weight_kg=70.0, administration_time=GIVEN))
    with pytest.raises(InputError, match="whose time is not known"):
        read_pet_series(
            folder, facts=ActivityFacts(weight_kg=70.0, administered_activity_mbq=ACTIVITY_MBQ)
        )

"""NIfTI activity: nothing is taken for granted, every unit leads to the same activity."""

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.read import ActivityFacts, SpectCalibration, read_activity, read_sidecar

VOXEL_ML = 0.06
TIME_S = 7200.0
HALF_LIFE_S = 6586.2


@pytest.fixture
def truth():
    """Activity concentration [MBq/mL] on [z, y, x] at the stated time."""
    return np.random.default_rng(11).uniform(0.001, 0.05, (6, 5, 4)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def save(values, name="pet.nii.gz", rotation_deg=0.0):
        affine = np.diag([-5.0, -4.0, 3.0, 1.0])
        affine[:3, 3] = [20.0, 30.0, -100.0]
        c, s = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
        turn = np.eye(4)
        turn[:2, :2] = [[c, -s], [s, c]]
        image = nib.Nifti1Image(
            np.ascontiguousarray(np.asarray(values, np.float32).transpose(2, 1, 0)), turn @ affine
        )
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / name)
        return tmp_path / name

    return save


def facts(units, **more):
    return ActivityFacts(units=units, reference_s_after_administration=TIME_S, **more)


@pytest.mark.parametrize(
    ("units", "factor"),
    [("Bq/mL", 1e6), ("kBq/ml", 1e3), ("MBq/mL", 1.0), ("kBq/cc", 1e3), ("Bq/cm3", 1e6),
     ("MBq", VOXEL_ML), ("kBq", VOXEL_ML * 1e3), ("Bq", VOXEL_ML * 1e6)],
)  # fmt: skip
def test_every_unit_gives_the_same_activity(write, truth, units, factor):
    image = read_activity(write(truth * factor), facts=facts(units))
    np.testing.assert_allclose(image.activity_mbq_ml, truth, rtol=1e-5)
    assert image.total_activity_mbq == pytest.approx(truth.sum() * VOXEL_ML, rel=1e-5)
    assert image.reference_s_after_administration == TIME_S
    assert image.modality == "NIFTI"
    np.testing.assert_allclose(image.grid.to_lps_mm([0, 0, 0]), (-20, -30, -100), atol=1e-4)


def test_suv_and_values_at_the_administration_are_decayed_to_the_time(write, truth):
    more = {"weight_kg": 80.0, "administered_activity_mbq": 320.0, "half_life_s": HALF_LIFE_S}
    left = 2.0 ** (-TIME_S / HALF_LIFE_S)
    suv = truth / (320.0 * left) * 80000.0
    image = read_activity(write(suv), facts=facts("SUV", **more))
    np.testing.assert_allclose(image.activity_mbq_ml, truth, rtol=1e-5)
    image = read_activity(
        write(truth / left), facts=facts("MBq/mL", decay_reference="administration", **more)
    )
    np.testing.assert_allclose(image.activity_mbq_ml, truth, rtol=1e-5)


def test_counts_with_a_calibration(write, truth):
    calibration = SpectCalibration(sensitivity_cps_per_mbq=10.0, duration_s=1200.0)
    image = read_activity(
        write(truth * VOXEL_ML * 12000.0), facts=facts("counts", calibration=calibration)
    )
    np.testing.assert_allclose(image.activity_mbq_ml, truth, rtol=1e-5)


def test_oblique_image_keeps_its_places(write, truth):
    path = write(truth, rotation_deg=15.0)
    image = read_activity(path, facts=facts("MBq/mL"))
    assert not image.grid.is_axis_aligned
    stored = nib.load(path)
    for i, j, k in ((0, 0, 0), (3, 4, 5), (1, 2, 3)):
        point = (stored.affine @ [i, j, k, 1])[:3] * [-1, -1, 1]
        at = tuple(np.rint(image.grid.to_index_kji(point)).astype(int))
        assert image.activity_mbq_ml[at] == pytest.approx(float(truth[k, j, i]))


def test_sidecar_tells_the_facts_and_the_user_overrules_it(write, truth, tmp_path):
    path = write(truth * 1e3)
    (tmp_path / "pet.toml").write_text(
        'units = "kBq/mL"\nnuclide = "F-18"\nhalf_life_s = 6586.2\n'
        "administration_time = 2026-02-24T10:00:00\nacquisition_time = 2026-02-24T11:00:00\n"
        "frame_duration_s = 600\nadministered_activity_mbq = 300\n"
    )
    image = read_activity(path)
    np.testing.assert_allclose(image.activity_mbq_ml, truth, rtol=1e-5)
    assert image.reference_s_after_administration == 3900.0
    assert image.nuclide == "F-18"
    image = read_activity(path, facts=ActivityFacts(units="Bq/mL"))
    np.testing.assert_allclose(image.activity_mbq_ml, truth * 1e-3, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (ActivityFacts(reference_s_after_administration=TIME_S), "give units"),
        (facts("Bq/g"), "not known; allowed"),
        (facts("mBq/mL"), "milli-becquerel"),
        (ActivityFacts(units="Bq/mL"), "time for which the values hold"),
        (facts("SUV"), "SUV need weight_kg"),
        (facts("counts"), "need a calibration"),
        (facts("Bq/mL", calibration=SpectCalibration(mbq_ml_per_unit=1.0)), "for units 'counts'"),
        (facts("MBq/mL", administered_activity_mbq=0.001, half_life_s=HALF_LIFE_S),
         "times what is left"),
        (ActivityFacts(units="Bq/mL", reference_s_after_administration=-5.0), "before the admin"),
    ],
)  # fmt: skip
def test_what_is_not_told_is_refused(write, truth, given, words):
    with pytest.raises(InputError, match=words):
        read_activity(write(truth), facts=given)


def test_values_that_are_no_activity_are_refused(write, truth):
    for values, words in (
        (truth - 0.03, "negative voxels"),
        (truth * 0, "no voxel holds activity"),
        (np.where(truth > 0.04, np.nan, truth), "not finite"),
    ):
        with pytest.raises(InputError, match=words):
            read_activity(write(values), facts=facts("MBq/mL"))


def test_faulty_sidecars_are_refused(tmp_path):
    for text, error, words in (
        ('unit = "Bq/mL"', InputError, "did you mean units"),
        ("units = 3", InputError, "must be text"),
        ('half_life_s = "x"', InputError, "must be a number"),
        ('administration_time = "noon"', InputError, "must be a date and time"),
        ('administration_time = "2026-02-24T10:00:00+01:00"', InputError, "clock of the scanner"),
        ('decay_reference = "now"', InputError, "must be start"),
        ("[calibration]\nsensitivity = 3", InputError, "did you mean sensitivity_cps_per_mbq"),
        ("half_life_s = -1", InputError, "must be > 0"),
        ("= =", FormatError, "neither TOML nor JSON"),
    ):
        (tmp_path / "a.toml").write_text(text)
        with pytest.raises(error, match=words):
            read_sidecar(tmp_path / "a.toml")
    (tmp_path / "a.json").write_text('{"units": "Bq/mL", "calibration": {"mbq_ml_per_unit": 2.0}}')
    assert read_sidecar(tmp_path / "a.json").calibration.mbq_ml_per_unit == 2.0

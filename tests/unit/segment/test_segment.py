import stat
import sys

import numpy as np
import pytest

from milligray.errors import GeometryError, InputError, MissingExtraError
from milligray.patient import build_patient, water_box
from milligray.read.series import CtSeries, LabelMap
from milligray.segment import resample_labels, segment_organs, threshold_tissues
from milligray.volume import Grid, Volume

SHAPE = (20, 64, 80)
SPACING = (4.0, 4.0, 4.0)
GRID = Grid.from_spacing(SHAPE, SPACING)


def trunk_hu():
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    u, v = (y - 31.5) / 26, (x - 39.5) / 35
    plane = np.full(SHAPE[1:], -1000)
    plane[u**2 + v**2 < 1] = -90
    plane[u**2 + v**2 < 0.8] = 40
    for side in (-1, 1):
        plane[(u / 0.6) ** 2 + ((v - 0.45 * side) / 0.25) ** 2 < 1] = -820
    plane[(u - 0.6) ** 2 + v**2 < 0.04] = 700
    return np.repeat(plane[np.newaxis], SHAPE[0], axis=0).astype(np.int16)


@pytest.fixture(scope="module")
def patient():
    ct = CtSeries(
        volume=Volume(grid=GRID, values=trunk_hu()), slice_thickness_mm=4.0, input_sha256="0"
    )
    return build_patient(ct, calibration="schneider2000", voxel_size_mm=8.0)


def label_map(values, names, grid=GRID):
    return LabelMap(volume=Volume(grid=grid, values=values), names=names, input_sha256="0")


def cube(where, label=1):
    values = np.zeros(SHAPE, dtype=np.uint16)
    values[where] = label
    return values


def test_labels_on_the_same_grid_come_back_identical(patient):
    values = np.random.default_rng(0).integers(0, 5, SHAPE).astype(np.uint16)
    organs = segment_organs(patient, label_map(values, {1: "a", 2: "b", 3: "c", 4: "d"}))
    np.testing.assert_array_equal(organs.labels, values)
    assert organs.method == "labels given"
    assert organs.grid.is_same_as(patient.ct.grid)


def test_names_become_canonical_and_it_is_noted(patient):
    values = cube(np.s_[8:10, 30:32, 30:32])
    values[12, 30, 30] = 2
    organs = segment_organs(patient, label_map(values, {1: "RightParotid", 2: "PTV70"}))
    assert organs.names == {1: "parotid_gland_right", 2: "PTV70"}
    assert any("RightParotid = parotid_gland_right" in note for note in organs.notes)


def test_two_labels_of_one_organ_keep_their_given_names(patient):
    values = cube(np.s_[8, 30:32, 30:32])
    values[12, 30, 30] = 2
    organs = segment_organs(patient, label_map(values, {1: "Liver", 2: "liver"}))
    assert organs.names == {1: "Liver", 2: "liver"}


def test_finer_labels_keep_their_volume_and_place(patient):
    fine = Grid.from_spacing((40, 128, 160), (2.0, 2.0, 2.0))
    values = np.zeros(fine.shape, dtype=np.uint16)
    values[10:20, 60:80, 70:90] = 3
    organs = segment_organs(patient, label_map(values, {3: "spleen"}, fine))
    expected = cube(np.s_[5:10, 30:40, 35:45], 3)
    np.testing.assert_array_equal(organs.labels, expected)
    assert any("nearest neighbor" in note for note in organs.notes)


def test_coarser_labels_are_repeated():
    coarse = Grid.from_spacing((2, 2, 2), (8.0, 8.0, 8.0))
    values = np.arange(8, dtype=np.uint16).reshape(2, 2, 2)
    fine = Grid.from_spacing((4, 4, 4), (4.0, 4.0, 4.0))
    expected = values.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(
        resample_labels(Volume(grid=coarse, values=values), fine), expected
    )


def test_share_inside_is_counted_where_labels_reach_beyond_the_ct(patient):
    longer = Grid.from_spacing((30, *SHAPE[1:]), SPACING)  # five slices more at both ends
    values = np.zeros(longer.shape, dtype=np.uint16)
    values[0:20, 30:34, 30:34] = 1  # slices 5 to 19 of 20 are inside
    values[26:30, 30:34, 40:44] = 2
    organs = segment_organs(patient, label_map(values, {1: "liver", 2: "brain"}, longer))
    assert organs.fraction_in_image["liver"] == pytest.approx(0.75)
    assert organs.names == {1: "liver"}
    assert any("left out: brain" in note for note in organs.notes)


def test_cut_organ_is_estimated_from_its_reference_mass(patient):
    values = cube(np.s_[0:10, 20:40, 20:40])  # 256 mL at the first slice
    values[12:14, 30:34, 40:44] = 2
    organs = segment_organs(patient, label_map(values, {1: "liver", 2: "spleen"}))
    assert organs.fraction_in_image["liver"] == pytest.approx(256 / 1523.8, rel=1e-3)
    assert organs.fraction_in_image["spleen"] == 1.0
    assert any("liver is cut" in note for note in organs.notes)


def test_labels_elsewhere_are_refused_with_both_extents(patient):
    far = Grid.from_spacing(SHAPE, SPACING, origin_lps_mm=(5000.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match=r"x 4998 to 5318.*CT x -160 to 160"):
        segment_organs(patient, label_map(cube(np.s_[0]), {1: "liver"}, far))
    beside = Grid.from_spacing((30, *SHAPE[1:]), SPACING)
    values = np.zeros(beside.shape, dtype=np.uint16)
    values[:3] = 1
    with pytest.raises(GeometryError, match="none of the labels"):
        segment_organs(patient, label_map(values, {1: "liver"}, beside))


def test_nothing_is_chosen_for_the_user(patient):
    with pytest.raises(InputError, match="threshold"):
        segment_organs(patient)
    with pytest.raises(InputError, match="needs labels"):
        segment_organs(patient, segmenter="labels")
    with pytest.raises(InputError, match="choose one"):
        segment_organs(patient, label_map(cube(np.s_[3]), {1: "liver"}), segmenter="threshold")
    with pytest.raises(InputError, match="needs a CT"):
        segment_organs(water_box((20, 20, 20), voxel_size_mm=10), segmenter="threshold")


def test_thresholds_find_the_tissues_and_say_that_they_are_no_organs(patient):
    organs = segment_organs(patient, segmenter="threshold")
    assert "not organs" in organs.method
    assert all(name.startswith("threshold_") for name in organs.names.values())
    hu = trunk_hu()
    for label, hu_value in ((1, -820), (2, 700), (3, -90), (4, 40)):
        assert np.mean(organs.labels[hu == hu_value] == label) > 0.99
    assert not organs.labels[hu == -1000].any()


def test_gas_that_is_small_is_no_lung():
    hu = trunk_hu()
    hu[hu == -820] = 40
    hu[8:12, 30:35, 40:44] = -820  # 5 mL
    labels = threshold_tissues(Volume(grid=GRID, values=hu))
    assert not np.any(labels == 1)


FAKE = """#!{python}
import sys
import nibabel as nib, numpy as np
args = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if {fail}:
    print("starting")
    print("OSError: weights of task 291 not found", file=sys.stderr)
    sys.exit(1)
image = nib.load(args["-i"])
hu = np.asanyarray(image.dataobj)
assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
out = nib.Nifti1Image((hu == 700).astype(np.uint8) * 30 + (hu == -820) * np.uint8(1), image.affine)
xml = b'<?xml version="1.0" encoding="UTF-8"?><CaretExtension><VolumeInformation Index="0">' + \\
    b'<LabelTable>' + \\
    b'<Label Key="30" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[vertebrae_L2]]></Label>' + \\
    b'<Label Key="1" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[spleen]]></Label>' + \\
    b'</LabelTable></VolumeInformation></CaretExtension>'
out.header.extensions.append(nib.nifti1.Nifti1Extension(0, xml))
nib.save(out, args["-o"])
"""


def install(tmp_path, monkeypatch, *, fail):
    program = tmp_path / "TotalSegmentator"
    program.write_text(FAKE.format(python=sys.executable, fail=fail))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in program is a script")
def test_outside_segmenter_is_called_and_its_labels_overlay(tmp_path, monkeypatch, patient):
    install(tmp_path, monkeypatch, fail=False)
    organs = segment_organs(patient, segmenter="totalsegmentator")
    assert organs.method.startswith("TotalSegmentator")
    assert organs.names == {1: "spleen", 30: "vertebrae_L2"}
    np.testing.assert_array_equal(organs.labels == 30, patient.ct.values == 700)
    np.testing.assert_array_equal(organs.labels == 1, patient.ct.values == -820)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in program is a script")
def test_failure_of_the_outside_segmenter_shows_its_last_line(tmp_path, monkeypatch, patient):
    install(tmp_path, monkeypatch, fail=True)
    with pytest.raises(InputError, match="weights of task 291 not found"):
        segment_organs(patient, segmenter="totalsegmentator")


def test_missing_outside_segmenter_says_how_to_get_it(tmp_path, monkeypatch, patient):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="pip install TotalSegmentator"):
        segment_organs(patient, segmenter="totalsegmentator")


def test_lung_that_the_scan_cuts_is_found_though_small():
    hu = trunk_hu()
    hu[:-3][hu[:-3] == -820] = 40  # three slices, about 40 mL a lung
    labels = threshold_tissues(Volume(grid=GRID, values=hu))
    assert np.mean(labels[hu == -820] == 1) > 0.95

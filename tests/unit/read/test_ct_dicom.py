"""A DICOM series lands in the same LPS volume whatever its vendor did to it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from milligray.errors import FormatError, GeometryError, InputError, MissingExtraError
from milligray.read import read_ct_series
from milligray.read.slice_orientation import in_plane

ORIGIN = (-40.0, -120.0, -300.0)
SPACING = (2.5, 1.5, 1.25)
DIRECTIONS = {
    "HFS": ((1, 0), (0, 1)),
    "HFP": ((-1, 0), (0, -1)),
    "FFS": ((-1, 0), (0, 1)),
    "FFP": ((1, 0), (0, -1)),
    "HFDR": ((0, 1), (-1, 0)),
    "HFDL": ((0, -1), (1, 0)),
    "FFDR": ((0, 1), (1, 0)),
    "FFDL": ((0, -1), (-1, 0)),
}


def assert_is_canonical(ct, hu):
    np.testing.assert_array_equal(ct.volume.values, hu)
    assert ct.volume.grid.is_axis_aligned
    assert ct.volume.grid.spacing_mm == pytest.approx(SPACING)
    np.testing.assert_allclose(ct.volume.grid.to_lps_mm([0, 0, 0]), ORIGIN)


@pytest.mark.parametrize("position", DIRECTIONS)
def test_every_patient_position_gives_the_same_volume(write_series, hu, position):
    row, column = DIRECTIONS[position]
    folder = write_series(hu, row_direction=row, column_direction=column, PatientPosition=position)
    ct = read_ct_series(folder)
    assert_is_canonical(ct, hu)
    assert ct.volume.values.dtype == np.int16
    assert not ct.volume.values.flags.writeable


def test_hash_depends_on_content_not_on_orientation_or_names(write_series, hu):
    first = read_ct_series(write_series(hu, "a"))
    prone = read_ct_series(
        write_series(hu, "b", row_direction=(-1, 0), column_direction=(0, -1), prefix="x")
    )
    other = read_ct_series(write_series(hu + np.int16(1), "c"))
    assert first.input_sha256 == prone.input_sha256 != other.input_sha256


@settings(max_examples=40, deadline=None)
@given(
    row=st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]),
    flip=st.booleans(),
    n_y=st.integers(2, 6),
    n_x=st.integers(2, 6),
)
def test_turned_slice_keeps_every_pixel_at_its_place(row, flip, n_y, n_x):
    column = (-row[1], row[0]) if not flip else (row[1], -row[0])
    stored = np.arange(n_y * n_x).reshape(n_y, n_x)
    plane = in_plane((*row, 0, *column, 0), (1.5, 2.0), n_y, n_x)
    turned = plane.turn(stored)
    for r, c in itertools.product(range(n_y), range(n_x)):
        place = np.array([*row, 0]) * 2.0 * c + np.array([*column, 0]) * 1.5 * r
        j, i = np.argwhere(turned == stored[r, c])[0]
        again = plane.corner_offset_mm + j * plane.row_step_mm + i * plane.column_step_mm
        np.testing.assert_allclose(again, place)
    assert plane.row_step_mm[1] > 0 < plane.column_step_mm[0]


def test_files_without_ending_and_junk_beside_them(write_series, hu):
    folder = write_series(hu, ending="")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM junk")
    (folder / "readme.txt").write_text("not an image")
    (folder / "sub").mkdir()
    (folder / "sub" / "empty").write_bytes(b"")
    ct = read_ct_series(folder)
    assert_is_canonical(ct, hu)
    assert any("2 files that are not DICOM" in note for note in ct.notes)


def test_one_file_stands_for_its_series(write_series, hu):
    folder = write_series(hu)
    write_series(hu[:4], SeriesInstanceUID="1.9", SeriesNumber=9, prefix="other")
    assert_is_canonical(read_ct_series(folder / "im0.dcm"), hu)


def test_empty_uids_and_numbers(write_series, hu):
    folder = write_series(
        hu, SOPClassUID="", SOPInstanceUID="", SeriesInstanceUID="", StudyInstanceUID="",
        SeriesNumber=None, PatientID="", PatientName="",
    )  # fmt: skip
    assert_is_canonical(read_ct_series(folder), hu)


def test_files_without_preamble(write_series, hu):
    folder = write_series(hu)
    for file in folder.iterdir():
        content = file.read_bytes()[132:]
        meta_length = 12 + int.from_bytes(content[8:12], "little")
        file.write_bytes(content[meta_length:])
    assert_is_canonical(read_ct_series(folder), hu)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compressed_series(write_series, syntax):
    hu = np.random.default_rng(3).integers(-1000, 1500, (3, 64, 48)).astype(np.int16)
    folder = write_series(hu, alter=lambda d: d.compress(syntax, generate_instance_uid=False))
    np.testing.assert_array_equal(read_ct_series(folder).volume.values, hu)


def test_missing_decoder_names_the_package(write_series, hu, monkeypatch):
    folder = write_series(hu, alter=lambda d: d.compress(JPEGLSLossless))
    from pydicom.pixels.decoders import base

    monkeypatch.setattr(base.Decoder, "is_available", property(lambda _: False))
    with pytest.raises(MissingExtraError, match="pip install pyjpegls"):
        read_ct_series(folder)


def test_rescale_differs_by_slice(write_series, hu):
    folder = write_series(hu, per_slice=lambda k: {"intercept": -1024.0 - 10 * k})
    assert_is_canonical(read_ct_series(folder), hu)


def test_fractional_slope_gives_float32(write_series, hu):
    ct = read_ct_series(write_series(hu, per_slice=lambda k: {"slope": 1.0 if k else 0.5}))
    assert ct.volume.values.dtype == np.float32
    np.testing.assert_allclose(ct.volume.values, hu)


def test_values_beyond_int16_give_float32(write_series, hu):
    high = hu.astype(np.int32)
    high[2, 3, 4] = 40000
    ct = read_ct_series(write_series(high))
    assert ct.volume.values.dtype == np.float32
    assert ct.volume.values[2, 3, 4] == 40000


def test_padding_becomes_air(write_series, hu):
    hu[:, 0, :] = -1000
    folder = write_series(
        hu - np.int16(0),
        intercept=-3024.0,
        alter=lambda d: setattr(d, "PixelPaddingValue", 0),
    )
    padded = hu.astype(np.int32)
    padded[:, 0, :] = -3024
    ct = read_ct_series(write_series(padded, "padded", intercept=-3024.0, PixelPaddingValue=0))
    assert np.all(ct.volume.values[:, 0] == -1024)
    np.testing.assert_array_equal(ct.volume.values[:, 1:], hu[:, 1:])
    assert_is_canonical(read_ct_series(folder), hu)


def test_padding_value_that_means_tissue_is_not_padding(write_series, hu):
    ct = read_ct_series(write_series(hu, PixelPaddingValue=1024 + 40))
    np.testing.assert_array_equal(ct.volume.values, hu)
    assert any("PixelPaddingValue" in note for note in ct.notes)


def test_missing_intercept_without_air_is_refused(write_series, hu):
    with pytest.raises(InputError, match="RescaleIntercept"):
        read_ct_series(
            write_series(np.abs(hu), intercept=0.0, alter=lambda d: d.pop("RescaleIntercept"))
        )


def test_localizers_and_captures_are_left_out(write_series, hu):
    folder = write_series(hu)
    write_series(
        hu[:2], prefix="scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesNumber=1,
        SeriesInstanceUID="1.1", ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
    )  # fmt: skip
    write_series(
        hu[:1], prefix="dose", ImageType=["DERIVED", "SECONDARY", "DOSE_INFO"], SeriesNumber=999,
        SeriesInstanceUID="1.1.9",
    )  # fmt: skip
    ct = read_ct_series(folder)
    assert_is_canonical(ct, hu)
    assert any("2 images left out: localizer" in note for note in ct.notes)


def test_several_series_have_to_be_chosen(write_series, hu):
    folder = write_series(hu)
    write_series(
        hu[:4], prefix="lung", SeriesNumber=4, SeriesInstanceUID="1.2.3.5",
        SeriesDescription="Lung 1.0",
    )  # fmt: skip
    with pytest.raises(InputError) as error:
        read_ct_series(folder)
    assert "series 3: 5 slices, 'Thorax 2.5 soft'" in str(error.value)
    assert "series 4: 4 slices, 'Lung 1.0'" in str(error.value)
    for choice in ("1.2.3.5", 4, "4", "lung"):
        assert read_ct_series(folder, series=choice).volume.grid.shape[0] == 4
    ct = read_ct_series(folder, series=3)
    assert any("Lung 1.0" in note for note in ct.notes)
    with pytest.raises(InputError, match="no CT series fits 'abdomen'"):
        read_ct_series(folder, series="abdomen")


def test_short_and_derived_series_are_not_taken(write_series, hu):
    folder = write_series(hu)
    write_series(hu[:2], prefix="short", SeriesNumber=7, SeriesInstanceUID="1.7")
    write_series(
        hu, prefix="mpr", SeriesNumber=8, SeriesInstanceUID="1.8",
        ImageType=["DERIVED", "SECONDARY", "AXIAL"],
    )  # fmt: skip
    assert_is_canonical(read_ct_series(folder), hu)


def test_two_patients_are_refused_without_naming_them(write_series, hu):
    folder = write_series(hu)
    write_series(
        hu, prefix="b", PatientID="SECRET-2", PatientName="Roe^Richard", SeriesInstanceUID="1.5"
    )
    with pytest.raises(InputError, match="more than one patient") as error:
        read_ct_series(folder)
    text = str(error.value).lower()
    assert not any(word in text for word in ("doe", "roe", "jane", "secret"))


def test_equal_copies_are_dropped(write_series, hu):
    folder = write_series(hu)
    write_series(hu[1:3], prefix="copy", origin=(ORIGIN[0], ORIGIN[1], ORIGIN[2] + 2.5))
    ct = read_ct_series(folder)
    assert_is_canonical(ct, hu)
    assert any("2 slices that occur twice" in note for note in ct.notes)


def test_phases_in_one_series_have_to_be_chosen(write_series, hu):
    folder = write_series(hu, AcquisitionNumber=1)
    write_series(hu[:, ::-1], prefix="late", AcquisitionNumber=2)
    with pytest.raises(InputError, match="acquisition 2"):
        read_ct_series(folder)
    assert_is_canonical(read_ct_series(folder, series="3#1"), hu)
    assert_is_canonical(read_ct_series(folder, series="3#2"), hu[:, ::-1])


def test_different_images_of_one_place_are_refused(write_series, hu):
    folder = write_series(hu)
    write_series(hu[2:3, ::-1], prefix="odd", origin=(ORIGIN[0], ORIGIN[1], ORIGIN[2] + 5.0))
    with pytest.raises(GeometryError, match=r"same place \(z = -295 mm\)"):
        read_ct_series(folder)


def test_missing_slice_is_named(write_series, hu):
    folder = write_series(hu, per_slice=lambda k: None if k == 2 else {})
    with pytest.raises(FormatError, match=r"1 slice is missing between z = -297.5 and z = -292.5"):
        read_ct_series(folder)


def test_small_jitter_is_tolerated(write_series, hu):
    z = ORIGIN[2] + 2.5 * np.arange(5) + np.array([0.0, 0.01, -0.01, 0.01, 0.0])
    np.testing.assert_array_equal(read_ct_series(write_series(hu, z_mm=z)).volume.values, hu)


def test_two_blocks_of_spacing_are_interpolated(write_series):
    z = np.array([0.0, 2.0, 4.0, 8.0, 12.0, 16.0])
    hu = np.broadcast_to((10 * z).astype(np.int16)[:, None, None], (6, 4, 4)).copy()
    hu[:, 0, 0] = -1000
    ct = read_ct_series(write_series(hu, z_mm=z))
    assert ct.volume.grid.shape[0] == 9
    np.testing.assert_array_equal(ct.volume.values[:, 2, 2], 20 * np.arange(9))
    assert any("spacing varies (2, 4 mm)" in note for note in ct.notes)


@pytest.mark.parametrize("tilt_deg", [20.0, -12.0])
def test_gantry_tilt_is_taken_out(write_series, tilt_deg):
    """A linear ramp in the world is the same ramp after the shear is taken out."""
    tilt = np.deg2rad(tilt_deg)
    n, rows, columns, dy, dz = 12, 14, 6, 1.5, 2.5
    k, j, i = np.meshgrid(np.arange(n), np.arange(rows), np.arange(columns), indexing="ij")
    y, z = j * dy * np.cos(tilt), k * dz - j * dy * np.sin(tilt)
    hu = np.rint(10 * z + 4 * y + 3 * i).astype(np.int16)
    folder = write_series(
        hu, z_mm=dz * np.arange(n), spacing=(dz, dy, 1.0), origin=(0.0, 0.0, 0.0),
        ImageOrientationPatient=[1, 0, 0, 0, np.cos(tilt), -np.sin(tilt)],
        GantryDetectorTilt=tilt_deg,
    )  # fmt: skip
    ct = read_ct_series(folder)
    grid, values = ct.volume.grid, ct.volume.values
    assert grid.spacing_mm == pytest.approx((dz, dy * np.cos(tilt), 1.0))
    kk, jj, ii = np.meshgrid(*map(np.arange, grid.shape), indexing="ij")
    x, y, z = np.moveaxis(grid.to_lps_mm(np.stack([kk, jj, ii], -1)), -1, 0)
    low, high = -y * np.tan(tilt), dz * (n - 1) - y * np.tan(tilt)
    inside = (z >= low - 1e-3) & (z <= high + 1e-3)
    expected = 10 * z + 4 * y + 3 * x
    np.testing.assert_allclose(values[inside], expected[inside], atol=1.01)
    outside = (z < low - dz) | (z > high + dz)
    assert np.all(values[outside] == -1024)
    assert inside.mean() > 0.5
    assert any("gantry tilt" in note for note in ct.notes)


@pytest.mark.parametrize(
    ("orientation", "name"), [([0, 1, 0, 0, 0, -1], "sagittal"), ([1, 0, 0, 0, 0, -1], "coronal")]
)
def test_reformats_are_refused(write_series, hu, orientation, name):
    with pytest.raises(GeometryError, match=name):
        read_ct_series(write_series(hu, ImageOrientationPatient=orientation))


def test_rotation_in_the_plane_is_refused(write_series, hu):
    c, s = np.cos(0.1), np.sin(0.1)
    with pytest.raises(GeometryError, match=r"rotated in its plane by 5.7"):
        read_ct_series(write_series(hu, ImageOrientationPatient=[c, s, 0, -s, c, 0]))


def test_sideways_shift_is_refused(write_series, hu):
    folder = write_series(
        hu, per_slice=lambda k: {"origin": (ORIGIN[0] + 3.0 * (k == 2), *ORIGIN[1:])}
    )
    with pytest.raises(GeometryError, match="beside the others"):
        read_ct_series(folder)


@pytest.mark.parametrize("keep", [0.18, 0.3, 0.5, 0.65, 0.75, 0.9])
def test_truncated_file_is_named(write_series, hu, keep):
    folder = write_series(hu)
    file = folder / "im3.dcm"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FormatError, match=r"im3\.dcm") as error:
        read_ct_series(folder)
    assert "SECRET" not in str(error.value)
    assert "Doe" not in str(error.value)


def test_truncated_compressed_file_is_named(write_series, hu):
    folder = write_series(hu, alter=lambda d: d.compress(RLELossless))
    file = folder / "im3.dcm"
    file.write_bytes(file.read_bytes()[:-150])
    with pytest.raises(FormatError, match=r"im3\.dcm"):
        read_ct_series(folder)


def test_single_slice_takes_its_thickness(write_series, hu):
    ct = read_ct_series(write_series(hu[:1]))
    assert ct.volume.grid.spacing_mm[0] == 2.5
    assert any("one slice" in note for note in ct.notes)


def test_folder_without_ct(tmp_path, write_series, hu):
    with pytest.raises(InputError, match="does not exist"):
        read_ct_series(tmp_path / "nowhere")
    (tmp_path / "void").mkdir()
    with pytest.raises(InputError, match="is empty"):
        read_ct_series(tmp_path / "void")
    with pytest.raises(InputError, match=r"PT \(5 files\)"):
        read_ct_series(write_series(hu, "pet", Modality="PT"))
    (tmp_path / "void" / "ct.nii.gz").write_bytes(b"x")
    with pytest.raises(InputError, match="give that file itself"):
        read_ct_series(tmp_path / "void")
    with pytest.raises(InputError, match="5 x localizer"):
        read_ct_series(write_series(hu, "scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))


def test_missing_pixel_spacing_is_named(write_series, hu):
    with pytest.raises(InputError, match="pixel spacing"):
        read_ct_series(write_series(hu, alter=lambda d: d.pop("PixelSpacing")))


def test_gantry_tilt_of_a_patient_on_the_side_is_taken_out(write_series):
    """The shear then runs along x: rows are stored along y, columns along a tilted x."""
    tilt, n = np.deg2rad(15.0), 10
    k, _, i = np.meshgrid(np.arange(n), np.arange(5), np.arange(8), indexing="ij")
    hu = np.rint(10 * (2.0 * k - i * np.sin(tilt))).astype(np.int16)
    folder = write_series(
        hu,
        z_mm=2.0 * np.arange(n),
        spacing=(2.0, 1.0, 1.0),
        origin=(0.0, 0.0, 0.0),
        row_direction=(0, 1),
        column_direction=(1, 0),
        per_slice=lambda _: {"ImageOrientationPatient": [0, 1, 0, np.cos(tilt), 0, -np.sin(tilt)]},
        PatientPosition="FFDR",
    )
    ct = read_ct_series(folder)
    z = ct.volume.grid.axis_centers_mm(0)
    middle = ct.volume.values[:, 2, 4]
    shift = -4 * np.sin(tilt)
    inside = (z >= shift) & (z <= shift + 18.0)
    np.testing.assert_allclose(middle[inside], 10 * z[inside], atol=1.01)
    assert ct.volume.grid.spacing_mm == pytest.approx((2.0, 1.0, np.cos(tilt)))


def test_odd_slice_of_another_size_is_left_beside(write_series, hu):
    folder = write_series(hu)
    write_series(hu[:1, :6], prefix="odd")
    ct = read_ct_series(folder)
    assert_is_canonical(ct, hu)
    assert any("series 3#2: 1 slices" in note for note in ct.notes)


def test_intercept_missing_in_some_slices_is_refused(write_series, hu):
    folder = write_series(
        hu, alter=lambda d: d.pop("RescaleIntercept") if d.InstanceNumber == 2 else None
    )
    with pytest.raises(InputError, match="missing in 1 of 5 slices"):
        read_ct_series(folder)


def test_gaps_between_thin_slices_are_noted(write_series, hu):
    ct = read_ct_series(write_series(hu, SliceThickness=1.0))
    assert any("was not imaged" in note for note in ct.notes)


def test_unknown_unit_of_values_is_refused(write_series, hu):
    with pytest.raises(InputError, match="not in Hounsfield units but Z_EFF"):
        read_ct_series(write_series(hu, RescaleType="Z_EFF"))


def test_more_phases_than_nine_are_counted_in_order(write_series, hu):
    for phase in range(1, 12):
        write_series(hu + np.int16(phase), prefix=f"t{phase}_", TemporalPositionIdentifier=phase)
    folder = write_series(hu, TemporalPositionIdentifier=12)
    with pytest.raises(InputError, match="12 CT series"):
        read_ct_series(folder)
    values = read_ct_series(folder, series="3#10").volume.values
    np.testing.assert_array_equal(values, hu + np.int16(10))

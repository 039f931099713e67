"""A NIfTI lands in LPS [z, y, x] whatever the order of its axes."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milligray.errors import FormatError, GeometryError, InputError
from milligray.read import read_ct_nifti

AFFINE_RAS = np.array([[2.0, 0, 0, -30.0], [0, 1.5, 0, 40.0], [0, 0, 3.0, -5.0], [0, 0, 0, 1]])
ORIENTATIONS = [
    "".join(letters)
    for order in itertools.permutations(["RL", "AP", "SI"])
    for letters in itertools.product(*order)
]


def write(path, values, affine=AFFINE_RAS, orientation="RAS", **header):
    image = nib.Nifti1Image(values, affine)
    start = nib.orientations.axcodes2ornt("RAS")
    change = nib.orientations.ornt_transform(
        start, nib.orientations.axcodes2ornt(tuple(orientation))
    )
    image = image.as_reoriented(change)
    for name, value in header.items():
        getattr(image.header, name)(*value)
    nib.save(image, path)
    return path


@pytest.fixture
def ras():
    values = np.random.default_rng(5).integers(-1000, 1500, (4, 5, 6)).astype(np.int16)
    values[0, 0, 0] = -1000
    return values


@settings(max_examples=48, deadline=None)
@given(orientation=st.sampled_from(ORIENTATIONS))
def test_every_axis_order_gives_the_same_volume(tmp_path_factory, orientation):
    values = np.arange(-1000, -1000 + 4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    path = tmp_path_factory.mktemp("n") / "ct.nii"
    ct = read_ct_nifti(write(path, values, orientation=orientation))
    np.testing.assert_array_equal(ct.volume.values, values.transpose(2, 1, 0)[:, ::-1, ::-1])
    assert ct.volume.grid.is_axis_aligned
    assert ct.volume.grid.spacing_mm == pytest.approx((3.0, 1.5, 2.0))
    np.testing.assert_allclose(
        ct.volume.grid.to_lps_mm([0, 0, 0]), (-(-30 + 3 * 2.0), -(40 + 4 * 1.5), -5.0)
    )
    assert ct.slice_thickness_mm == pytest.approx(3.0)


def test_every_voxel_keeps_its_world_position(tmp_path, ras):
    path = write(tmp_path / "ct.nii.gz", ras, orientation="PIL")
    ct = read_ct_nifti(path)
    image = nib.load(path)
    stored = np.asarray(image.dataobj)
    for index in [(0, 0, 0), (3, 1, 2), (4, 5, 3)]:
        x, y, z = (image.affine @ [*index, 1])[:3]
        k, j, i = np.rint(ct.volume.grid.to_index_kji([-x, -y, z])).astype(int)
        assert ct.volume.values[k, j, i] == stored[index]


def test_types_are_kept_as_small_as_exact(tmp_path, ras):
    assert read_ct_nifti(write(tmp_path / "a.nii", ras)).volume.values.dtype == np.int16
    whole = ras.astype(np.float64)
    assert read_ct_nifti(write(tmp_path / "b.nii", whole)).volume.values.dtype == np.int16
    broken = ras.astype(np.float32) + np.float32(0.25)
    ct = read_ct_nifti(write(tmp_path / "c.nii", broken))
    assert ct.volume.values.dtype == np.float32
    assert ct.volume.values.min() == -999.75
    scaled = write(tmp_path / "d.nii", (ras + 1024).astype(np.int16))
    image = nib.load(scaled)
    header = image.header
    header.set_slope_inter(1, -1024)
    data = np.asarray(image.dataobj)
    array = nib.Nifti1Image(data, image.affine, header)
    array.header.set_slope_inter(1, -1024)
    nib.save(array, tmp_path / "e.nii")


def test_header_scaling_is_applied(tmp_path, ras):
    path = write(tmp_path / "ct.nii", (ras.astype(np.int32) + 1024).astype(np.int16))
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([1.0, -1024.0], "<f4").tobytes()
    path.write_bytes(content)
    ct = read_ct_nifti(path)
    assert ct.volume.values.dtype == np.int16
    np.testing.assert_array_equal(ct.volume.values, ras.transpose(2, 1, 0)[:, ::-1, ::-1])


def test_too_low_values_become_air(tmp_path, ras):
    ras[1, 1, 1] = -2048
    ct = read_ct_nifti(write(tmp_path / "ct.nii", ras))
    assert ct.volume.values.min() == -1024
    assert any("1 voxels below -1024" in note for note in ct.notes)


def test_what_is_not_hounsfield_is_refused(tmp_path, ras):
    with pytest.raises(InputError, match="not Hounsfield"):
        read_ct_nifti(write(tmp_path / "a.nii", np.abs(ras)))
    broken = ras.astype(np.float32)
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        read_ct_nifti(write(tmp_path / "b.nii", broken))
    with pytest.raises(InputError, match="three-dimensional"):
        read_ct_nifti(write(tmp_path / "c.nii", np.stack([ras, ras], -1)))
    ct = read_ct_nifti(write(tmp_path / "d.nii", ras[..., None]))
    assert ct.volume.grid.shape == (6, 5, 4)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_ct_nifti(tmp_path / "no.nii")
    (tmp_path / "bad.nii.gz").write_bytes(b"nonsense")
    with pytest.raises(FormatError, match=r"bad\.nii\.gz"):
        read_ct_nifti(tmp_path / "bad.nii.gz")


def test_truncated_file_is_named(tmp_path, ras):
    path = write(tmp_path / "cut.nii", ras)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FormatError, match=r"cut\.nii"):
        read_ct_nifti(path)


@pytest.mark.parametrize(("angle_deg", "allowed"), [(0.3, True), (3.0, False)])
def test_oblique_axes(tmp_path, ras, angle_deg, allowed):
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    affine = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ AFFINE_RAS
    path = write(tmp_path / "ct.nii", ras, affine=affine)
    if allowed:
        assert any("oblique" in note for note in read_ct_nifti(path).notes)
    else:
        with pytest.raises(GeometryError, match=r"oblique by 3\.0 deg"):
            read_ct_nifti(path)


def test_lengths_in_meters_are_converted(tmp_path, ras):
    affine = AFFINE_RAS.copy()
    affine[:3] /= 1000
    path = write(tmp_path / "ct.nii", ras, affine=affine, set_xyzt_units=("meter",))
    ct = read_ct_nifti(path)
    assert ct.volume.grid.spacing_mm == pytest.approx((3.0, 1.5, 2.0), rel=1e-5)

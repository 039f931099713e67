import gzip
import zlib
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import InputError
from milligray.report import write_nifti
from milligray.report.nifti import nifti_affine


def _mark(result, index):
    values = np.zeros(result.patient.grid.shape, dtype=np.float32)
    values[index] = 7.0
    return values


def test_marked_voxel_is_at_the_same_world_point_on_the_transport_grid(result, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_nifti(_mark(result, (3, 2, 1)), result.patient, path, dose_grid="transport")
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    assert data.dtype == np.float32
    assert data.shape == result.patient.grid.shape[::-1]
    (index,) = np.argwhere(data == 7.0)
    assert tuple(index) == (1, 2, 3)
    ras = nib.affines.apply_affine(image.affine, index)
    lps = result.patient.grid.to_lps_mm([3, 2, 1])
    np.testing.assert_allclose(ras, lps * [-1, -1, 1], atol=1e-4)


def test_every_ct_voxel_has_the_value_of_the_transport_voxel_that_holds_it(result, tmp_path):
    patient = result.patient
    rng = np.random.default_rng(2)
    values = rng.random(patient.grid.shape, dtype=np.float32) + 1
    path = tmp_path / "a.nii.gz"
    write_nifti(values, patient, path)
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    assert data.shape == patient.ct.grid.shape[::-1]
    for i, j, k in np.ndindex(data.shape):
        x, y, z = nib.affines.apply_affine(image.affine, (i, j, k))
        index = tuple(np.rint(patient.grid.to_index_kji([-x, -y, z])).astype(int))
        inside = all(0 <= n < m for n, m in zip(index, values.shape, strict=True))
        expected = values[index] if inside and patient.body[index] else 0.0
        assert data[i, j, k] == expected


@pytest.mark.parametrize("dose_grid", ["ct", "transport"])
def test_file_is_one_plain_gzip_stream_for_any_reader(result, tmp_path, dose_grid):
    values = np.random.default_rng(3).random(result.patient.grid.shape, dtype=np.float32)
    path = tmp_path / "a.nii.gz"
    write_nifti(values, result.patient, path, dose_grid=dose_grid)
    packed = path.read_bytes()
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    plain = stream.decompress(packed)
    assert stream.eof
    assert stream.unused_data == b""
    assert plain == gzip.decompress(packed)  # which checks checksum and size
    data = np.frombuffer(plain[352:], dtype="<f4")
    np.testing.assert_array_equal(data, np.asarray(nib.load(path).dataobj).ravel(order="F"))
    write_nifti(values, result.patient, tmp_path / "b.nii.gz", dose_grid=dose_grid)
    assert (tmp_path / "b.nii.gz").read_bytes() == packed


def test_block_and_offset_agree_with_the_affines(result):
    patient = result.patient
    np.testing.assert_allclose(
        patient.ct.grid.to_index_kji(patient.grid.corner_lps_mm),
        -np.array(patient.ct_offset) - 0.5,
    )


def test_ct_voxels_off_the_transport_grid_are_zero(result, tmp_path):
    small = replace(result.patient, ct_offset=(-4, 0, 0))
    path = tmp_path / "a.nii.gz"
    write_nifti(np.ones(small.grid.shape, dtype=np.float32), small, path)
    data = np.asarray(nib.load(path).dataobj)
    assert not data[:, :, :4].any()
    assert data[:, :, 4:].any()


def test_outside_the_body_is_zero(result, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_nifti(np.ones(result.patient.grid.shape), result.patient, path, dose_grid="transport")
    data = np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(data > 0, result.patient.body)


def test_header_says_millimeters_scanner_space_and_the_quantity(result, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_nifti(result.dose.dose_mgy, result.patient, path, description="absorbed dose [mGy]")
    header = nib.load(path).header
    assert header.get_xyzt_units()[0] == "mm"
    assert header["descrip"].tobytes().rstrip(b"\0") == b"absorbed dose [mGy]"
    for form in (header.get_sform(), header.get_qform()):
        np.testing.assert_allclose(form, nifti_affine(result.patient.ct.grid), atol=1e-4)


def test_same_values_give_the_same_bytes(result, tmp_path):
    for name in "ab":
        write_nifti(result.dose.dose_mgy, result.patient, tmp_path / f"{name}.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_wrong_shape_is_refused(result, tmp_path):
    with pytest.raises(InputError, match="shape"):
        write_nifti(np.zeros((1, 2, 3)), result.patient, tmp_path / "a.nii.gz")

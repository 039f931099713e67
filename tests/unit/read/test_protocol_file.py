"""A protocol file says everything a header would, or says what is wrong with it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.read import open_ct, read_ct_nifti, read_protocol_file

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "head_neck_helical.toml"
MINIMAL = "[scan]\ntube_voltage_kv = 120\npitch = 0.8\ncollimation_mm = 40\n"


@pytest.fixture
def nifti(tmp_path):
    """Ten slices of 3 mm, z from 0 to 27."""
    values = np.full((4, 4, 10), -1000, np.int16)
    values[1:3, 1:3] = 40
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    return path


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "protocol.toml"
        path.write_text(text)
        return path

    return write


def test_example_works_with_any_image(nifti):
    ct, protocol = open_ct(nifti, EXAMPLE)
    assert protocol.tube_voltage_kv == 120
    assert protocol.pitch == 0.8
    assert protocol.ctdi_vol_mgy == 12
    assert protocol.phantom_diameter_mm == 160
    assert protocol.collimation_mm == 40
    assert protocol.rotation_time_s == 1.0
    assert protocol.scanner == "generic"
    assert protocol.body_region == "head"
    assert protocol.scan_start_mm is None
    assert protocol.origin == "file"
    np.testing.assert_allclose(protocol.slice_position_mm, 3.0 * np.arange(10))
    np.testing.assert_array_equal(protocol.relative_current, np.ones(10))
    assert ct.volume.grid.shape == (10, 4, 4)


def test_every_commented_key_of_the_example_is_known(toml, nifti):
    lines = []
    for line in EXAMPLE.read_text().splitlines():
        is_key = line.startswith("# ") and " = " in line and "scan_start_mm" not in line
        is_key = is_key and "scan_end_mm" not in line
        lines.append(line[2:] if is_key else line)
    protocol = read_protocol_file(toml("\n".join(lines)), ct=read_ct_nifti(nifti))
    assert protocol.isocenter_lps_mm == (0, 0)
    assert protocol.start_angle_rad == 0
    assert protocol.effective_mas == 150


def test_nifti_needs_a_protocol(nifti, toml):
    with pytest.raises(InputError, match="--protocol"):
        open_ct(nifti)
    with pytest.raises(InputError, match="no series to choose"):
        open_ct(nifti, toml(MINIMAL), series="3")
    with pytest.raises(InputError, match="does not exist"):
        open_ct(nifti.with_name("no.nii"), toml(MINIMAL))


def test_without_ctdi_there_is_a_note(toml):
    protocol = read_protocol_file(toml(MINIMAL))
    assert protocol.ctdi_vol_mgy is None
    assert any("no absolute dose" in note for note in protocol.notes)


@pytest.mark.parametrize(
    "profile",
    [
        "profile = [[0.0, 1.0], [27.0, 4.0]]",
        'profile_position = "z_mm"\nprofile = [[27.0, 4.0], [0.0, 1.0]]',
        'profile_position = "from_top_mm"\nprofile = [[1.5, 4.0], [28.5, 1.0]]',
        'profile_position = "fraction"\nprofile = [[0.05, 4.0], [0.95, 1.0]]',
    ],
)
def test_profile_in_all_its_forms(toml, nifti, profile):
    protocol = read_protocol_file(toml(f"{MINIMAL}[current]\n{profile}\n"), ct=read_ct_nifti(nifti))
    expected = 1 + np.arange(10) / 3
    np.testing.assert_allclose(protocol.relative_current, expected / expected.mean())


@pytest.mark.parametrize(
    "scan", ["scan_start_mm = 6.0\nscan_end_mm = 15.0",
             "scan_start_from_top_mm = 22.5\nscan_end_from_top_mm = 13.5"]
)  # fmt: skip
def test_scan_range_limits_the_slices(toml, nifti, scan):
    protocol = read_protocol_file(toml(f"{MINIMAL}{scan}\n"), ct=read_ct_nifti(nifti))
    assert (protocol.scan_start_mm, protocol.scan_end_mm) == (6.0, 15.0)
    np.testing.assert_allclose(protocol.slice_position_mm, [6, 9, 12, 15])


def test_scan_range_outside_the_image(toml, nifti):
    ct = read_ct_nifti(nifti)
    with pytest.raises(InputError, match="outside the image"):
        read_protocol_file(toml(f"{MINIMAL}scan_start_mm = 60\nscan_end_mm = 90\n"), ct=ct)
    protocol = read_protocol_file(toml(f"{MINIMAL}scan_start_mm = 60\nscan_end_mm = 9\n"), ct=ct)
    assert any("beyond the image" in note for note in protocol.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scan]\ntube_voltage = 120\n", "'tube_voltage'; did you mean tube_voltage_kv"),
        ("[scan]\nctdi_vol_mgy = 12\n", r"ctdi_vol_mgy belongs into \[dose\]"),
        ("[scann]\n", "did you mean scan"),
        ("scan = 3\n", "must be a section"),
        ("[scan]\nxyzzy = 3\n", "allowed: tube_voltage_kv"),
        ('[scan]\ntube_voltage_kv = "120"\n', "must be a number"),
        ("[scan]\ntube_voltage_kv = true\n", "must be a number"),
        ("[scan]\ntube_voltage_kv = -5\n", "> 0"),
        ("[scan]\ntube_voltage_kv = 120\n", "collimation_mm is missing"),
        ("[scan]\ntube_voltage_kv = 120\ncollimation_mm = 40\n", "pitch is missing"),
        (MINIMAL + 'mode = "spiral"\n', "helical, axial"),
        (MINIMAL + "scan_start_mm = 3\n", "must both"),
        (MINIMAL + "[dose]\nctdi_vol_mgy = 12\n", "phantom_diameter_mm"),
        (MINIMAL + "[dose]\nctdi_vol_mgy = 12\nphantom_diameter_mm = 200\n", "160 or 320"),
        (MINIMAL + "[current]\nprofile = [1, 2]\n", "pairs"),
        (MINIMAL + "[current]\nprofile = [[0, 1], [0, 2]]\n", "twice"),
        (MINIMAL + '[current]\nprofile = [["a", 1]]\n', "pairs"),
        (MINIMAL + '[current]\nprofile_position = "mm"\n', "z_mm"),
        (MINIMAL + "[current]\nprofile_position = 'fraction'\nprofile = [[2, 1]]\n", "fractions"),
        (MINIMAL + "[geometry]\nisocenter_lps_mm = [1]\n", r"\[x, y\]"),
        (MINIMAL + '[geometry]\npatient_position = "supine"\n', "HFS"),
        (MINIMAL + "[scanner]\nname = 3\n", "must be text"),
        (MINIMAL.replace("120", "30"), "60-150 kV"),
    ],
)
def test_errors_tell_what_to_do(toml, text, message):
    with pytest.raises(InputError, match=message):
        read_protocol_file(toml(text))


def test_files_that_cannot_be_read(toml, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_protocol_file(tmp_path / "no.toml")
    with pytest.raises(FormatError, match="not valid TOML"):
        read_protocol_file(toml("[scan\n"))


def test_axial_scan_without_pitch(toml):
    protocol = read_protocol_file(toml(MINIMAL.replace("pitch = 0.8", 'mode = "axial"')))
    assert protocol.pitch == 1.0
    assert protocol.scan_mode == "axial"


def test_protocol_file_replaces_what_the_header_says(write_series, hu, toml):
    folder = write_series(
        hu, KVP=0, SpiralPitchFactor=1.2, TotalCollimationWidth=20.0, RevolutionTime=0.5
    )
    path = toml(
        "[scan]\ntube_voltage_kv = 100\n[dose]\nctdi_vol_mgy = 7\nphantom_diameter_mm = 320\n"
    )
    ct, protocol = open_ct(folder, path)
    assert protocol.tube_voltage_kv == 100
    assert protocol.pitch == 1.2
    assert protocol.ctdi_vol_mgy == 7
    assert protocol.origin == "dicom"
    assert protocol.effective_mas == pytest.approx(200 * 0.5 / 1.2)
    assert any("replaced those of the DICOM header" in note for note in protocol.notes)
    np.testing.assert_allclose(protocol.slice_position_mm, ct.volume.grid.axis_centers_mm(0))
    _, changed = open_ct(folder, toml("[scan]\ntube_voltage_kv = 100\npitch = 0.6\n"))
    assert changed.effective_mas is None

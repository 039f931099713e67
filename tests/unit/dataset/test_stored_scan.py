"""The source of a stored sample comes back from its attributes."""

import numpy as np
import pytest

from milligray.dataset.kinds import Sample, per_value
from milligray.dataset.stored_scan import stored_grid, stored_source
from milligray.errors import InputError
from milligray.read.series import CtProtocol
from milligray.source.ct_scan import make_ct_source
from milligray.source.scanner_library import load_scanner

POSITION = np.arange(0.0, 60.0, 2.0)
CURRENT = 1.0 + 0.3 * np.sin(POSITION / 9.0)
ABOUT = {
    "tube_voltage_kv": 100.0, "scan_mode": "helical", "pitch": 0.9, "collimation_mm": 38.4,
    "ctdi_vol_mgy": 7.0, "phantom_diameter_mm": 320, "scan_low_mm": -1.0, "scan_high_mm": 59.0,
    "isocenter_lps_mm": [3.0, -4.0], "start_angle_rad": None, "scanner": "siemens-definition",
    "bowtie": "body", "first_voxel_lps_mm": [-10.0, -20.0, -30.0],
    "spacing_zyx_mm": [4.0, 4.0, 4.0],
}  # fmt: skip


def sample(**changes: object) -> Sample:
    about = {key: value for key, value in (ABOUT | changes).items() if value != "absent"}
    arrays = {
        "current_position": per_value(POSITION, "mm", "", np.float64),
        "relative_current": per_value(CURRENT, "1", "", np.float64),
        "electron_density": per_value(np.zeros((5, 6, 7)), "1", ""),
    }
    return Sample(arrays=arrays, attributes=about, statistics={})


def test_source_is_the_one_of_the_protocol() -> None:
    protocol = CtProtocol(
        tube_voltage_kv=100.0, slice_position_mm=POSITION, relative_current=CURRENT,
        scan_mode="helical", pitch=0.9, collimation_mm=38.4, ctdi_vol_mgy=7.0,
        phantom_diameter_mm=320, slice_thickness_mm=2.0, scan_start_mm=-1.0, scan_end_mm=59.0,
        isocenter_lps_mm=(3.0, -4.0), scanner="siemens-definition",
    )  # fmt: skip
    wanted = make_ct_source(
        protocol, None, scanner=load_scanner("siemens-definition"), bowtie="body"
    )
    found = stored_source(sample())
    np.testing.assert_array_equal(found.z_bins_mm, wanted.z_bins_mm)
    np.testing.assert_array_equal(found.z_weights, wanted.z_weights)
    assert found.isocenter_lps_mm == wanted.isocenter_lps_mm == (3.0, -4.0)
    assert found.field.height_mm == wanted.field.height_mm
    with pytest.raises(InputError, match="bowtie"):
        stored_source(sample(bowtie="absent"))


def test_without_a_patient_the_protocol_must_place_the_isocenter() -> None:
    protocol = CtProtocol(
        tube_voltage_kv=100.0, slice_position_mm=POSITION, relative_current=CURRENT,
        scan_mode="helical", pitch=0.9, collimation_mm=38.4, ctdi_vol_mgy=7.0,
        phantom_diameter_mm=320, scanner="siemens-definition",
    )  # fmt: skip
    with pytest.raises(InputError, match="isocenter"):
        make_ct_source(protocol, None, scanner=load_scanner("siemens-definition"), bowtie="body")


def test_grid_has_its_first_voxel_where_it_is() -> None:
    grid = stored_grid(sample())
    assert grid.shape == (5, 6, 7)
    np.testing.assert_allclose(grid.to_lps_mm([0, 0, 0]), [-10.0, -20.0, -30.0])
    assert grid.spacing_mm == pytest.approx((4.0, 4.0, 4.0))

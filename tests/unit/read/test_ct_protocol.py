"""The protocol says what the header says, by vendor, and names what it assumed."""

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.read import read_ct_protocol

SIEMENS = {
    "Manufacturer": "SIEMENS", "ManufacturerModelName": "SOMATOM Force",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"], "ExposureTime": 500,
    "Exposure": 125, "SpiralPitchFactor": 0.8, "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4, "CTDIvol": 8.0, "FilterType": "FLAT",
}  # fmt: skip


def said(protocol, word):
    return any(word in note for note in protocol.notes)


def test_siemens_header(write_series, hu, phantom_code):
    protocol = read_ct_protocol(
        write_series(hu, **SIEMENS, CTDIPhantomTypeCodeSequence=phantom_code("113690"))
    )
    assert protocol.tube_voltage_kv == 120
    assert protocol.scan_mode == "helical"
    assert (protocol.pitch, protocol.collimation_mm) == (0.8, 38.4)
    assert (protocol.ctdi_vol_mgy, protocol.phantom_diameter_mm) == (8.0, 160)
    assert protocol.effective_mas == 125
    assert protocol.tube_current_ma == 200
    assert protocol.rotation_time_s == 0.5
    assert protocol.slice_thickness_mm == 2.5
    assert protocol.body_region == "head"
    assert (protocol.manufacturer, protocol.model) == ("SIEMENS", "SOMATOM Force")
    assert protocol.origin == "dicom"
    np.testing.assert_allclose(protocol.slice_position_mm, -300 + 2.5 * np.arange(5))
    np.testing.assert_array_equal(protocol.relative_current, np.ones(5))


def test_siemens_exposure_that_disagrees_is_noted(write_series, hu):
    protocol = read_ct_protocol(write_series(hu, **{**SIEMENS, "Exposure": 200}))
    assert protocol.effective_mas == 200
    assert said(protocol, "Exposure was taken")


def test_ge_exposure_is_never_effective_mas(write_series, hu):
    protocol = read_ct_protocol(
        write_series(
            hu,
            Manufacturer="GE MEDICAL SYSTEMS",
            ScanOptions="HELICAL MODE",
            Exposure=5100,
            ExposureTime=9000,
            RevolutionTime=0.5,
            SpiralPitchFactor=1.0,
        )
    )
    assert protocol.effective_mas == pytest.approx(100)
    assert protocol.rotation_time_s == 0.5


def test_ge_private_attributes(write_series, hu):
    def add_private(dataset):
        block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
        block.add_new(0x23, "DS", "39.375")
        block.add_new(0x27, "DS", "0.600000")
        dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", "0.984375:1")
        block = dataset.private_block(0x0045, "GEMS_HELIOS_01", create=True)
        block.add_new(0x01, "SS", 64)
        block.add_new(0x02, "FL", 0.625)

    protocol = read_ct_protocol(
        write_series(
            hu, Manufacturer="GE MEDICAL SYSTEMS", ScanOptions="HELICAL MODE", alter=add_private
        )
    )
    assert protocol.pitch == pytest.approx(0.984375)
    assert protocol.collimation_mm == pytest.approx(40)
    assert protocol.rotation_time_s == pytest.approx(0.6)
    assert said(protocol, "private")


def test_philips_private_attributes(write_series, hu):
    def add_private(dataset):
        block = dataset.private_block(0x01F1, "ELSCINT1", create=True)
        block.add_new(0x26, "DS", "0.9")
        block.add_new(0x27, "DS", "0.75")

    protocol = read_ct_protocol(
        write_series(
            hu,
            Manufacturer="Philips",
            ScanOptions="HELIX",
            alter=add_private,
            TotalCollimationWidth=40.0,
            Exposure=150,
            ExposureTime=833,
        )
    )
    assert protocol.pitch == pytest.approx(0.9)
    assert protocol.rotation_time_s == pytest.approx(0.75)
    assert protocol.effective_mas == 150


def test_pitch_from_table_feed(write_series, hu):
    protocol = read_ct_protocol(
        write_series(hu, TableFeedPerRotation=30.0, TotalCollimationWidth=40.0)
    )
    assert protocol.pitch == pytest.approx(0.75)
    assert said(protocol, "table feed per rotation")


def test_collimation_from_feed_and_pitch(write_series, hu):
    protocol = read_ct_protocol(write_series(hu, TableFeedPerRotation=30.0, SpiralPitchFactor=0.75))
    assert protocol.collimation_mm == pytest.approx(40)


def test_bare_header_is_assumed_aloud(write_series, hu):
    protocol = read_ct_protocol(
        write_series(
            hu, alter=lambda d: [d.pop(name) for name in ("XRayTubeCurrent", "PatientPosition")]
        )
    )
    assert protocol.pitch == 1.0
    assert protocol.collimation_mm == 20.0
    assert protocol.ctdi_vol_mgy is None
    assert protocol.isocenter_lps_mm is None
    for word in ("TotalCollimationWidth", "pitch 1", "CTDIvol", "constant current", "isocenter",
                 "helical assumed", "rotation time", "PatientPosition"):  # fmt: skip
        assert said(protocol, word)


@pytest.mark.parametrize(
    ("attributes", "mode"),
    [
        ({"ScanOptions": "AXIAL MODE"}, "axial"),
        ({"ScanOptions": "CINE MODE"}, "axial"),
        ({"ScanOptions": "HELIX"}, "helical"),
        ({"ScanOptions": "HELICAL_CT"}, "helical"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SEQ"]}, "axial"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]}, "helical"),
        ({"AcquisitionType": "SEQUENCED"}, "axial"),
        ({"SpiralPitchFactor": 1.2}, "helical"),
    ],
)
def test_scan_mode(write_series, hu, attributes, mode):
    assert read_ct_protocol(write_series(hu, **attributes)).scan_mode == mode


def test_current_by_slice_and_gaps(write_series, hu):
    currents = [100, 0, 300, 200, 100]
    protocol = read_ct_protocol(
        write_series(hu, per_slice=lambda k: {"XRayTubeCurrent": currents[k]})
    )
    expected = np.array([100, 200, 300, 200, 100])
    np.testing.assert_allclose(protocol.relative_current, expected / expected.mean())
    assert said(protocol, "missing in 1 slices")


@pytest.mark.parametrize("source", ["Exposure", "CTDIvol"])
def test_current_from_second_choice(write_series, hu, source):
    protocol = read_ct_protocol(
        write_series(hu, per_slice=lambda k: {source: 10 + k, "XRayTubeCurrent": 0})
    )
    np.testing.assert_allclose(protocol.relative_current, np.arange(10, 15) / 12)
    assert protocol.tube_current_ma is None
    assert said(protocol, source)


def test_feet_first_slices_ascend_with_their_current(write_series, hu):
    protocol = read_ct_protocol(
        write_series(
            hu,
            row_direction=(-1, 0),
            PatientPosition="FFS",
            per_slice=lambda k: {"XRayTubeCurrent": 100 + 50 * k, "InstanceNumber": 9 - k},
        )
    )
    assert np.all(np.diff(protocol.relative_current) > 0)
    assert protocol.patient_position == "FFS"


def test_phantom_from_filter(write_series, hu):
    protocol = read_ct_protocol(write_series(hu, CTDIvol=20.0, FilterType="HEAD FILTER"))
    assert protocol.phantom_diameter_mm == 160
    assert protocol.body_region == "head"
    assert said(protocol, "FilterType")
    protocol = read_ct_protocol(write_series(hu, "other", CTDIvol=20.0, FilterType="WEDGE_2"))
    assert protocol.phantom_diameter_mm is None
    assert said(protocol, "phantom_diameter_mm")


def test_isocenter_from_header_or_vendor(write_series, hu):
    inside = [-35.0, -112.0, 0.0]
    protocol = read_ct_protocol(write_series(hu, "a", DataCollectionCenterPatient=inside))
    assert protocol.isocenter_lps_mm == (-35, -112)
    protocol = read_ct_protocol(write_series(hu, "b", DataCollectionCenterPatient=[500, 0, 0]))
    assert protocol.isocenter_lps_mm is None
    protocol = read_ct_protocol(
        write_series(hu, "c", Manufacturer="GE", origin=(-5.0, -8.0, -300.0))
    )
    assert protocol.isocenter_lps_mm == (0, 0)
    protocol = read_ct_protocol(
        write_series(hu, "d", Manufacturer="SIEMENS", TableHeight=112, origin=(-5, -120, -300))
    )
    assert protocol.isocenter_lps_mm == (0, -112)


def test_tube_voltage_is_needed(write_series, hu):
    with pytest.raises(InputError, match=r"KVP \(0018,0060\) is empty or 0"):
        read_ct_protocol(write_series(hu, "zero", KVP=0))
    with pytest.raises(InputError, match="180 kV"):
        read_ct_protocol(write_series(hu, "high", KVP=180))
    with pytest.raises(InputError, match="varies from 80 to 140"):
        read_ct_protocol(write_series(hu, "dual", per_slice=lambda k: {"KVP": 140 if k else 80}))


def test_damaged_values_count_as_missing(write_series, hu, caplog):
    folder = write_series(hu, **{**SIEMENS, "ExposureTime": 5555, "Exposure": 7777})
    for file in folder.iterdir():
        content = file.read_bytes()
        assert content.count(b"5555") == content.count(b"7777") == 1
        file.write_bytes(content.replace(b"5555", b"abc ").replace(b"7777", b"77.5"))
    protocol = read_ct_protocol(folder)
    assert protocol.tube_current_ma == 200
    assert protocol.rotation_time_s is None
    assert not caplog.records


def test_no_identity_in_notes(write_series, hu):
    protocol = read_ct_protocol(write_series(hu))
    assert "SECRET" not in repr(protocol)
    assert "Doe" not in repr(protocol)

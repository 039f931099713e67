"""Enhanced (multi-frame) CT gives the same image and protocol as single slices."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from milligray.errors import FormatError
from milligray.read import open_ct, read_ct_series

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def item(**attributes):
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


@pytest.fixture
def enhanced(make_slice, phantom_code, hu):
    """Frames in descending order; slice-wise mA and rescale; geometry shared."""
    dataset = make_slice(hu[0], 0.0, KVP=None, XRayTubeCurrent=None, RescaleSlope=None,
                         RescaleIntercept=None, ImagePositionPatient=None, SliceThickness=None,
                         ImageOrientationPatient=None, PixelSpacing=None)  # fmt: skip
    dataset.SOPClassUID = ENHANCED_CT
    dataset.NumberOfFrames = len(hu)
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=[1.5, 1.25], SliceThickness=2.5)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.CTXRayDetailsSequence = item(KVP=100.0, FilterType="BODY")
    shared.CTAcquisitionTypeSequence = item(AcquisitionType="SPIRAL")
    shared.CTAcquisitionDetailsSequence = item(
        RevolutionTime=0.5, SingleCollimationWidth=0.6, TotalCollimationWidth=38.4
    )
    shared.CTTableDynamicsSequence = item(SpiralPitchFactor=0.9)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames, pixels = [], []
    for k in reversed(range(len(hu))):
        groups = Dataset()
        groups.PlanePositionSequence = item(ImagePositionPatient=[-40, -120, -300 + 2.5 * k])
        groups.PixelValueTransformationSequence = item(
            RescaleSlope=1, RescaleIntercept=-1024 - k, RescaleType="HU"
        )
        groups.CTExposureSequence = item(
            XRayTubeCurrentInmA=100.0 + 10 * k, ExposureInmAs=60.0, CTDIvol=5.0 + 0.5 * k,
            CTDIPhantomTypeCodeSequence=phantom_code("113691"),
        )  # fmt: skip
        groups.CTPositionSequence = item(DataCollectionCenterPatient=[-35.0, -110.0, -300.0])
        frames.append(groups)
        pixels.append((hu[k].astype(np.int32) + 1024 + k).astype("<u2").tobytes())
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.PixelData = b"".join(pixels)
    return dataset


@pytest.mark.parametrize("compressed", [False, True])
def test_enhanced_image_and_protocol(enhanced, save_slice, tmp_path, hu, compressed):
    if compressed:
        enhanced.compress(RLELossless)
    ct, protocol = open_ct(save_slice(enhanced, tmp_path / "ct" / "multi.dcm"))
    np.testing.assert_array_equal(ct.volume.values, hu)
    np.testing.assert_allclose(ct.volume.grid.to_lps_mm([0, 0, 0]), (-40, -120, -300))
    assert ct.volume.grid.spacing_mm == pytest.approx((2.5, 1.5, 1.25))
    assert protocol.tube_voltage_kv == 100
    assert protocol.scan_mode == "helical"
    assert protocol.pitch == 0.9
    assert protocol.collimation_mm == 38.4
    assert protocol.ctdi_vol_mgy == pytest.approx(6.0)
    assert protocol.phantom_diameter_mm == 320
    assert protocol.tube_current_ma == pytest.approx(120)
    assert protocol.effective_mas == pytest.approx(120 * 0.5 / 0.9)
    assert protocol.isocenter_lps_mm == (-35, -110)
    np.testing.assert_allclose(protocol.relative_current, np.arange(100, 150, 10) / 120)


def test_enhanced_without_frame_attributes_is_refused(enhanced, save_slice, tmp_path):
    del enhanced.PerFrameFunctionalGroupsSequence
    with pytest.raises(FormatError, match="per-frame attributes"):
        read_ct_series(save_slice(enhanced, tmp_path / "multi.dcm"))


def test_truncated_enhanced_file_is_named(enhanced, save_slice, tmp_path):
    path = save_slice(enhanced, tmp_path / "multi.dcm")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match=r"multi\.dcm"):
        read_ct_series(path)


def test_frame_without_position_is_refused(enhanced, save_slice, tmp_path):
    del enhanced.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    with pytest.raises(FormatError, match="1 of 5 frames have no position"):
        read_ct_series(save_slice(enhanced, tmp_path / "multi.dcm"))

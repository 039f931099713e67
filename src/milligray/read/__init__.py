"""Files in: CT, PET, SPECT, reports and organ labels. The only stage that knows input formats."""

from milligray.read.activity_facts import ActivityFacts, SpectCalibration
from milligray.read.activity_input import read_activity, read_activity_frames
from milligray.read.activity_nifti import read_activity_nifti
from milligray.read.activity_series import ActivityImage, PatientKeys
from milligray.read.activity_sidecar import read_sidecar
from milligray.read.ct_dicom import read_ct_series
from milligray.read.ct_nifti import read_ct_nifti
from milligray.read.ct_protocol import read_ct_protocol
from milligray.read.dicom_reference import DicomReference, read_dicom_reference
from milligray.read.exam import CtInput, find_ct, open_ct
from milligray.read.labels import read_labels
from milligray.read.nm_dicom import read_nm_series
from milligray.read.patient_keys import check_same_patient, read_patient_keys
from milligray.read.pet_dicom import read_pet_frames, read_pet_series
from milligray.read.protocol_file import read_protocol_file
from milligray.read.rrdsr import RadiopharmaceuticalReport, check_report, read_rrdsr
from milligray.read.series import CtProtocol, CtSeries, LabelMap, PatientPosition, ScanMode

__all__ = [
    "ActivityFacts",
    "ActivityImage",
    "CtInput",
    "CtProtocol",
    "CtSeries",
    "DicomReference",
    "LabelMap",
    "PatientKeys",
    "PatientPosition",
    "RadiopharmaceuticalReport",
    "ScanMode",
    "SpectCalibration",
    "check_report",
    "check_same_patient",
    "find_ct",
    "open_ct",
    "read_activity",
    "read_activity_frames",
    "read_activity_nifti",
    "read_ct_nifti",
    "read_ct_protocol",
    "read_ct_series",
    "read_dicom_reference",
    "read_labels",
    "read_nm_series",
    "read_patient_keys",
    "read_pet_frames",
    "read_pet_series",
    "read_protocol_file",
    "read_rrdsr",
    "read_sidecar",
]

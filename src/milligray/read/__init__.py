"""Files in: CT series, protocol and organ labels. The only stage that knows input formats."""

from milligray.read.ct_dicom import read_ct_series
from milligray.read.ct_nifti import read_ct_nifti
from milligray.read.ct_protocol import read_ct_protocol
from milligray.read.exam import CtInput, find_ct, open_ct
from milligray.read.labels import read_labels
from milligray.read.protocol_file import read_protocol_file
from milligray.read.series import CtProtocol, CtSeries, LabelMap, PatientPosition, ScanMode

__all__ = [
    "CtInput",
    "CtProtocol",
    "CtSeries",
    "LabelMap",
    "PatientPosition",
    "ScanMode",
    "find_ct",
    "open_ct",
    "read_ct_nifti",
    "read_ct_protocol",
    "read_ct_series",
    "read_labels",
    "read_protocol_file",
]

"""Write a dose result: the only code that knows output formats."""

from milligray.report.console import organ_table
from milligray.report.nifti import write_nifti
from milligray.report.nm_console import nm_organ_table
from milligray.report.nm_output import write_nm_result
from milligray.report.nm_result import NmResult, RegionEffect, RegionKinetics
from milligray.report.nm_tables import nm_result_document
from milligray.report.output import RESULT_FILES, check_output, write_result
from milligray.report.result import ExamResult
from milligray.report.rtdose import write_rtdose
from milligray.report.tables import result_document, write_json, write_organ_csv

__all__ = [
    "RESULT_FILES",
    "ExamResult",
    "NmResult",
    "RegionEffect",
    "RegionKinetics",
    "check_output",
    "nm_organ_table",
    "nm_result_document",
    "organ_table",
    "result_document",
    "write_json",
    "write_nifti",
    "write_nm_result",
    "write_organ_csv",
    "write_result",
    "write_rtdose",
]

"""Write a dose result: the only code that knows output formats."""

from milligray.report.console import organ_table
from milligray.report.nifti import write_nifti
from milligray.report.output import RESULT_FILES, check_output, write_result
from milligray.report.result import ExamResult
from milligray.report.tables import result_document, write_json, write_organ_csv

__all__ = [
    "RESULT_FILES",
    "ExamResult",
    "check_output",
    "organ_table",
    "result_document",
    "write_json",
    "write_nifti",
    "write_organ_csv",
    "write_result",
]

"""Many exams: a list in, a folder per exam and one table of organ doses out."""

from milligray.cohort.exam_list import CohortExam, ExamDefaults, read_exam_list
from milligray.cohort.run import CohortOptions, CohortSummary, plan_cohort, run_cohort

__all__ = [
    "CohortExam",
    "CohortOptions",
    "CohortSummary",
    "ExamDefaults",
    "plan_cohort",
    "read_exam_list",
    "run_cohort",
]

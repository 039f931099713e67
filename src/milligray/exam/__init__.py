"""Whole examinations: the stages in their order, from input to a result ready to be written."""

from milligray.exam.ct_exam import compute_ct_exam
from milligray.exam.settings import CtSettings

__all__ = ["CtSettings", "compute_ct_exam"]

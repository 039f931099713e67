"""Compare predicted with reference doses: errors, agreement, coverage, gamma, tables, figures."""

from milligray.evaluate.agreement import (
    bland_altman,
    joint_histogram,
    kolmogorov_smirnov,
    mann_whitney,
)
from milligray.evaluate.bootstrap import patient_bootstrap
from milligray.evaluate.comparison import Comparison, compare_results
from milligray.evaluate.coverage import calibration_curve, coverage, z_scores
from milligray.evaluate.errors_of_values import MEASURES
from milligray.evaluate.gamma import GammaResult, GammaSettings, gamma_index
from milligray.evaluate.images import ImageAgreement, compare_images, dose_mask
from milligray.evaluate.overlap import Overlap, compare_masks
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.results import pair_results, read_result
from milligray.evaluate.summary import ErrorSummary, summarize_errors
from milligray.evaluate.table import Column, Table, write_tables
from milligray.evaluate.tables import image_table, organ_table, system_table

__all__ = [
    "MEASURES",
    "Column",
    "Comparison",
    "ErrorSummary",
    "GammaResult",
    "GammaSettings",
    "ImageAgreement",
    "Overlap",
    "Table",
    "ValuePairs",
    "bland_altman",
    "calibration_curve",
    "compare_images",
    "compare_masks",
    "compare_results",
    "coverage",
    "dose_mask",
    "gamma_index",
    "image_table",
    "joint_histogram",
    "kolmogorov_smirnov",
    "mann_whitney",
    "organ_table",
    "pair_results",
    "patient_bootstrap",
    "read_result",
    "summarize_errors",
    "system_table",
    "write_tables",
    "z_scores",
]

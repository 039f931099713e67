"""Validation as a product: published and independent values beside ours."""

from milligray.validate.egsnrc import egsnrc_rows
from milligray.validate.nist import nist_rows
from milligray.validate.rows import ValidationRow, summarize
from milligray.validate.svalues import s_value_rows
from milligray.validate.tg195 import read_case5_phantom, tg195_rows

__all__ = [
    "ValidationRow",
    "egsnrc_rows",
    "nist_rows",
    "read_case5_phantom",
    "s_value_rows",
    "summarize",
    "tg195_rows",
]

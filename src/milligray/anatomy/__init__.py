"""Synthetic whole-body anatomies: smooth shapes on a skeleton, grown to reference masses."""

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.build import build_anatomy
from milligray.anatomy.ct_options import CtAppearance, typical_appearance
from milligray.anatomy.image import anatomy_ct, cropped
from milligray.anatomy.parameters import AnatomyParameters

__all__ = [
    "Anatomy",
    "AnatomyParameters",
    "CtAppearance",
    "anatomy_ct",
    "build_anatomy",
    "cropped",
    "typical_appearance",
]

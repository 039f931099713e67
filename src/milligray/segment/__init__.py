"""Organs: given labels, threshold tissues, an outside segmenter; catalog and mass weights."""

from milligray.segment.catalog import (
    Organ,
    canonical_name,
    organ_catalog,
    reference_volume_ml,
)
from milligray.segment.given_labels import resample_labels, shares_inside
from milligray.segment.mass_weights import OrganMassWeights, organ_mass_weights
from milligray.segment.organs import OrganMap
from milligray.segment.segment import segment_organs
from milligray.segment.threshold_tissues import THRESHOLD_TISSUES, threshold_tissues
from milligray.segment.total_segmentator import run_total_segmentator

__all__ = [
    "THRESHOLD_TISSUES",
    "Organ",
    "OrganMap",
    "OrganMassWeights",
    "canonical_name",
    "organ_catalog",
    "organ_mass_weights",
    "reference_volume_ml",
    "resample_labels",
    "run_total_segmentator",
    "segment_organs",
    "shares_inside",
    "threshold_tissues",
]

"""Training sets: inputs and Monte Carlo targets of the networks, with their uncertainty."""

from milligray.dataset.kernel_pairs import KernelPair, KernelPairs
from milligray.dataset.kinds import Kind, Sample, SampleArray, find_kind, list_kinds
from milligray.dataset.patients import SampleSpec, read_patient_list
from milligray.dataset.reader import TrainingSet, open_set
from milligray.dataset.recompute import recompute_sample, verify_set
from milligray.dataset.run import SetSummary, make_set
from milligray.dataset.settings import SetSettings
from milligray.dataset.uncertainty import sigma_floor_mgy

__all__ = [
    "KernelPair",
    "KernelPairs",
    "Kind",
    "Sample",
    "SampleArray",
    "SampleSpec",
    "SetSettings",
    "SetSummary",
    "TrainingSet",
    "find_kind",
    "list_kinds",
    "make_set",
    "open_set",
    "read_patient_list",
    "recompute_sample",
    "sigma_floor_mgy",
    "verify_set",
]

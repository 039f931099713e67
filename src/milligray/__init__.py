"""Patient-specific radiation dose: the eight verbs of the pipeline and their nouns, lazily."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milligray.materials.material import Material
    from milligray.materials.tissues import load_material
    from milligray.patient.build import build_patient
    from milligray.patient.patient import Patient
    from milligray.read.activity_input import read_activity
    from milligray.read.activity_series import ActivityImage
    from milligray.read.ct_dicom import read_ct_series
    from milligray.read.ct_nifti import read_ct_nifti
    from milligray.read.ct_protocol import read_ct_protocol
    from milligray.read.labels import read_labels
    from milligray.read.protocol_file import read_protocol_file
    from milligray.read.series import CtProtocol, CtSeries, LabelMap
    from milligray.report.output import write_result
    from milligray.report.tables import write_json, write_organ_csv
    from milligray.score.dose import DoseMap, OrganDoses
    from milligray.score.dose_scoring import score_dose, score_organ_dose
    from milligray.segment.organs import OrganMap
    from milligray.segment.segment import segment_organs
    from milligray.source.activity_on_patient import activity_on_patient
    from milligray.source.beams import FieldBeam
    from milligray.source.ct_scan import make_ct_source
    from milligray.source.ct_source import CtSource
    from milligray.source.decay_source import DecaySource
    from milligray.source.nuclide import Nuclide, load_nuclide
    from milligray.source.rigid_registration import register_rigid
    from milligray.source.spectrum import Spectrum
    from milligray.source.time_integrated_activity import TimeIntegratedActivity
    from milligray.source.tube import make_spectrum
    from milligray.transport.deposit import EnergyDeposit
    from milligray.transport.monte_carlo.decay_engine import transport_decays
    from milligray.transport.monte_carlo.engine import transport_photons
    from milligray.volume import Grid, Volume

_HOME = {
    "ActivityImage": "milligray.read.activity_series",
    "CtProtocol": "milligray.read.series",
    "CtSeries": "milligray.read.series",
    "CtSource": "milligray.source.ct_source",
    "DecaySource": "milligray.source.decay_source",
    "DoseMap": "milligray.score.dose",
    "EnergyDeposit": "milligray.transport.deposit",
    "FieldBeam": "milligray.source.beams",
    "Grid": "milligray.volume",
    "LabelMap": "milligray.read.series",
    "Material": "milligray.materials.material",
    "Nuclide": "milligray.source.nuclide",
    "OrganDoses": "milligray.score.dose",
    "OrganMap": "milligray.segment.organs",
    "Patient": "milligray.patient.patient",
    "Spectrum": "milligray.source.spectrum",
    "TimeIntegratedActivity": "milligray.source.time_integrated_activity",
    "Volume": "milligray.volume",
    "activity_on_patient": "milligray.source.activity_on_patient",
    "build_patient": "milligray.patient.build",
    "load_material": "milligray.materials.tissues",
    "load_nuclide": "milligray.source.nuclide",
    "make_ct_source": "milligray.source.ct_scan",
    "make_spectrum": "milligray.source.tube",
    "read_activity": "milligray.read.activity_input",
    "read_ct_nifti": "milligray.read.ct_nifti",
    "read_ct_protocol": "milligray.read.ct_protocol",
    "read_ct_series": "milligray.read.ct_dicom",
    "read_labels": "milligray.read.labels",
    "read_protocol_file": "milligray.read.protocol_file",
    "register_rigid": "milligray.source.rigid_registration",
    "score_dose": "milligray.score.dose_scoring",
    "score_organ_dose": "milligray.score.dose_scoring",
    "segment_organs": "milligray.segment.segment",
    "transport_decays": "milligray.transport.monte_carlo.decay_engine",
    "transport_photons": "milligray.transport.monte_carlo.engine",
    "write_json": "milligray.report.tables",
    "write_organ_csv": "milligray.report.tables",
    "write_result": "milligray.report.output",
}

__all__ = [
    "ActivityImage",
    "CtProtocol",
    "CtSeries",
    "CtSource",
    "DecaySource",
    "DoseMap",
    "EnergyDeposit",
    "FieldBeam",
    "Grid",
    "LabelMap",
    "Material",
    "Nuclide",
    "OrganDoses",
    "OrganMap",
    "Patient",
    "Spectrum",
    "TimeIntegratedActivity",
    "Volume",
    "activity_on_patient",
    "build_patient",
    "load_material",
    "load_nuclide",
    "make_ct_source",
    "make_spectrum",
    "read_activity",
    "read_ct_nifti",
    "read_ct_protocol",
    "read_ct_series",
    "read_labels",
    "read_protocol_file",
    "register_rigid",
    "score_dose",
    "score_organ_dose",
    "segment_organs",
    "transport_decays",
    "transport_photons",
    "write_json",
    "write_organ_csv",
    "write_result",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOME:
        raise AttributeError(f"module 'milligray' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__

"""The problems that are timed: a water box, and real patients where their data are there."""

from dataclasses import dataclass
from pathlib import Path

from milligray.data import sample_folder
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read import open_ct, read_labels
from milligray.segment import organ_mass_weights, segment_organs
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.ct_scan import make_ct_source
from milligray.transport.monte_carlo.engine import Source
from milligray.validate.egsnrc import water_box_and_beam

REPOSITORY = Path(__file__).parent.parent
HEAD_NECK = REPOSITORY.parent / "shared" / "data" / "headneck"
PROTOCOL = REPOSITORY / "examples" / "head_neck_helical.toml"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something to transport photons through."""

    name: str
    patient: Patient
    source: Source
    organs: OrganMassWeights | None = None


def water() -> Problem:
    """Water 60^3 voxels of 5 mm, 10 x 10 cm2 parallel beam, 60 keV."""
    patient, beam = water_box_and_beam(60.0)
    return Problem(name="water box 60^3 x 5 mm, 60 keV", patient=patient, source=beam)


def head_neck(patient_id: str, *, voxel_size_mm: float = 4.0) -> Problem:
    """A real head-and-neck patient with the shipped example protocol."""
    return _exam(
        f"head and neck {patient_id}, {voxel_size_mm:g} mm",
        HEAD_NECK / f"{patient_id}_ct.nii.gz",
        HEAD_NECK / f"{patient_id}_labels.nii.gz",
        PROTOCOL,
        voxel_size_mm,
    )


def shipped_sample(*, voxel_size_mm: float = 3.0) -> Problem:
    """The CT series that ships with the package."""
    with sample_folder("siemens_upper_abdomen") as folder:
        return _exam(
            f"shipped upper abdomen, {voxel_size_mm:g} mm",
            folder / "ct",
            folder / "labels.nii.gz",
            None,
            voxel_size_mm,
        )


def head_neck_is_there() -> bool:
    """True if the head-and-neck data lie beside the repository."""
    return (HEAD_NECK / "pt_2_ct.nii.gz").is_file()


def _exam(
    name: str, image: Path, labels: Path, protocol_file: Path | None, voxel_size_mm: float
) -> Problem:
    ct, protocol = open_ct(image, protocol_file)
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=voxel_size_mm)
    organs = segment_organs(patient, read_labels(labels))
    return Problem(
        name=name,
        patient=patient,
        source=make_ct_source(protocol, patient),
        organs=organ_mass_weights(patient, organs),
    )

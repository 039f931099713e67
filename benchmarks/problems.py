"""The problems that are timed: a water box, and real patients where their data are there."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse

from milligray.data import sample_folder
from milligray.patient import build_patient
from milligray.patient.patient import Patient
from milligray.read import open_ct, read_labels
from milligray.segment import organ_mass_weights, segment_organs
from milligray.segment.mass_weights import OrganMassWeights
from milligray.segment.organs import OrganMap
from milligray.source.ct_scan import make_ct_source, nominal_range_mm
from milligray.source.spectrum import Spectrum
from milligray.source.voxel_source import VoxelSource
from milligray.transport.monte_carlo.engine import Source
from milligray.typing import BoolArray
from milligray.validate.egsnrc import water_box_and_beam

REPOSITORY = Path(__file__).parent.parent
DATA = REPOSITORY.parent / "shared" / "data"
HEAD_NECK = DATA / "headneck"
TORSO = DATA / "torso"
HEAD_NECK_PROTOCOL = REPOSITORY / "examples" / "head_neck_helical.toml"
TORSO_PROTOCOL = REPOSITORY / "examples" / "abdomen_helical.toml"
PATIENTS = ("pt_2", "pt_4", "pt_13")
PART_OF_TORSO_MM = (0.0, 200.0)
SMALL_ORGAN_ML = 10.0


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something to transport photons through.

    `inside` tells which organs lie whole in the irradiated range and the image.
    """

    name: str
    patient: Patient
    source: Source
    organs: OrganMassWeights | None = None
    inside: BoolArray | None = None

    @property
    def judged_inside(self) -> BoolArray | None:
        """Organs of at least 10 mL that lie whole in the irradiated range; None without any."""
        if self.organs is None or self.inside is None:
            return None
        mask = self.inside & (self.organs.volume_ml >= SMALL_ORGAN_ML)
        return mask if mask.any() else None


def water() -> Problem:
    """Water 60^3 voxels of 5 mm, 10 x 10 cm2 parallel beam, 60 keV."""
    patient, beam = water_box_and_beam(60.0)
    return Problem(
        name="water box 60^3 x 5 mm, 60 keV", patient=patient, source=beam, organs=_whole(patient)
    )


def distributed(*, is_stratified: bool = True) -> Problem | None:
    """511 keV, uniform by mass and isotropic in the body of the torso; None without its data."""
    if not torso_is_there():
        return None
    body = torso()
    patient = body.patient
    source = VoxelSource(
        grid=patient.grid, emission=patient.mass_g * patient.body,
        spectrum=Spectrum.monoenergetic(511.0), is_stratified=is_stratified,
    )  # fmt: skip
    how = "stratified" if is_stratified else "random"
    return Problem(
        name=f"511 keV in the torso's body, 3 mm, {how}", patient=patient, source=source,
        organs=body.organs,
    )  # fmt: skip


def head_neck(patient_id: str, *, voxel_size_mm: float = 4.0) -> Problem:
    """A real head-and-neck patient with the shipped example protocol."""
    return _exam(
        f"head and neck {patient_id}, {voxel_size_mm:g} mm",
        HEAD_NECK / f"{patient_id}_ct.nii.gz",
        HEAD_NECK / f"{patient_id}_labels.nii.gz",
        HEAD_NECK_PROTOCOL,
        voxel_size_mm,
    )


def torso(*, voxel_size_mm: float = 3.0) -> Problem:
    """Abdomen and pelvis of a real patient, 61 organs, all of the image scanned."""
    return _torso(f"torso, {voxel_size_mm:g} mm", TORSO_PROTOCOL, voxel_size_mm)


def torso_in_part(*, voxel_size_mm: float = 3.0) -> Problem:
    """The same patient, but only the upper 20 cm scanned: organs lie outside of the range."""
    start, end = PART_OF_TORSO_MM
    text = TORSO_PROTOCOL.read_text("utf-8").replace(
        "[scan]", f"[scan]\nscan_start_from_top_mm = {start}\nscan_end_from_top_mm = {end}"
    )
    with tempfile.TemporaryDirectory() as folder:
        protocol = Path(folder) / "part.toml"
        protocol.write_text(text, "utf-8")
        return _torso(f"torso, upper 20 cm scanned, {voxel_size_mm:g} mm", protocol, voxel_size_mm)


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


def torso_is_there() -> bool:
    """True if the torso data lie beside the repository."""
    return (TORSO / "ts_abdomen_pelvis_ct.nii.gz").is_file()


def exams(*, quick: bool) -> list[Problem]:
    """The real patients, as far as their data are there."""
    chosen = []
    if torso_is_there():
        chosen.append(torso())
    if head_neck_is_there():
        chosen += [head_neck(patient) for patient in (PATIENTS[:1] if quick else PATIENTS)]
    chosen.append(shipped_sample())
    return chosen


def _whole(patient: Patient) -> OrganMassWeights:
    """All of a patient as one organ."""
    mass_g = patient.mass_g.ravel().astype(np.float64)
    return OrganMassWeights(
        names=("all",), weights_g=scipy.sparse.csr_matrix(mass_g[None]),
        mass_g=np.array([mass_g.sum()]),
        volume_ml=np.array([mass_g.size * patient.grid.voxel_volume_cm3]),
    )  # fmt: skip


def _torso(name: str, protocol: Path, voxel_size_mm: float) -> Problem:
    image, labels = (TORSO / f"ts_abdomen_pelvis_{what}.nii.gz" for what in ("ct", "labels"))
    return _exam(name, image, labels, protocol, voxel_size_mm)


def _exam(
    name: str, image: Path, labels: Path, protocol_file: Path | None, voxel_size_mm: float
) -> Problem:
    ct, protocol = open_ct(image, protocol_file)
    patient = build_patient(ct, calibration="schneider2000", voxel_size_mm=voxel_size_mm)
    organs = segment_organs(patient, read_labels(labels))
    weights = organ_mass_weights(patient, organs)
    return Problem(
        name=name,
        patient=patient,
        source=make_ct_source(protocol, patient),
        organs=weights,
        inside=_inside(organs, weights, nominal_range_mm(protocol)),
    )


def _inside(
    organs: OrganMap, weights: OrganMassWeights, range_mm: tuple[float, float]
) -> BoolArray:
    z = organs.grid.axis_centers_mm(0)
    label_of = {name: label for label, name in organs.names.items()}
    half = 0.5 * organs.grid.spacing_mm[0]
    answer = []
    for name in weights.names:
        hit = np.flatnonzero([(plane == label_of[name]).any() for plane in organs.labels])
        is_cut = hit[0] == 0 or hit[-1] == z.size - 1
        low, high = z[hit[0]] - half, z[hit[-1]] + half
        answer.append(not is_cut and range_mm[0] <= low and high <= range_mm[1])
    return np.array(answer)

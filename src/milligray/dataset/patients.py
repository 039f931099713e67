"""Whose samples a set holds: the list of a cohort, with patients, splits and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from milligray.cohort.exam_list import CohortExam, ExamDefaults, read_exam_list
from milligray.cohort.fingerprint import exam_seed, hash_of
from milligray.cohort.list_rows import read_rows
from milligray.dataset.settings import SPLITS, SetSettings
from milligray.draws import fraction
from milligray.errors import InputError
from milligray.exam.settings import CtSettings

COLUMNS = ("patient", "kind_of_anatomy", "split", "sample", "augment")
OF_THE_SET = ("voxel_size_mm", "seed")
"""Columns of a cohort's list that must be the same for all samples of a set."""
ANATOMIES = ("real", "synthetic")
_MOST_SAMPLES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSpec:
    """One sample: all that it depends on.

    Parameters
    ----------
    name : str
        ``<exam>_<number>``.
    number : int
    exam : CohortExam
        With the sample's own seed.
    patient : str
        What the set is split by.
    anatomy : {"real", "synthetic"}
    split : {"train", "validation", "test"}
    augmented : int
        0: as it is; else the number of the augmented copy of patient and scan.
    settings : SetSettings
    fingerprint : str
        Hash of all of it, files and code.
    """

    name: str
    number: int
    exam: CohortExam
    patient: str
    anatomy: str
    split: str
    augmented: int
    settings: SetSettings
    fingerprint: str

    @property
    def key(self) -> tuple[object, ...]:
        """Key of the sample's random draws."""
        return self.settings.seed, self.exam.exam, self.number

    @property
    def seed(self) -> int:
        """Seed of its histories."""
        return self.exam.settings.seed


def read_patient_list(
    path: str | Path, settings: SetSettings, defaults: CtSettings | None = None
) -> tuple[SampleSpec, ...]:
    """Read the list of a training set.

    Parameters
    ----------
    path : str or Path
        A cohort's list (`milligray.cohort.read_exam_list`) with the optional columns ``patient``
        (default: the exam), ``kind_of_anatomy`` (real, synthetic), ``split`` (train, validation,
        test; default: drawn by patient), ``sample`` (number of samples) and ``augment`` (number
        of augmented copies besides).
    settings : SetSettings
    defaults : CtSettings, optional

    Returns
    -------
    tuple of SampleSpec
        Sorted by name.

    Raises
    ------
    InputError
        With every problem of the list; no patient may stand in two splits.
    """
    path = Path(path)
    own = settings.protocols == "own"
    exams = read_exam_list(
        path, ExamDefaults(settings=defaults or CtSettings()), more_columns=COLUMNS,
        needs_protocol=own,
    )  # fmt: skip
    columns, rows = read_rows(path)
    fixed = [name for name in OF_THE_SET if name in columns]
    if fixed:
        raise InputError(f"{path.name}: column {fixed[0]!r} holds for a whole set; give the option")
    cells = {row.cells["exam"]: (row.line, row.cells) for row in rows}
    problems: list[str] = []
    specs: list[SampleSpec] = []
    splits: dict[str, tuple[str, int]] = {}
    for exam in exams:
        line, row = cells[exam.exam]
        reader = _Row(row, line, problems)
        patient = row.get("patient", exam.exam)
        split = reader.choice("split", SPLITS) or drawn_split(patient, settings)
        before, where = splits.setdefault(patient, (split, line))
        if before != split:
            problems.append(
                f"line {line}: patient {patient} is in {split}, in line {where} in {before};"
                " a patient belongs to one split"
            )
        anatomy = reader.choice("kind_of_anatomy", ANATOMIES) or "real"
        n = reader.count("sample", settings.samples_per_patient, at_least=1)
        if own and n > 1:
            problems.append(f"line {line}: with its own protocol an exam gives one sample")
        copies = reader.count("augment", 0, at_least=0)
        if own and copies:
            problems.append(f"line {line}: a deformed patient has no protocol of its own; draw one")
        specs += [
            _spec(exam, number, number // n, patient, anatomy, split, settings)
            for number in range(n * (1 + copies))
        ]
    if problems:
        raise InputError(
            f"{path.name} has {len(problems)} problem{'s' * (len(problems) > 1)}, nothing was"
            " started:\n  " + "\n  ".join(problems)
        )
    return tuple(sorted(specs, key=lambda spec: spec.name))


def drawn_split(patient: str, settings: SetSettings) -> str:
    """Split of a patient, from the set's seed and the patient's id alone."""
    xi = fraction(settings.seed, "split", patient)
    train, validation, _ = settings.split_fractions
    if xi < train:
        return "train"
    return "validation" if xi < train + validation else "test"


def sample_seed(seed: int, exam: str, number: int) -> int:
    """Seed of the histories of a sample."""
    return exam_seed(seed, f"{exam}|{number}")


def _spec(
    exam: CohortExam,
    number: int,
    augmented: int,
    patient: str,
    anatomy: str,
    split: str,
    settings: SetSettings,
) -> SampleSpec:
    seed = sample_seed(settings.seed, exam.exam, number)
    own = replace(exam, settings=replace(exam.settings, seed=seed))
    chosen = {
        name: getattr(settings, name) for name in SetSettings.__slots__
        if name not in ("samples_per_patient", "split_fractions")
    }  # fmt: skip
    return SampleSpec(
        name=f"{exam.exam}_{number:03d}", number=number, exam=own, patient=patient,
        anatomy=anatomy, split=split, augmented=augmented, settings=settings,
        fingerprint=hash_of(
            [exam.fingerprint, seed, number, augmented, patient, anatomy, split, chosen]
        ),
    )  # fmt: skip


class _Row:
    """Reads the cells of a row and collects what is wrong with them."""

    def __init__(self, cells: Mapping[str, str], line: int, problems: list[str]) -> None:
        self.cells, self.line, self.problems = cells, line, problems

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        value = self.cells.get(name)
        if value is not None and value not in allowed:
            self.problems.append(
                f"line {self.line}: {name} must be {', '.join(allowed)}, got {value!r}"
            )
            return None
        return value

    def count(self, name: str, default: int, *, at_least: int) -> int:
        text = self.cells.get(name)
        if text is None:
            return default
        if not text.isdigit() or not at_least <= int(text) <= _MOST_SAMPLES:
            self.problems.append(
                f"line {self.line}: {name} must be a number >= {at_least}, got {text!r}"
            )
            return default
        return int(text)

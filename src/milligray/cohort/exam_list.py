"""The list of exams of a cohort, checked as a whole before anything starts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from milligray.cohort.fingerprint import SmallFiles, exam_fingerprint, exam_seed
from milligray.cohort.list_rows import ListRow, read_rows
from milligray.cohort.settings_columns import (
    NOT_COLUMNS,
    exam_settings,
    parse_setting,
    setting_types,
)
from milligray.errors import InputError, MilligrayError
from milligray.exam.settings import CtSettings

FILE_COLUMNS = ("input", "protocol", "organs", "organ_names")
COLUMNS = ("exam", *FILE_COLUMNS, "series")
FILE_SETTINGS = {"calibration": (".csv", ".toml"), "scanner": (".toml",)}
"""Settings whose value is a file if it ends so; relative to the list."""
_EXAM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10))}
_SHOWN_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortExam:
    """One exam of a cohort, ready to be computed anywhere that sees its files.

    Parameters
    ----------
    exam : str
        Its name in the tables, and that of its folder.
    input, protocol, organs, organ_names : Path
        Absolute.
    series : str or None
    settings : CtSettings
        With the exam's own seed, see `exam_seed`.
    definition, fingerprint : str
        Hashes of what the list says of it, and of that with its files; see `exam_fingerprint`.
    """

    exam: str
    input: Path
    protocol: Path | None
    organs: Path | None
    organ_names: Path | None
    series: str | None
    settings: CtSettings
    definition: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamDefaults:
    """What holds for every exam whose row does not say otherwise."""

    settings: CtSettings = field(default_factory=CtSettings)
    protocol: Path | None = None
    organ_names: Path | None = None


def read_exam_list(
    path: str | Path,
    defaults: ExamDefaults | None = None,
    *,
    check_files: bool = True,
    more_columns: Sequence[str] = (),
    needs_protocol: bool = True,
) -> tuple[CohortExam, ...]:
    """Read and check a list of exams.

    Parameters
    ----------
    path : str or Path
        CSV with a header (or JSON lines): columns ``exam`` and ``input``, and any of
        ``protocol``, ``organs``, ``organ_names``, ``series`` and the names in `CtSettings` but
        ``threads``. Relative paths are relative to the list. An empty cell: the default.
    defaults : ExamDefaults, optional
    check_files : bool
        False: leave absent files to the exam that needs them, which then fails alone.
    more_columns : sequence of str
        Columns that another reader of the list understands; they are passed over here.
    needs_protocol : bool
        False: a NIfTI image may stand without a protocol.

    Returns
    -------
    tuple of CohortExam
        Sorted by name.

    Raises
    ------
    InputError
        With every problem of the list and its line.
    """
    path = Path(path)
    defaults = defaults or ExamDefaults()
    columns, rows = read_rows(path)
    problems = [(1, text) for text in _column_problems(columns, more_columns)]
    if problems:
        raise _refusal(path, problems)
    files = SmallFiles()
    exams: list[CohortExam] = []
    for row in rows:
        reader = _RowReader(
            row, path.parent.absolute(), defaults, files, check_files=check_files,
            needs_protocol=needs_protocol,
        )  # fmt: skip
        exam = reader.exam()
        problems += [(row.line, text) for text in reader.problems]
        if exam is not None:
            exams.append(exam)
    problems += _repeated(rows)
    if problems:
        raise _refusal(path, sorted(problems, key=lambda p: p[0]))
    return tuple(sorted(exams, key=lambda exam: exam.exam))


def _column_problems(columns: tuple[str, ...], more: Sequence[str] = ()) -> list[str]:
    known = (*COLUMNS, *setting_types(), *more)
    problems = [f"column {name!r} is missing" for name in ("exam", "input") if name not in columns]
    problems += [f"column {c!r} stands twice" for c in dict.fromkeys(columns) if
                 c and columns.count(c) > 1]  # fmt: skip
    for name in columns:
        if name in known or name == "":
            continue
        if name in NOT_COLUMNS:
            problems.append(f"column {name!r}: it holds for all exams; give --{name} instead")
            continue
        near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        problems.append(f"unknown column {name!r}; {hint}")
    return problems


def _repeated(rows: list[ListRow]) -> list[tuple[int, str]]:
    """Exams of the same name; upper and lower case are the same on some file systems."""
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        name = row.cells.get("exam", "")
        if name and first.setdefault(name.casefold(), row.line) != row.line:
            line = first[name.casefold()]
            problems.append((row.line, f"exam {name!r} stands in line {line} already"))
    return problems


def _refusal(path: Path, problems: list[tuple[int, str]]) -> InputError:
    lines = [f"  line {line}: {text}" for line, text in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"  and {len(problems) - _SHOWN_PROBLEMS} more")
    count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
    return InputError(f"{path.name} has {count}, nothing was started:\n" + "\n".join(lines))


class _RowReader:
    """Makes an exam of a row and collects all that is wrong with it."""

    def __init__(
        self,
        row: ListRow,
        folder: Path,
        defaults: ExamDefaults,
        files: SmallFiles,
        *,
        check_files: bool,
        needs_protocol: bool = True,
    ) -> None:
        self.cells: Mapping[str, str] = row.cells
        self.folder = folder
        self.defaults = defaults
        self.files = files
        self.check_files = check_files
        self.needs_protocol = needs_protocol
        self.problems: list[str] = []
        if row.surplus:
            self.problems.append(f"{row.surplus} cells more than columns")

    def exam(self) -> CohortExam | None:
        name = self._name()
        paths = {column: self._path(column) for column in FILE_COLUMNS}
        source = paths["input"]
        if source is None:
            self.problems.append("input is empty")
        protocol = paths["protocol"] or self.defaults.protocol
        names = paths["organ_names"] or (self.defaults.organ_names if paths["organs"] else None)
        is_nifti = source is not None and source.name.lower().endswith((".nii", ".nii.gz"))
        if is_nifti and protocol is None and self.needs_protocol:
            self.problems.append("a NIfTI image needs a protocol (column, or --protocol)")
        if is_nifti and "series" in self.cells:
            self.problems.append("a NIfTI image has no series to choose")
        if protocol is not None:
            self._try(lambda: self.files.check_protocol(protocol, must_exist=self.check_files))
        settings = self._settings(name)
        if self.problems or source is None or settings is None:
            return None
        series = self.cells.get("series")
        definition, fingerprint = exam_fingerprint(
            exam=name, settings=settings, series=series, files=self.files, list_folder=self.folder,
            paths={"input": source, "protocol": protocol, "organs": paths["organs"],
                   "organ_names": names},
        )  # fmt: skip
        return CohortExam(
            exam=name, input=source, protocol=protocol, organs=paths["organs"],
            organ_names=names, series=series, settings=settings, definition=definition,
            fingerprint=fingerprint,
        )  # fmt: skip

    def _name(self) -> str:
        name = self.cells.get("exam", "")
        if not name:
            self.problems.append("exam is empty")
        elif not _EXAM_ID.fullmatch(name) or name.endswith("."):
            self.problems.append(
                f"exam {name!r} cannot be a folder's name: letters, digits, '.', '_', '-', at most"
                " 100, the first a letter or digit"
            )
        elif name.split(".")[0].casefold() in _RESERVED:
            self.problems.append(f"exam {name!r} is a reserved name on some systems")
        return name

    def _path(self, column: str) -> Path | None:
        text = self.cells.get(column)
        if text is None:
            return None
        path = self.folder / Path(text).expanduser()
        if self.check_files and not path.exists():
            self.problems.append(f"{column} {text} does not exist")
        elif self.check_files and column != "input" and path.is_dir():
            self.problems.append(f"{column} {text} is a folder, not a file")
        return path

    def _settings(self, name: str) -> CtSettings | None:
        values: dict[str, object] = {}
        for key in setting_types():
            text = self.cells.get(key)
            if text is None:
                continue
            self._try(lambda key=key, text=text: values.__setitem__(key, parse_setting(key, text)))
            if text.lower().endswith(FILE_SETTINGS.get(key, ())) and key in FILE_SETTINGS:
                values[key] = str(self.folder / Path(text).expanduser())
        values.setdefault("seed", exam_seed(self.defaults.settings.seed, name))
        settings: list[CtSettings] = []
        self._try(lambda: settings.append(exam_settings(self.defaults.settings, values)))
        if not settings:
            return None
        self._try(lambda: self.files.check_settings(settings[0], must_exist=self.check_files))
        return settings[0]

    def _try(self, check: object) -> None:
        try:
            check()  # type: ignore[operator]
        except MilligrayError as error:
            self.problems.append(str(error))

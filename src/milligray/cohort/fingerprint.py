"""What the result of an exam depends on, as one hash; and the seed of its random numbers."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from milligray.cohort.settings_columns import NOT_COLUMNS
from milligray.errors import InputError
from milligray.exam.settings import CtSettings
from milligray.physics.compiled import sources_stamp

_SEED_BITS = 48
_SETTING_FILES = (".csv", ".toml")


def code_identity() -> dict[str, str]:
    """Version of the package and of its compiled physics: results of two do not mix."""
    return {"milligray": version("milligray"), "physics": sources_stamp()[:16]}


def exam_seed(base: int, exam: str) -> int:
    """Seed of an exam from that of the cohort and the exam's name.

    Patients that share a seed share their random numbers, and the errors of their doses would not
    average out over the cohort; so every exam has its own, whatever its place in the list.

    Examples
    --------
    >>> from milligray.cohort.fingerprint import exam_seed
    >>> exam_seed(1, "a") == exam_seed(1, "a") != exam_seed(1, "b")
    True
    """
    digest = hashlib.sha256(f"{base}|{exam}".encode()).hexdigest()
    return int(digest[: _SEED_BITS // 4], 16)


class SmallFiles:
    """Checks and hashes of the files that many exams share; each is read once."""

    def __init__(self) -> None:
        self._checked: dict[Path, str | None] = {}
        self._hashes: dict[Path, str] = {}
        self._scanners: dict[str, str | None] = {}

    def check_protocol(self, path: Path, *, must_exist: bool) -> None:
        """Parse a protocol file; raises InputError."""
        from milligray.read.protocol_file import parse_protocol_file  # noqa: PLC0415

        if not path.is_file():
            if must_exist:
                raise InputError(f"protocol {path.name} does not exist")
            return
        if path not in self._checked:
            try:
                parse_protocol_file(path)
                self._checked[path] = None
            except ValueError as error:  # InputError and FormatError are
                self._checked[path] = str(error)
        problem = self._checked[path]
        if problem is not None:
            raise InputError(f"protocol {path.name}: {problem}")

    def check_settings(self, settings: CtSettings, *, must_exist: bool) -> None:
        """Check the names and files among the settings; raises InputError."""
        from milligray.source.scanner_library import load_scanner  # noqa: PLC0415

        for name in ("scanner", "calibration"):
            value = getattr(settings, name)
            if value is None:
                continue
            if Path(value).suffix.lower() in _SETTING_FILES:
                if must_exist and not Path(value).is_file():
                    raise InputError(f"{name} {value} does not exist")
            elif name == "scanner":
                load_scanner(value)

    def sha256(self, path: Path) -> str:
        """Hash of the content; "absent" if there is none yet."""
        if path not in self._hashes:
            try:
                self._hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                return "absent"
        return self._hashes[path]


def exam_fingerprint(
    *,
    exam: str,
    settings: CtSettings,
    series: str | None,
    paths: Mapping[str, Path | None],
    files: SmallFiles,
    list_folder: Path,
) -> tuple[str, str]:
    """Hashes of an exam: what the list says, and with it what the files are.

    Parameters
    ----------
    paths : mapping of str to Path
        ``input``, ``protocol``, ``organs``, ``organ_names``.
    list_folder : Path
        Paths count relative to it, so that list and data can move together.

    Returns
    -------
    definition : str
        Of paths, series, settings but threads, and versions.
    fingerprint : str
        Of the definition and the files: content of the small ones (protocol, names, calibration,
        scanner), size of images that are one file. Pixel data are not read here: their hashes
        stand in the result.
    """
    named = {key: _relative(path, list_folder) for key, path in paths.items() if path is not None}
    sizes = {
        key: path.stat().st_size
        for key, path in paths.items()
        if key in ("input", "organs") and path is not None and path.is_file()
    }
    chosen = {k: v for k, v in asdict(settings).items() if k not in NOT_COLUMNS}
    if not chosen["accept_labels"]:
        del chosen["accept_labels"]  # younger than cohorts that are still gone on with
    contents = {
        key: files.sha256(path)
        for key, path in paths.items()
        if key in ("protocol", "organ_names") and path is not None
    }
    for key in ("scanner", "calibration"):
        value = chosen[key]
        if value is not None and Path(value).suffix.lower() in _SETTING_FILES:
            contents[key] = files.sha256(Path(value))
            chosen[key] = _relative(Path(value), list_folder)
    definition = hash_of([exam, series, named, chosen, code_identity()])
    return definition, hash_of([definition, sizes, contents])


def hash_of(document: object) -> str:
    """SHA-256 of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.absolute().relative_to(folder).as_posix()
    except ValueError:
        return path.as_posix()

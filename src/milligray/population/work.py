"""What a worker does: one synthetic person from its parameters to its folder."""

import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from milligray.anatomy.build import build_anatomy
from milligray.anatomy.ct_options import CtAppearance
from milligray.anatomy.image import anatomy_ct, describe
from milligray.anatomy.parameters import AnatomyParameters
from milligray.cohort.fingerprint import code_identity
from milligray.cohort.memory import peak_memory_mb, reset_peak_memory
from milligray.cohort.record import ExamRecord, Kind, one_line
from milligray.cohort.work import check_place, kind_of, reason_of
from milligray.errors import InputError
from milligray.population.fields_of_view import check_field, part_of
from milligray.population.measures import measures_of
from milligray.report.nifti_image import write_ct_pair

PHANTOM_FILE = "phantom.json"
SCHEMA = "milligray-phantom/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomTask:
    """One person and where its files go.

    Parameters
    ----------
    name : str
    parameters : AnatomyParameters
    spacing_mm : float [mm]
    field_of_view : str
        Field of view, see `milligray.population.fields_of_view`.
    appearance : CtAppearance
    out : Path
        Folder of the phantoms.
    work_folder : Path
    fingerprint : str
        Hash of all that its files depend on.
    code : tuple of pairs
        `code_identity` of the client.
    """

    name: str
    parameters: AnatomyParameters
    spacing_mm: float
    field_of_view: str
    appearance: CtAppearance
    out: Path
    work_folder: Path
    fingerprint: str
    code: tuple[tuple[str, str], ...]

    def run(self) -> ExamRecord:
        """Make it; whatever happens is told in the record."""
        started = time.perf_counter()
        reset_peak_memory()
        try:
            check_place(dict(self.code), self.work_folder)
            document = self._make(self.work_folder / self.name)
        except Exception as error:  # noqa: BLE001 - one person must not stop the others
            details = {"error": type(error).__name__, "traceback": traceback.format_exc()}
            return self.failed(kind_of(error), reason_of(error), details)
        run = {
            "seconds": round(time.perf_counter() - started, 3),
            "peak_memory_mb": peak_memory_mb(),
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        return ExamRecord(
            exam=self.name, fingerprint=self.fingerprint, status="done", values=document, run=run
        )

    def failed(self, kind: Kind, reason: str, run: dict[str, Any]) -> ExamRecord:
        """Record of a person that could not be made."""
        return ExamRecord(
            exam=self.name, fingerprint=self.fingerprint, status="failed", kind=kind,
            reason=one_line(reason), run=run,
        )  # fmt: skip

    def _make(self, place: Path) -> dict[str, Any]:
        document = write_person(
            self.parameters, place, name=self.name, spacing_mm=self.spacing_mm,
            field_of_view=self.field_of_view, appearance=self.appearance,
        )  # fmt: skip
        place.rename(self.out / self.name)
        return document


def write_person(
    parameters: AnatomyParameters,
    place: Path,
    *,
    name: str,
    spacing_mm: float,
    field_of_view: str,
    appearance: CtAppearance,
) -> dict[str, Any]:
    """Make one person, write its files into a new folder, return what ``phantom.json`` holds."""
    check_field(field_of_view)
    anatomy = part_of(build_anatomy(parameters, spacing_mm=spacing_mm), field_of_view)
    ct, labels = anatomy_ct(anatomy, appearance)
    place.mkdir(parents=True)
    write_ct_pair(ct, labels, place, description=f"milligray phantom {name}")
    document = {
        "schema": SCHEMA,
        "name": name,
        "fingerprint": phantom_fingerprint(parameters, spacing_mm, field_of_view, appearance),
        "description": describe(anatomy),
        "parameters": asdict(parameters),
        "bmi": round(parameters.bmi, 2),
        "spacing_mm": spacing_mm,
        "field_of_view": field_of_view,
        "shape": list(anatomy.grid.shape),
        **measures_of(anatomy, ct.volume),
        "sha256": {
            "ct": _array_sha256(ct.volume.values),
            "labels": _array_sha256(labels.volume.values),
        },
        "notes": list(anatomy.notes),
    }
    text = json.dumps(document, indent=1) + "\n"
    (place / PHANTOM_FILE).write_text(text, encoding="utf-8")
    return document


def make_person(
    parameters: AnatomyParameters,
    out: Path,
    *,
    spacing_mm: float = 2.0,
    field_of_view: str = "whole",
    appearance: CtAppearance | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make one person in a folder of its own; nothing is left there if that fails.

    Raises
    ------
    InputError
        If something stands in `out` and `overwrite` is False, or it is no phantom.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / PHANTOM_FILE).is_file():
            raise InputError(f"{out} holds something else; choose another --out")
        if not overwrite:
            raise InputError(f"{out} holds a phantom; use --overwrite to replace it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        place = Path(work) / "made"
        document = write_person(
            parameters, place, name=out.name, spacing_mm=spacing_mm, field_of_view=field_of_view,
            appearance=appearance or CtAppearance(),
        )  # fmt: skip
        if out.exists():
            shutil.rmtree(out)
        place.rename(out)
    return document


def phantom_fingerprint(
    parameters: AnatomyParameters, spacing_mm: float, field_of_view: str, appearance: CtAppearance
) -> str:
    """Hash of all that the files of a person depend on: options and the version of the code."""
    told = [
        asdict(parameters), spacing_mm, field_of_view, asdict(appearance), code_identity()
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _array_sha256(values: Any) -> str:  # noqa: ANN401 - an array of any type
    return hashlib.sha256(memoryview(values).cast("B")).hexdigest()

"""The tables of a cohort. Sorted, so the order of completion leaves no trace in them."""

import contextlib
import csv
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from milligray.cohort.record import ExamRecord, finite

ORGAN_COLUMNS: dict[str, type] = {
    "exam": str,
    "organ": str,
    "mean_dose_mgy": float,
    "mean_dose_mgy_per_100mas": float,
    "relative_uncertainty": float,
    "expanded_relative_uncertainty_k2": float,
    "volume_ml": float,
    "mass_g": float,
    "fraction_in_image": float,
    "method": str,
    "ctdi_vol_mgy": float,
    "phantom_diameter_mm": int,
    "histories": int,
    "seed": int,
    "converged": bool,
}
"""Columns of ``cohort.csv`` and ``cohort.parquet``: nothing that differs from run to run."""

_VALUES = (
    "unit", "ctdi_vol_mgy", "phantom_diameter_mm", "water_equivalent_diameter_mm", "ssde_mgy",
    "dlp_mgy_cm", "tube_voltage_kv", "scanner", "segmentation", "budget_relative_uncertainty",
    "histories", "seed", "converged",
)  # fmt: skip
_RUN = ("seconds", "peak_memory_mb", "host", "threads")
EXAM_COLUMNS = (
    "exam", "status", "kind", "reason", *_VALUES, "organs", "warnings", "ct_sha256",
    "labels_sha256", *_RUN,
)  # fmt: skip
_ROWS_PER_GROUP = 50_000


def organ_rows(record: ExamRecord) -> Iterator[dict[str, Any]]:
    """Rows of one exam in the long table, in the order of its organ map."""
    common = {name: record.values.get(name) for name in ORGAN_COLUMNS}
    common["exam"] = record.exam
    for organ in record.organs:
        row = common | {name: organ[name] for name in ORGAN_COLUMNS if name in organ}
        yield {name: finite(value) for name, value in row.items()}


def exam_row(record: ExamRecord) -> dict[str, Any]:
    """Row of ``exams.csv``."""
    values, run = record.values, record.run
    inputs = values.get("inputs", {})
    return {
        "exam": record.exam,
        "status": record.status,
        "kind": record.kind,
        "reason": record.reason,
        **{name: finite(values.get(name)) for name in _VALUES},
        "organs": len(record.organs) if record.status == "done" else None,
        "warnings": " | ".join(values.get("warnings", ())),
        "ct_sha256": inputs.get("ct"),
        "labels_sha256": inputs.get("labels"),
        **{name: finite(run.get(name)) for name in _RUN},
    }


def write_tables(records: Iterable[ExamRecord], folder: Path, *, parquet: bool) -> dict[str, int]:
    """Write ``cohort.csv``, ``exams.csv`` and, if wanted, ``cohort.parquet``.

    Parameters
    ----------
    records : iterable of ExamRecord
        With their organs, sorted by name; gone through once, so a long cohort needs no memory.
    folder : Path
    parquet : bool

    Returns
    -------
    dict of str to int
        Rows by file.
    """
    with (
        _csv(folder / "cohort.csv", tuple(ORGAN_COLUMNS)) as organs,
        _csv(folder / "exams.csv", EXAM_COLUMNS) as exams,
        _parquet(folder / "cohort.parquet") if parquet else contextlib.nullcontext() as columns,
    ):
        for record in records:
            exams.add([exam_row(record)])
            if record.status == "done":
                rows = list(organ_rows(record))
                organs.add(rows)
                if columns is not None:
                    columns.add(rows)
    if not parquet:
        (folder / "cohort.parquet").unlink(missing_ok=True)
    return {"cohort": organs.n_rows, "exams": exams.n_rows}


class _CsvTable:
    """A CSV that grows by rows."""

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self.writer = csv.DictWriter(file, columns, lineterminator="\n")
        self.writer.writeheader()
        self.n_rows = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self.writer.writerow({name: _text(value) for name, value in row.items()})
        self.n_rows += len(rows)


class _ParquetTable:
    """A Parquet file that grows by groups of rows."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra, checked before the cohort starts
        from pyarrow import parquet  # noqa: PLC0415

        kinds = {
            str: pa.string(),
            float: pa.float64(),
            int: pa.int64(),
            bool: pa.bool_(),
        }
        self.arrow = pa
        self.schema = pa.schema([(name, kinds[kind]) for name, kind in ORGAN_COLUMNS.items()])
        self.writer = parquet.ParquetWriter(path, self.schema, compression="zstd")
        self.rows: list[Mapping[str, Any]] = []

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows += rows
        while len(self.rows) >= _ROWS_PER_GROUP:
            self._flush(_ROWS_PER_GROUP)

    def close(self) -> None:
        if self.rows:
            self._flush(len(self.rows))
        self.writer.close()

    def _flush(self, count: int) -> None:
        now, self.rows = self.rows[:count], self.rows[count:]
        self.writer.write_table(self.arrow.Table.from_pylist(now, schema=self.schema))


def _text(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a path beside the wanted one, which takes its place if all went well."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Iterator[_CsvTable]:
    with _replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        yield _CsvTable(file, columns)


@contextmanager
def _parquet(path: Path) -> Iterator[_ParquetTable]:
    with _replacing(path) as partial:
        table = _ParquetTable(partial)
        try:
            yield table
        finally:
            table.close()

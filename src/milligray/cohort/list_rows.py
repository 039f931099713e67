"""Rows of an exam list: CSV or JSON lines, as text by column, with their line numbers."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from milligray.errors import FormatError, InputError

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One row of the list.

    Parameters
    ----------
    line : int
        Where it begins in the file, counted from 1.
    cells : mapping of str to str
        Stripped text by column; empty cells are left out.
    surplus : int
        Number of cells beyond the last column that hold something.
    """

    line: int
    cells: Mapping[str, str]
    surplus: int = 0


def read_rows(path: Path) -> tuple[tuple[str, ...], list[ListRow]]:
    """Columns and rows of a list.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.tsv`` (UTF-8; comma, semicolon or tab, as the header has it), or ``.jsonl``,
        one JSON object a line.

    Raises
    ------
    InputError
        If there is no such file, or nothing in it.
    FormatError
        If it cannot be read as such a file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is not UTF-8 text; save the list as CSV UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot read the list {path}: {error.strerror}") from error
    if path.suffix.lower() == ".jsonl":
        rows = list(_json_rows(text, path.name))
        columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    else:
        columns, rows = _csv_rows(text, path.name)
    if not rows:
        raise InputError(f"{path.name} holds no exam: a header line and one line an exam")
    return columns, rows


def _csv_rows(text: str, name: str) -> tuple[tuple[str, ...], list[ListRow]]:
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: tuple[str, ...] = ()
    rows: list[ListRow] = []
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not columns:
                columns = tuple(stripped)
                continue
            named = {c: v for c, v in zip(columns, stripped, strict=False) if v}
            surplus = sum(1 for v in stripped[len(columns) :] if v)
            rows.append(ListRow(line=line, cells=named, surplus=surplus))
    except csv.Error as error:
        raise FormatError(f"{name}, line {reader.line_num}: {error}") from error
    return columns, rows


def _json_rows(text: str, name: str) -> Iterator[ListRow]:
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            item = json.loads(content)
        except json.JSONDecodeError as error:
            raise FormatError(f"{name}, line {line}: no JSON: {error.msg}") from error
        if not isinstance(item, dict) or any(isinstance(v, dict | list) for v in item.values()):
            raise FormatError(f"{name}, line {line}: must be one object of plain values")
        cells = {
            str(key).strip(): value.strip() if isinstance(value, str) else json.dumps(value)
            for key, value in item.items()
            if value is not None and value != ""
        }
        yield ListRow(line=line, cells=cells)

"""A table: Markdown to read, CSV and JSON to compute with."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from milligray.errors import InputError

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Parameters
    ----------
    key : str
        Name in CSV and JSON.
    title : str
        Head in Markdown.
    kind : {"text", "count", "number", "percent"}
        ``percent``: a fraction, multiplied by 100 in Markdown only.
    digits : int
        After the point, in Markdown.
    """

    key: str
    title: str
    kind: Literal["text", "count", "number", "percent"] = "number"
    digits: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its name (of the file), title, columns, rows by key and notes.

    Raises
    ------
    InputError
        If a row has a key that no column shows.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {column.key for column in self.columns}
        foreign = {key for row in self.rows for key in row} - known
        if foreign:
            raise InputError(f"table {self.name}: rows have keys without column: {sorted(foreign)}")

    def markdown(self) -> str:
        """Heading, table and notes."""
        lines = [f"## {self.title}", ""]
        lines.append("| " + " | ".join(column.title for column in self.columns) + " |")
        lines.append(
            "|" + "|".join("---" if c.kind == "text" else "---:" for c in self.columns) + "|"
        )
        for row in self.rows:
            cells = [shown(row.get(column.key), column) for column in self.columns]
            lines.append("| " + " | ".join(cells) + " |")
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


def shown(value: Cell, column: Column) -> str:
    """Text of a cell; an en dash where there is no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, str):
        return value.replace("|", "\\|")
    if column.kind == "count":
        return f"{value:d}" if isinstance(value, int) else f"{value:g}"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{100 * value if column.kind == 'percent' else value:.{column.digits}f}"


def write_tables(tables: Sequence[Table], folder: Path, *, header: str = "") -> list[Path]:
    """Write ``tables.md``, ``tables.json`` and a ``NAME.csv`` each; every file whole or not.

    Parameters
    ----------
    tables : sequence of Table
    folder : Path
        Made if needed.
    header : str
        First lines of the Markdown: what was evaluated, and the command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise InputError(f"two tables have one name: {names}")
    text = "\n".join([*([header, ""] if header else []), *(table.markdown() for table in tables)])
    content = {
        table.name: {
            "title": table.title,
            "rows": [{key: _plain(cell) for key, cell in row.items()} for row in table.rows],
            "notes": list(table.notes),
        }
        for table in tables
    }
    written = [
        _replace(folder / "tables.md", text),
        _replace(folder / "tables.json", json.dumps(content, indent=1) + "\n"),
    ]
    for table in tables:
        path = folder / f"{table.name}.csv"
        work = path.with_name(f".{path.name}.partial")
        with work.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([column.key for column in table.columns])
            for row in table.rows:
                cells = (_plain(row.get(column.key)) for column in table.columns)
                writer.writerow(["" if cell is None else cell for cell in cells])
        work.replace(path)
        written.append(path)
    return written


def _plain(value: Cell) -> Cell:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _replace(path: Path, text: str) -> Path:
    work = path.with_name(f".{path.name}.partial")
    work.write_text(text, encoding="utf-8")
    work.replace(path)
    return path

"""What networks say of the organs and voxels of a scan, beside Monte Carlo."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganRow:
    """One organ of one scan by one network, and by Monte Carlo.

    Parameters
    ----------
    network, method, sample, patient, organ : str
        Method: name and hash of the network.
    truth, truth_sigma : float [mGy]
    dose, sigma : float [mGy]
        Predicted, with its total uncertainty (k = 1).
    ctdi_vol_mgy : float
    is_made_for : bool
        The network takes this scan without ``--force``.
    """

    network: str
    method: str
    sample: str
    patient: str
    organ: str
    truth: float
    truth_sigma: float
    dose: float
    sigma: float
    ctdi_vol_mgy: float
    is_made_for: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """One scan by one network: CPU time [s], and error of its voxels (NaN: no map)."""

    network: str
    method: str
    sample: str
    seconds: float
    voxel_error: float


def write_rows(rows: Sequence[OrganRow | ScanRow], path: Path) -> None:
    """Write rows of one kind, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = asdict(row)
            writer.writerow(
                {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in cells.items()}
            )
    partial.replace(path)


def read_organ_rows(path: Path) -> list[OrganRow]:
    """Rows that were written before; none without the file."""
    return [
        OrganRow(**_numbers(cells, OrganRow), is_made_for=cells["is_made_for"] == "True")
        for cells in _cells(path)
    ]


def read_scan_rows(path: Path) -> list[ScanRow]:
    """Rows that were written before; none without the file."""
    return [ScanRow(**_numbers(cells, ScanRow)) for cells in _cells(path)]


def _cells(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _numbers(cells: dict[str, str], kind: type[OrganRow] | type[ScanRow]) -> dict[str, Any]:
    """Cells as texts and numbers, as the fields want them; booleans left out."""
    of = {str: str, float: float}
    return {f.name: of[f.type](cells[f.name]) for f in fields(kind) if f.type in of}

"""The tables of a cohort: sorted, complete, the same bytes for the same records."""

import csv
import sys
from dataclasses import replace

import pyarrow.parquet
import pytest

from milligray.cohort import read_exam_list
from milligray.cohort import tables as tables_module
from milligray.cohort.extras import require_parquet
from milligray.cohort.tables import EXAM_COLUMNS, ORGAN_COLUMNS, write_tables
from milligray.errors import MissingExtraError


@pytest.fixture
def records(write_list, record_for):
    path = write_list("exam,input", *(f"e{i},folder" for i in range(7)))
    exams = read_exam_list(path)
    return [
        record_for(exam, status="failed" if i == 2 else "done", dose=1.0 / (i + 3))
        for i, exam in enumerate(exams)
    ]


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_both_tables_hold_the_same_to_the_last_bit(records, tmp_path, monkeypatch):
    monkeypatch.setattr(tables_module, "_ROWS_PER_GROUP", 5)
    count = write_tables(records, tmp_path, parquet=True)
    assert count == {"cohort": 12, "exams": 7}
    text = rows_of(tmp_path / "cohort.csv")
    table = pyarrow.parquet.read_table(tmp_path / "cohort.parquet")
    assert tuple(text[0]) == tuple(table.column_names) == tuple(ORGAN_COLUMNS)
    for row, same in zip(text, table.to_pylist(), strict=True):
        assert row["exam"] == same["exam"]
        assert float(row["mean_dose_mgy"]) == same["mean_dose_mgy"]
        assert row["fraction_in_image"] == ""
        assert same["fraction_in_image"] is None
    assert [row["organ"] for row in text[:2]] == ["liver", "heart"]


def test_what_differs_from_run_to_run_is_not_in_the_organ_table(records, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    write_tables(records, tmp_path / "1", parquet=True)
    other = [replace(r, run={"seconds": 99.0, "host": "elsewhere"}) for r in records]
    write_tables(iter(other), tmp_path / "2", parquet=True)
    for name in ("cohort.csv", "cohort.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert rows_of(tmp_path / "2" / "exams.csv")[0]["seconds"] == "99.0"


def test_the_exam_table_has_a_row_for_every_exam(records, tmp_path):
    write_tables(records, tmp_path, parquet=False)
    rows = rows_of(tmp_path / "exams.csv")
    assert tuple(rows[0]) == EXAM_COLUMNS
    assert [row["status"] for row in rows].count("failed") == 1
    assert rows[2]["reason"] == "no, this is bad"
    assert rows[0]["warnings"] == "one | two"
    assert rows[0]["ct_sha256"] == "abc"
    assert (rows[0]["organs"], rows[2]["organs"]) == ("2", "")
    assert not (tmp_path / "cohort.parquet").exists()


def test_an_error_while_writing_leaves_the_old_tables(records, tmp_path):
    write_tables(records, tmp_path, parquet=True)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}

    def broken():
        yield records[0]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_tables(broken(), tmp_path, parquet=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_an_absent_pyarrow_is_told_before_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"milligray\[cohort\].*--no-parquet"):
        require_parquet()

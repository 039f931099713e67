"""The tables of the page on the radiomics network are those of the files beside it."""

import runpy
from pathlib import Path

import pytest

from milligray.errors import InputError
from milligray.train.radiomics_fcn.study import ALL_ORGANS, Row
from milligray.train.radiomics_fcn.study_page import filled, split_table

ROOT = Path(__file__).parents[3]


def test_the_committed_page_is_the_one_of_the_committed_files():
    tool = runpy.run_path(str(ROOT / "tools" / "write_radiomics_page.py"))
    assert tool["new_page"]() == tool["PAGE"].read_text(encoding="utf-8")


def test_medians_over_the_splits():
    rows = [
        Row(model="mean", organ=organ, split=split, patients=5, mape=value, rrmse=0.2, r2=0.5)
        for organ in ("spinal_cord", ALL_ORGANS)
        for split, value in enumerate((0.01, 0.02, 0.09))
    ]
    lines = split_table(rows, "mape").splitlines()
    assert lines[0] == "|  | knows | splits | cord | all |"
    assert lines[2] == "| mean dose of the organ | nothing | 3 | 2.0 | 2.0 |"
    assert split_table(rows, "r2").splitlines()[2].endswith("| 0.50 |  |")


def test_a_table_needs_its_place():
    page = "a\n<!-- table: x -->\nold\n<!-- end of table -->\nb"
    assert filled(page, {"x": "new \\1"}) == page.replace("old", "new \\1")
    with pytest.raises(InputError, match="one place"):
        filled(page, {"y": "new"})

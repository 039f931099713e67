"""Random splits by patient, and the files of the study."""

from pathlib import Path

import numpy as np

from milligray.train.radiomics_fcn.organ_models import MODELS
from milligray.train.radiomics_fcn.organ_table import OrganTable
from milligray.train.radiomics_fcn.study import (
    ALL_ORGANS,
    Row,
    draw,
    judge,
    page,
    random_splits,
    read_rows,
    write_rows,
)


def test_splits_are_by_patient_and_the_same_for_everyone() -> None:
    names = [f"p{i}" for i in range(50)]
    splits = random_splits(names, 20)
    assert splits == random_splits(reversed(names), 20)
    assert {len(one) for one in splits} == {10}
    assert len({frozenset(one) for one in splits}) == 20


def test_a_perfect_prediction_has_no_error(organ_table: OrganTable) -> None:
    rows = judge("m", 0, organ_table, organ_table.dose_per_ctdi)
    assert [row.organ for row in rows] == ["brainstem", "mandible", ALL_ORGANS]
    assert all(row.mape < 1e-12 and row.r2 > 1 - 1e-12 for row in rows)
    assert rows[0].patients == 40


def test_simple_rules_rank_as_they_should(organ_table: OrganTable) -> None:
    models = {m.name: m.model for m in MODELS}
    known = np.arange(len(organ_table)) < 60
    train, new = organ_table.take(known), organ_table.take(~known)
    errors = {
        name: judge(name, 0, new, models[name](train, new, 1))[-1].mape
        for name in ("mean", "size", "size-current", "rule")
    }
    assert errors["rule"] < 0.5 * errors["mean"]


def test_tables_are_read_as_written_and_drawn(tmp_path: Path) -> None:
    rows = [
        Row(model=m, organ=o, split=s, patients=5, mape=0.01 * s, rrmse=0.02, r2=0.5)
        for m in ("mean", "organ-network") for o in ("a", ALL_ORGANS) for s in (1, 2)
    ]  # fmt: skip
    write_rows(rows, tmp_path / "t.csv")
    assert read_rows(tmp_path / "t.csv") == rows
    assert "| organ-network | 1.5 | 1.5 |" in page(rows, {"mean": 2.0})
    draw(rows, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000

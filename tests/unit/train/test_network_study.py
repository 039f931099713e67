"""All networks on the same scans: the same organs for all, and what each is made for apart."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from milligray.learn.card import Validity
from milligray.train import network_study
from milligray.train.network_rows import (
    OrganRow,
    ScanRow,
    read_organ_rows,
    read_scan_rows,
    write_rows,
)
from milligray.train.network_study import common_rows, median_patient, organ_table, tables
from milligray.train.network_study_plot import draw_patient

ROW = OrganRow(
    network="a", method="a@1", sample="p1_000", patient="p1", organ="brain", truth=10.0,
    truth_sigma=0.1, dose=11.0, sigma=0.6, ctdi_vol_mgy=20.0, is_made_for=True,
)  # fmt: skip


def rows():
    """Network a errs by 10 %, b by -20 % and is made for the first of three patients only."""
    found = []
    for k, patient in enumerate(("p1", "p2", "p3")):
        for organ, truth in (("brain", 10.0 + k), ("larynx", 20.0 - k)):
            one = replace(ROW, sample=f"{patient}_000", patient=patient, organ=organ, truth=truth)
            found.append(replace(one, dose=1.1 * truth, sigma=0.06 * truth))
            found.append(replace(one, network="b", dose=0.8 * truth, sigma=0.04 * truth,
                                 is_made_for=patient == "p1"))  # fmt: skip
    return found


def test_errors_and_coverage_of_each_network():
    scans = [
        ScanRow(network=name, method=name, sample=f"p{k}_000", seconds=seconds, voxel_error=error)
        for name, seconds, error in (("a", 2.0, 0.05), ("b", 1.0, float("nan")))
        for k in (1, 2, 3)
    ]
    every, own = tables(rows(), scans)
    a, b = every.rows
    assert a["mape"] == pytest.approx(0.1)
    assert b["bias"] == pytest.approx(-0.2)
    assert (a["covered"], b["covered"]) == (1.0, 0.0)
    assert a["u"] == pytest.approx(2 * 0.06 / 1.1)
    assert (a["voxels"], b["voxels"], b["seconds"]) == (pytest.approx(0.05), None, 1.0)
    assert (a["made_for"], b["made_for"]) == (3, 1)
    assert [row["n"] for row in own.rows] == [6, 2]
    assert "| b | 3 | 1 |" in every.markdown()
    assert organ_table(rows()).rows[0]["b"] == pytest.approx(0.2)


def test_rows_are_read_as_written(tmp_path):
    scans = [ScanRow(network="a", method="a@1", sample="s", seconds=1.5, voxel_error=0.25)]
    write_rows(rows(), tmp_path / "organs.csv")
    write_rows(scans, tmp_path / "scans.csv")
    assert read_scan_rows(tmp_path / "scans.csv") == scans
    read = read_organ_rows(tmp_path / "organs.csv")
    assert [(r.organ, r.is_made_for) for r in read] == [(r.organ, r.is_made_for) for r in rows()]
    assert np.allclose([r.dose for r in read], [r.dose for r in rows()], rtol=1e-5)
    assert read_organ_rows(tmp_path / "absent.csv") == []


def test_samples_of_each_patient():
    names = ("p1_000", "p1_001", "p2_000", "p2_001")
    training = SimpleNamespace(
        samples=lambda _: names,
        manifest={"samples": {name: {"patient": name[:2]} for name in names}},
    )
    chosen = network_study.chosen_samples
    assert chosen(training, {}) == list(names)
    assert chosen(training, {"per_patient": "1"}) == ["p1_000", "p2_000"]
    assert chosen(training, {"per_patient": "1", "samples": "1"}) == ["p1_000"]


def test_only_organs_that_all_networks_know_are_compared():
    more = [*rows(), replace(ROW, organ="heart")]
    assert common_rows(more, ["a", "b"]) == rows()


def test_the_patient_of_the_picture_is_no_extreme_one(tmp_path):
    changed = [replace(r, dose=3 * r.truth) if r.patient == "p2" else r for r in rows()]
    changed = [replace(r, dose=r.truth) if r.patient == "p3" else r for r in changed]
    chosen = median_patient(changed)
    assert {row.patient for row in chosen} == {"p1"}
    draw_patient(chosen, tmp_path / "networks.png")
    assert (tmp_path / "networks.png").stat().st_size < 200_000
    assert len(list(tmp_path.iterdir())) == 1


def test_organs_out_of_reach_and_small_ones_are_left_out(monkeypatch):
    """A scan of three organs: one far from the beam, one tiny; a network that refuses it."""
    names = ("brain", "larynx", "heart")
    scan = SimpleNamespace(weights=SimpleNamespace(names=names))
    arrays = {
        "organ_names": np.array([n.encode() for n in names]),
        "organ_dose": np.array([10.0, 20.0, 1.0]), "organ_volume": np.array([900.0, 0.2, 500.0]),
        "organ_relative_uncertainty": np.full(3, 0.01),
    }  # fmt: skip
    sample = SimpleNamespace(
        arrays={key: SimpleNamespace(values=values) for key, values in arrays.items()},
        attributes={"patient": "p1", "ctdi_vol_mgy": 20.0},
    )
    found = SimpleNamespace(
        names=names, mean_dose_mgy=np.array([11.0, 21.0, 1.0]), total=np.full(3, 0.05),
        refusals=(), dose_mgy=None,
    )  # fmt: skip
    card = SimpleNamespace(name="a", validity=Validity(allowed={"body_region": ("head_neck",)}))
    torso = SimpleNamespace(name="b", validity=Validity(allowed={"body_region": ("chest",)}))
    for name, value in (
        ("open_sample", (scan, sample)), ("share_beyond", np.array([0.0, 0.0, 0.9])),
        ("scan_facts", {}), ("check_validity", ("another beam",)), ("predict_dose", found),
    ):  # fmt: skip
        monkeypatch.setattr(network_study, name, lambda *_, _value=value, **__: _value)
    organs, scans = [], []
    networks = [SimpleNamespace(card=one, method="a@1") for one in (card, torso)]
    network_study.judge(None, "p1_000", networks, organs, scans)
    assert len(scans) == 1
    (row,) = organs
    assert (row.organ, row.dose, row.is_made_for) == ("brain", 11.0, False)
    assert row.sigma == pytest.approx(0.55)
    assert np.isnan(scans[0].voxel_error)


def test_the_committed_page_is_the_one_of_the_committed_rows():
    tool = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "write_networks_page.py"))
    assert tool["new_page"]() == tool["PAGE"].read_text(encoding="utf-8")

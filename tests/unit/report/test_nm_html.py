import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from milligray.report import nm_charts
from milligray.report.nm_html import nm_page_context, write_nm_html
from milligray.report.nm_parts import (
    budget_matrix,
    exam_parts,
    method_lines,
)
from milligray.report.nm_rates import mean_dose_rates_mgy_h
from milligray.report.nm_records import nm_records_table
from milligray.report.nm_sections import method_name, nm_cautions
from milligray.score.budget import combine, organ_budget
from milligray.score.dose import OrganDoses
from milligray.source.nuclide import load_nuclide


class _Page(HTMLParser):
    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "xlink:href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _page(result, tmp_path) -> tuple[str, str, _Page]:
    path = tmp_path / "report.html"
    write_nm_html(result, path)
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert not page.open
    return " ".join(page.text), text, page


def test_page_is_self_contained_and_complete(nm_build, result, tmp_path):
    words, text, page = _page(nm_build(ct=result), tmp_path)
    assert page.addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in page.addresses)
    assert not re.search(r"https?://|@import|<script|url\((?!#)", text)
    assert text.count("data:image/png") == 3
    for expected in (
        "Not for clinical decisions", "Lu-177", "7400", "liver", "lung upper lobe left", "988",
        "0.133", "13\N{NO-BREAK SPACE}%", "Radiopharmaceutical", "998", "Effective dose",
        "For a reference person", "gonads by urinary bladder", "Biological effect", "1002",
        "Methods side by side", "one water kernel (SSV)", "EANM 2018", "mono-exponential (AICc)",
        "Mean dose rate", "lesion <1>", "RECORDS checklist", "image 1 was moved", "couch removed",
        "6.647 d", "2026-03-01 12:00 UTC", "dose_rate_*h.nii.gz", "CTDIvol",
    ):  # fmt: skip
        assert expected in words, expected
    assert len(text) < 3_000_000


def test_text_from_outside_is_escaped(nm_result, tmp_path):
    _, text, _ = _page(nm_result, tmp_path)
    assert "&lt;b&gt;kinetics were &amp; are assumed&lt;/b&gt;" in text
    assert "<b>kinetics" not in text
    assert "lesion &lt;1&gt;" in text


def test_page_of_the_least_that_a_result_may_hold(nm_build, nm_result, tmp_path):
    unknown = np.full(nm_result.dose.grid.shape, np.nan)
    bare = nm_build(
        tia=replace(nm_result.tia, administered_activity_mbq=None), kinetics=(), dose_rates={},
        images=(), dvh={}, manifest={}, effective_dose=None, effects=(), compared={}, warnings=(),
        dose=replace(nm_result.dose, relative_uncertainty=unknown, method="ssv"),
    )  # fmt: skip
    words, _, _ = _page(bare, tmp_path)
    for absent in ("Effective dose", "Methods side by side", "Biological effect", "Mean dose rate",
                   "mGy/MBq", "whole exam", "dose_uncertainty", "RECORDS"):  # fmt: skip
        assert absent not in words, absent
    assert "The administered activity is not known" in words
    assert "not by Monte Carlo" in words


def test_parts_of_an_exam_are_added_with_their_uncertainties(nm_build, result):
    first, second = exam_parts(nm_build(ct=result))
    assert first.total_mgy == pytest.approx(987.654321 + 10.4567891)
    assert second.total_mgy == pytest.approx(12.5 + 9.1)
    own = 12.5 * math.sqrt(0.02**2 + 0.2**2 + 0.05**2)
    ct = 9.1 * combine(organ_budget(0.01, result.budget))
    assert second.expanded == pytest.approx(2 * math.hypot(own, ct) / 21.6)


def test_organs_of_one_part_are_not_added(nm_build, result):
    only = replace(result.organ_doses.rows[0], organ="spleen")
    ct = replace(result, organ_doses=OrganDoses(rows=(only,)))
    parts = {part.organ: part for part in exam_parts(nm_build(ct=ct))}
    assert set(parts) == {"liver", "lung_upper_lobe_left", "spleen"}
    assert all(math.isnan(part.total_mgy) for part in parts.values())
    assert parts["spleen"].ct_mgy == only.mean_dose_mgy


def test_relative_ct_dose_is_never_added(nm_build, build, tmp_path):
    relative = nm_build(ct=build(unit="mGy per 100 mAs"))
    assert exam_parts(relative) == []
    words, _, _ = _page(relative, tmp_path)
    assert "it is not added" in words
    assert "Sum" not in words


def test_page_bears_noise_below_zero(nm_build, nm_result, tmp_path):
    noisy = nm_result.dose.dose_mgy.copy()
    noisy[2, 2, 2] = -3.0
    rows = nm_result.organ_doses.rows
    below = replace(rows[1], mean_dose_mgy=-0.02, relative_uncertainty=1.7)
    words, _, _ = _page(
        nm_build(
            dose=replace(nm_result.dose, dose_mgy=noisy),
            organ_doses=OrganDoses(rows=(rows[0], below)),
        ),
        tmp_path,
    )
    assert "-0.0200" in words


def test_cautions_name_every_reason(nm_build, nm_result):
    assumed = replace(nm_result.kinetics[0], relative_uncertainty=math.nan)
    alpha = nm_build(
        nuclide=load_nuclide("Ra-223"), kinetics=(assumed,), warnings=(),
        manifest={"converged": False},
        organs=replace(nm_result.organs, method="threshold tissues, not organs"),
    )  # fmt: skip
    texts = " ".join(nm_cautions(alpha))
    for expected in ("alpha", "assumed, not measured: liver", "goal was not met", "threshold",
                     "Cut by the edge"):  # fmt: skip
        assert expected in texts, expected
    assert "alpha" not in " ".join(nm_cautions(nm_result))


def test_mean_dose_rate_is_that_of_the_map(nm_result):
    times, rates = mean_dose_rates_mgy_h(nm_result)
    assert times == sorted(nm_result.dose_rates)
    np.testing.assert_allclose(rates["liver"], [50.0 / 4, 50.0 / 24, 50.0 / 100.5], rtol=1e-6)


def test_methods_show_dose_and_difference(nm_result):
    headings, lines = method_lines(nm_result)
    assert headings == ["one water kernel (SSV)"]
    assert lines[1] == ("lung upper lobe left", "12.5", "3.88 (-69.0\N{NO-BREAK SPACE}%)")
    assert method_name("kernel-network:dilated") == "kernel network, dilated"
    assert method_name("other") == "other"


def test_budget_matrix_has_all_components_of_all_regions(nm_build, nm_result):
    extra = replace(nm_result.budgets["liver"][0], component="Recovery coefficient")
    budgets = {**nm_result.budgets, "liver": (*nm_result.budgets["liver"], extra)}
    headings, lines = budget_matrix(nm_build(budgets=budgets))
    assert headings[-1] == "Recovery coefficient"
    assert lines[1][4] == "–"
    assert lines[1][-1] == "21\N{NO-BREAK SPACE}%"


def test_full_budgets_are_those_of_the_hottest_and_the_least_certain(nm_build, nm_result):
    rows = nm_result.organ_doses.rows
    large = replace(rows[1], volume_ml=800.0)
    titles = [t for t, *_ in nm_page_context(
        nm_build(organ_doses=OrganDoses(rows=(rows[0], large))))["budgets"]]  # fmt: skip
    assert titles == ["liver (highest dose)", "lung upper lobe left (least certain)"]
    only = [t for t, *_ in nm_page_context(nm_result)["budgets"]]
    assert only == ["liver (highest dose and least certain)"]  # the other is below 10 mL


def test_records_has_every_item_once(nm_result):
    items = dict(nm_records_table(nm_result))
    assert len(items) == len(nm_records_table(nm_result)) == 16
    assert "Lu-177" in items["Source"]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 30])
def test_activity_chart_takes_any_number_of_regions_and_images(n):
    times = np.linspace(1.0, 50.0, n)
    curves = [
        nm_charts.ActivityCurve(
            label=f"region {i}", times_h=times, activity_mbq=10.0 / times,
            curve_times_h=times, curve_mbq=np.full(n, np.nan if i == 1 else 3.0),
        )
        for i in range(n)
    ]  # fmt: skip
    svg = nm_charts.time_activity_chart(curves)
    assert svg.startswith("<svg")
    assert svg == nm_charts.time_activity_chart(curves)

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from milligray.report import charts, overlay
from milligray.report.html import write_html
from milligray.report.records import NOT_RECORDED, records_table
from milligray.report.scene import colors_over_anatomy, cut, make_scene
from milligray.report.sections import cautions


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "xlink:href"}]

    def handle_data(self, data):
        self.text.append(data)


def _page(result, tmp_path) -> tuple[_Page, str]:
    path = tmp_path / "report.html"
    write_html(result, path)
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    return page, text


def test_page_is_self_contained_and_complete(result, tmp_path):
    page, text = _page(result, tmp_path)
    assert page.addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in page.addresses)
    assert not re.search(r"https?://|@import|<script|url\((?!#)", text)
    assert {"svg", "img", "table", "style"} <= set(page.tags)
    words = " ".join(page.text)
    for expected in (
        "Not for clinical decisions", "Organ doses", "liver", "lung upper lobe left", "12.3",
        "400", "15.0", "120", "Generic 64-slice", "Uncertainty budget", "IEC 60601-2-44",
        "RECORDS checklist", "couch removed", "pitch assumed", "2026-03-01 12:00 UTC",
    ):  # fmt: skip
        assert expected in words, expected
    assert len(text) < 3_000_000


def test_text_from_outside_is_escaped(result, tmp_path):
    _, text = _page(result, tmp_path)
    assert "&lt;b&gt;a warning &amp; more&lt;/b&gt;" in text
    assert "<b>a warning" not in text


def test_every_reference_within_the_page_has_its_target(result, tmp_path):
    page, text = _page(result, tmp_path)
    identifiers = set(re.findall(r'\bid="([^"]+)"', text))
    used = {a[1:] for a in page.addresses if a.startswith("#")}
    used |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert used
    assert used <= identifiers


def test_page_without_ct_ctdi_and_extras(build, tmp_path):
    bare = build(
        with_ct=False,
        unit="mGy per 100 mAs",
        manifest={},
        calibration={},
        dvh={},
        ssde_mgy=None,
        dlp_mgy_cm=None,
        water_equivalent_diameter_mm=None,
        warnings=(),
    )
    page, _ = _page(bare, tmp_path)
    words = " ".join(page.text)
    assert "mGy per 100 mAs" in words
    assert "not given" in words
    assert NOT_RECORDED in words


def test_cautions_name_every_reason(build):
    result = build(unit="mGy per 100 mAs")
    texts = " ".join(cautions(result))
    for expected in ("per 100 mAs", "generic", "Cut by the edge", "a warning"):
        assert expected in texts
    tissue = replace(result.organs, method="threshold tissues, not organs")
    assert "not organs" in " ".join(cautions(replace(result, organs=tissue)))
    own = replace(result.scanner, is_generic=False)
    assert "generic" not in " ".join(cautions(replace(result, scanner=own)))
    row = replace(result.organ_doses.rows[0], fraction_in_image=0.4)
    part = replace(result.organ_doses, rows=(row,))
    told = replace(result, warnings=("GENERIC SCANNER: no model", "NO CTDIvol: relative"))
    assert len(cautions(told)) == 3
    assert "goal was not met" in " ".join(cautions(replace(result, manifest={"converged": False})))
    assert "partly inside" in " ".join(cautions(replace(result, organ_doses=part)))


def test_records_has_every_item_once(result):
    items = [name for name, _ in records_table(result)]
    assert len(items) == len(set(items)) == 16


@pytest.mark.parametrize("n_organs", [1, 2, 45, 46, 120])
def test_bar_chart_takes_any_number_of_organs(n_organs):
    bars = [
        charts.Bar(label=f"organ {n}", dose=float(n), expanded=0.1 * n) for n in range(n_organs)
    ]
    svg = charts.organ_bar_chart(bars, "mGy")
    assert svg.startswith("<svg")
    assert svg == charts.organ_bar_chart(bars, "mGy")


def test_planes_meet_inside_the_body_and_the_scale_ends_near_the_maximum(result):
    scene = make_scene(result)
    z, y, x = scene.center_mm
    index = np.rint(result.dose.grid.to_index_kji([x, y, z])).astype(int)
    assert result.patient.body[tuple(index)]
    assert 10.0 < scene.top <= float(result.dose.dose_mgy.max())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cut_holds_its_position(result, axis):
    grid = result.dose.grid
    values = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    for index, position in enumerate(grid.axis_centers_mm(axis)):
        picture = cut(values, grid, axis, float(position) + 0.3 * grid.spacing_mm[axis])
        np.testing.assert_array_equal(picture.values, np.take(values, index, axis=axis))


def test_color_lies_on_the_voxel_that_has_the_dose(result):
    grid, index = result.dose.grid, (2, 3, 4)
    dose = np.zeros(grid.shape, dtype=np.float32)
    dose[index] = 5.0
    marked = replace(result, dose=replace(result.dose, dose_mgy=dose))
    scene = make_scene(marked)
    x, y, z = grid.to_lps_mm(index)
    red = lambda share: np.stack([np.ones_like(share), 0 * share, 0 * share, share], axis=-1)  # noqa: E731
    picture = colors_over_anatomy(scene, 0, float(z), red)
    is_red = picture.values[..., 1] == 0.0
    assert is_red.any()
    rows, columns = np.nonzero(is_red)
    left, right, first, last = picture.extent_mm
    at_x = left + (columns + 0.5) * (right - left) / is_red.shape[1]
    at_y = first + (rows + 0.5) * (last - first) / is_red.shape[0]
    assert np.all(np.abs(at_x - x) <= grid.spacing_mm[2] / 2)
    assert np.all(np.abs(at_y - y) <= grid.spacing_mm[1] / 2)


@pytest.mark.parametrize(
    ("plane", "rightward", "upward"),
    [
        ("axial", (1, 0, 0), (0, -1, 0)),  # patient's left is right in the picture, front is up
        ("coronal", (1, 0, 0), (0, 0, 1)),
        ("sagittal", (0, 1, 0), (0, 0, 1)),
    ],
)
def test_pictures_follow_the_radiological_convention(result, plane, rightward, upward):
    from matplotlib.figure import Figure

    scene = make_scene(result)
    ax = Figure().subplots()
    fixed, height, width = overlay.AXES[plane]
    overlay._draw(ax, scene, plane, scene.center_mm[fixed])

    def on_screen(lps):
        return ax.transData.transform((lps[2 - width], lps[2 - height]))

    origin = np.array(scene.center_mm)[::-1]
    assert (on_screen(origin + rightward) - on_screen(origin))[0] > 0
    assert (on_screen(origin + upward) - on_screen(origin))[1] > 0
    letters = {text.get_text(): text.get_position() for text in ax.texts}
    assert letters["L" if plane != "sagittal" else "P"][0] > 0.9
    assert letters["A" if plane == "axial" else "S"][1] > 0.9


@pytest.mark.parametrize(
    "size_mm",
    [(5.0, 200.0, 300.0), (1800.0, 250.0, 500.0), (300.0, 30.0, 40.0), (90.0, 200.0, 200.0)],
)
def test_planes_keep_their_proportions_and_stay_on_the_page(size_mm):
    places, width, height = overlay._place_planes(size_mm)
    assert width <= 8.0
    assert height <= 6.7
    scales = set()
    for plane, (left, top, plane_width, plane_height) in places.items():
        _, down, across = overlay.AXES[plane]
        scales |= {round(plane_width / size_mm[across], 9), round(plane_height / size_mm[down], 9)}
        assert left >= 0
        assert left + plane_width <= width
        assert top + plane_height <= height
    assert len(scales) == 1


def test_scan_without_dose_can_be_drawn(build):
    result = build()
    dose = np.zeros_like(result.dose.dose_mgy)
    scene = make_scene(replace(result, dose=replace(result.dose, dose_mgy=dose)))
    assert overlay.three_planes_png(scene)
    assert overlay.montage_png(scene, n_slices=1)


def test_tissues_found_by_threshold_are_not_outlined(result, tmp_path):
    tissues = replace(result, organs=replace(result.organs, method="threshold tissues, not organs"))
    assert overlay.montage_png(make_scene(tissues)) != overlay.montage_png(make_scene(result))
    assert "Thin lines" in _page(result, tmp_path)[1]
    assert "Thin lines" not in _page(tissues, tmp_path)[1]

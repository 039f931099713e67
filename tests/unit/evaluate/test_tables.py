import json

import numpy as np
import pytest

from milligray.errors import GeometryError, InputError
from milligray.evaluate import plot_style
from milligray.evaluate.agreement import bland_altman, joint_histogram
from milligray.evaluate.box_plot import repeat_box_plot
from milligray.evaluate.coverage import calibration_curve
from milligray.evaluate.images import compare_images
from milligray.evaluate.map_plots import dose_map_plot
from milligray.evaluate.pairs import ValuePairs
from milligray.evaluate.plot_style import save_figure
from milligray.evaluate.plots import (
    bland_altman_plot,
    calibration_plot,
    joint_histogram_plot,
    organ_bar_chart,
    scatter_plot,
)
from milligray.evaluate.table import Column, Table, write_tables
from milligray.evaluate.tables import ALL, image_table, organ_table, system_table
from milligray.volume import Grid

rng = np.random.default_rng(8)
ORGANS = ("brain", "mandible", "thyroid")


def pairs(n=10, error=0.05):
    reference = rng.uniform(5, 20, 3 * n)
    return ValuePairs.from_arrays(
        reference * (1 + error * rng.normal(size=3 * n)),
        reference,
        patients=np.repeat(np.arange(n).astype(str), 3),
        organs=list(ORGANS) * n,
        predicted_sigma=error * reference,
    )


def test_organ_table_has_a_row_an_organ_and_all():
    table = organ_table(pairs(), resamples=50)
    assert [row["organ"] for row in table.rows] == [*ORGANS, ALL]
    assert [row["values"] for row in table.rows] == [10, 10, 10, 30]
    low, value, high = (
        table.rows[0][f"mean_relative_absolute_error{end}"] for end in ("_low", "", "_high")
    )
    assert low < value < high
    lines = table.markdown().splitlines()
    assert lines[0] == "## Errors by organ"
    assert f"{100 * value:.2f}" in lines[4]


def test_better_system_has_the_smaller_error():
    table = system_table({"good": pairs(50, 0.02), "poor": pairs(50, 0.2)}, resamples=0)
    good, poor = (row["mean_relative_absolute_error"] for row in table.rows)
    assert good < 0.5 * poor
    assert table.notes == ()


def test_tables_are_written_in_three_forms(tmp_path):
    r = rng.uniform(5, 10, (8, 8, 8))
    voxels = image_table(
        {"a": compare_images(1.1 * r, r)}, {"a": {"1 % / 1 mm": 0.25}}, mask="all of it"
    )
    table = Table(
        name="t",
        title="T",
        columns=(Column(key="a", title="A", kind="text"), Column(key="b", title="B [%]",
                 kind="percent", digits=1)),
        rows=({"a": "x|y", "b": 0.1234}, {"a": "z", "b": float("nan")}, {"a": "w"}),
        notes=("A note.",),
    )  # fmt: skip
    paths = write_tables([table, voxels], tmp_path / "out", header="# Head")
    assert {p.name for p in paths} == {"tables.md", "tables.json", "t.csv", "voxels.csv"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {p.name for p in paths}
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "| x\\|y | 12.3 |" in text
    assert "| z | – |" in text
    assert "25.00" in text
    assert "10.00" in text
    assert (tmp_path / "out" / "t.csv").read_text() == "a,b\nx|y,0.1234\nz,\nw,\n"
    content = json.loads((tmp_path / "out" / "tables.json").read_text())
    assert content["t"]["rows"][1] == {"a": "z", "b": None}
    with pytest.raises(InputError, match="one name"):
        write_tables([table, table], tmp_path / "out")


def test_a_row_without_its_column_is_refused():
    with pytest.raises(InputError, match="without column"):
        Table(name="t", title="T", columns=(Column(key="a", title="A"),), rows=({"b": 1.0},))


def test_every_figure_is_drawn_and_says_its_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(plot_style, "DPI", 30)
    some = pairs()
    grid = Grid.from_spacing((6, 8, 9), (4, 3, 3))
    r = rng.uniform(5, 10, grid.shape)
    mask = np.ones(grid.shape, dtype=bool)
    figures = {
        "bars": organ_bar_chart(
            ORGANS, some.predicted[:3], [1.0, np.nan, 2.0], reference_sigma=[0.1, np.nan, 0.1]
        ),
        "scatter": scatter_plot(some, most_organs=2),
        "bland": bland_altman_plot(bland_altman(some), organs=some.organs),
        "relative": bland_altman_plot(bland_altman(some, is_relative=True)),
        "joint": joint_histogram_plot(*joint_histogram(some.predicted, some.reference)),
        "box": repeat_box_plot(
            {"a": {"brain": [0.1, 0.2, np.nan]}, "b": {"thyroid": [0.1]}},
            "MAPE [mGy]",
            is_fraction=True,
        ),
        "calibration": calibration_plot({"a": calibration_curve(some)}),
        "maps": dose_map_plot(1.02 * r, r, grid, mask=mask),
    }
    for name, figure in figures.items():
        path = save_figure(figure, tmp_path / f"{name}.png")
        assert path.stat().st_size > 1000
        labels = [t for ax in figure.axes for t in (ax.get_xlabel(), ax.get_ylabel())]
        assert any("[mGy]" in t or "[%]" in t for t in labels), name
    assert not list(tmp_path.glob(".*"))


def test_maps_on_another_grid_are_not_drawn():
    grid = Grid.from_spacing((6, 8, 9), (4, 3, 3))
    r = np.ones(grid.shape)
    with pytest.raises(GeometryError, match="one grid"):
        dose_map_plot(r, r, Grid.from_spacing((6, 8, 8), (4, 3, 3)), mask=r > 0)
    with pytest.raises(InputError, match="mask is empty"):
        dose_map_plot(r, r, grid, mask=r < 0)

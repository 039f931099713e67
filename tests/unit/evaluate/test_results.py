import json
import re

import numpy as np
import pytest

from milligray.errors import FormatError, GeometryError, InputError
from milligray.evaluate import output, plot_style
from milligray.evaluate.comparison import compare_results
from milligray.evaluate.gamma import GammaSettings
from milligray.evaluate.output import write_evaluation
from milligray.evaluate.results import organ_pairs, pair_results, read_maps, read_result
from milligray.report.nifti_image import write_image
from milligray.volume import Grid


def test_one_exam_is_paired_with_one(tmp_path, make_result):
    ours = make_result(tmp_path / "network", factor=1.1, sigma=0.05)
    theirs = make_result(tmp_path / "truth")
    pairs, unpaired = pair_results(ours, theirs)
    assert unpaired == ()
    values = organ_pairs(pairs)
    assert np.allclose(values.predicted / values.reference, 1.1)
    assert np.allclose(values.predicted_sigma, 0.05 * values.predicted)
    assert np.allclose(values.reference_sigma, 0.01 * values.reference)
    assert set(values.patients.tolist()) == {"truth"}


@pytest.mark.parametrize("under", ["", "exams"])
def test_cohorts_are_paired_by_name(tmp_path, make_result, under):
    for name in ("a", "b", "c"):
        make_result(tmp_path / "truth" / under / name)
    for name in ("c", "a", "d"):
        make_result(tmp_path / "network" / under / name, factor=1.02)
    pairs, unpaired = pair_results(tmp_path / "network", tmp_path / "truth")
    assert [pair.name for pair in pairs] == ["a", "c"]
    assert unpaired == ("b", "d")
    assert organ_pairs(pairs).predicted.size == 8


def test_organs_of_one_side_are_missing_not_lost(tmp_path, make_result):
    ours = make_result(tmp_path / "n", doses={"liver": 9.0, "colon": 3.0})
    theirs = make_result(tmp_path / "t")
    values = organ_pairs(pair_results(ours, theirs)[0])
    assert values.n_missing == 4
    assert "colon" in values.organ_names
    found = compare_results(ours, theirs, resamples=0)
    assert (found.summary.n, found.summary.n_missing) == (1, 4)
    assert found.absolute is None


def test_what_cannot_be_paired_is_refused(tmp_path, make_result):
    one = make_result(tmp_path / "one")
    make_result(tmp_path / "many" / "x")
    make_result(tmp_path / "others" / "y")
    with pytest.raises(InputError, match="two of a kind"):
        pair_results(one, tmp_path / "many")
    with pytest.raises(InputError, match=re.escape("paired by folder name, there are x and y")):
        pair_results(tmp_path / "many", tmp_path / "others")
    relative = make_result(tmp_path / "r", column="mean_dose_mgy_per_100mas")
    with pytest.raises(InputError, match="same absolute scale"):
        pair_results(one, relative)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="nor do the folders"):
        pair_results(tmp_path / "empty", one)
    with pytest.raises(InputError, match="not a folder"):
        pair_results(tmp_path / "absent", one)
    alien = make_result(tmp_path / "alien", doses={"femur_left": 1.0})
    with pytest.raises(InputError, match="no organ in common"):
        compare_results(alien, one)


def test_damaged_tables_are_named(tmp_path, make_result):
    folder = make_result(tmp_path / "a")
    table = folder / "organ_doses.csv"
    text = table.read_text()
    table.write_text(text.replace("mean_dose_mgy", "dose"))
    with pytest.raises(FormatError, match="needs the columns"):
        read_result(folder)
    table.write_text(text.replace("12.0", "twelve"))
    with pytest.raises(FormatError, match="spleen is 'twelve'"):
        read_result(folder)
    table.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(FormatError, match="liver twice"):
        read_result(folder)


def test_maps_of_two_grids_are_refused_with_the_remedy(tmp_path, make_result):
    ours = make_result(tmp_path / "n", grid=Grid.from_spacing((4, 7, 8), (8, 8, 8)))
    theirs = make_result(tmp_path / "t")
    with pytest.raises(GeometryError, match="--dose-grid"):
        read_maps(pair_results(ours, theirs)[0][0])
    assert read_maps(pair_results(make_result(tmp_path / "o", grid=None), theirs)[0][0]) is None


@pytest.fixture
def few_figures(monkeypatch):
    """Coarse figures, of one exam only: drawing takes most of the time."""
    monkeypatch.setattr(plot_style, "DPI", 30)
    monkeypatch.setattr(output, "_MOST_DRAWN", 1)


@pytest.mark.usefixtures("few_figures")
def test_evaluation_of_a_scaled_result_gives_its_scale(tmp_path, make_result, dose_grid):
    for name in ("a", "b"):
        make_result(tmp_path / "truth" / name)
        make_result(tmp_path / "network" / name, factor=1.03, sigma=0.02)
    labels = tmp_path / "labels"
    labels.mkdir()
    organ = np.zeros(dose_grid.shape, dtype=np.uint8)
    organ[2:6, 5:9, 6:10] = 1
    write_image(organ, dose_grid, labels / "a.nii.gz")
    (labels / "labels.json").write_text('{"1": "liver"}')
    out = tmp_path / "out"
    metrics = write_evaluation(
        tmp_path / "network",
        tmp_path / "truth",
        out,
        gammas=(GammaSettings(dose_difference=0.05, distance_mm=2.0, subset=200),),
        labels=labels,
    )
    assert json.loads((out / "metrics.json").read_text()) == metrics
    doses = metrics["organ_doses"]
    assert doses["values"]["mean_relative_error"] == pytest.approx(0.03)
    assert doses["intervals"]["mean_relative_error"] == pytest.approx([0.03, 0.03])
    assert metrics["bland_altman"]["relative"]["bias"] == pytest.approx(0.03 / 1.015)
    # 3 % error, 2 % claimed, 1 % of the reference: z = 0.03 / hypot(1.03 * 0.02, 0.01) = 1.31
    cover = metrics["claimed_uncertainty"]["coverage"]
    assert [c["share"] for c in cover] == [0.0, 1.0]
    voxels = metrics["voxels"]["a"]
    assert voxels["values"]["mean_relative_absolute_error"] == pytest.approx(0.03, rel=1e-4)
    assert voxels["gamma"][0]["pass_rate"] == 1.0
    rows = metrics["tables"]["voxels_by_organ"]
    assert [row["organ"] for row in rows] == ["liver"]
    assert rows[0]["n_voxels"] == 64
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64") == len(list((out / "figures").iterdir())) == 6
    assert "liver" in (out / "tables.md").read_text()
    assert (out / "organs.csv").read_text().startswith("organ,patients,values")
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


@pytest.mark.usefixtures("few_figures")
def test_nothing_is_overwritten_or_left_half_written(tmp_path, make_result):
    ours, theirs = make_result(tmp_path / "n", grid=None), make_result(tmp_path / "t", grid=None)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="not empty"):
        write_evaluation(ours, theirs, out)
    write_evaluation(ours, theirs, out, overwrite=True)
    (out / "figures" / "maps_earlier.png").write_bytes(b"of an exam that is no longer there")
    write_evaluation(ours, theirs, out, overwrite=True)
    assert not (out / "figures" / "maps_earlier.png").exists()
    assert (out / "figures" / "organs_t.png").is_file()
    assert (out / "mine.txt").read_text() == "kept"
    assert (out / "metrics.json").is_file()
    with pytest.raises(InputError):
        write_evaluation(ours, tmp_path / "absent", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]

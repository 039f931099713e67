import json
from pathlib import Path

import pytest

from milligray.errors import InputError
from milligray.report import check_output, maps, output, write_result

FILES = {"dose.nii.gz", "dose_uncertainty.nii.gz", "organ_doses.csv", "result.json", "report.html"}


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def quick(monkeypatch):
    """Replace the slow page; its own tests are in test_html.py."""
    monkeypatch.setattr(output, "write_html", lambda _, path: path.write_text("<html>"))


@pytest.mark.usefixtures("quick")
def test_all_files_are_written_and_nothing_else(result, tmp_path):
    out = tmp_path / "new" / "exam"
    written = write_result(result, out, overwrite=False)
    assert {path.name for path in written} == FILES == set(_tree(out))
    assert all(path.is_file() for path in written)
    assert [path.name for path in out.parent.iterdir()] == ["exam"]


@pytest.mark.usefixtures("quick")
def test_non_empty_directory_is_kept_without_overwrite(result, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        write_result(result, tmp_path, overwrite=False)
    assert set(_tree(tmp_path)) == {"mine.txt"}


@pytest.mark.usefixtures("quick")
def test_empty_directory_is_used(result, tmp_path):
    out = tmp_path / "exam"
    out.mkdir()
    write_result(result, out, overwrite=False)
    assert set(_tree(out)) == FILES


@pytest.mark.usefixtures("quick")
def test_overwrite_replaces_own_files_and_keeps_foreign_ones(result, tmp_path):
    out = tmp_path / "exam"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    (out / "notes").mkdir()
    (out / "dose.dcm").write_text("stale: belongs to the older dose")
    (out / "result.json").write_text("old")
    write_result(result, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == FILES | {"mine.txt", "notes"}
    assert (out / "mine.txt").read_text() == "keep"
    assert json.loads((out / "result.json").read_text())["schema"] == "milligray-result/1"
    assert [path.name for path in tmp_path.iterdir()] == ["exam"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("writer", ["write_nifti", "write_organ_csv", "write_html", "write_json"])
@pytest.mark.usefixtures("quick")
def test_failure_leaves_everything_as_it_was(result, tmp_path, monkeypatch, writer, error):
    out = tmp_path / "exam"
    write_result(result, out, overwrite=False)
    (out / "mine.txt").write_text("keep")
    before = _tree(out)

    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    module = maps if writer == "write_nifti" else output
    monkeypatch.setattr(module, writer, fail)
    with pytest.raises(error):
        write_result(result, out, overwrite=True)
    with pytest.raises(error):
        write_result(result, tmp_path / "other", overwrite=False)
    assert _tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["exam"]


@pytest.mark.parametrize("n_moves", range(9))
@pytest.mark.usefixtures("quick")
def test_interrupted_moving_is_undone(result, tmp_path, monkeypatch, n_moves):
    out = tmp_path / "exam"
    write_result(result, out, overwrite=False)
    (out / "dose.dcm").write_text("old")
    (out / "result.json").write_text("old")
    before = _tree(out)
    rename, moves = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == n_moves + 1:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_result(result, out, overwrite=True)
    assert _tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["exam"]


@pytest.mark.usefixtures("quick")
def test_extra_files_of_a_result_are_written_with_the_others(result, tmp_path):
    extra = {"dose.dcm": lambda path: path.write_text("dicom") and None}
    written = write_result(result, tmp_path / "exam", overwrite=False, extra=extra)
    assert (tmp_path / "exam" / "dose.dcm") in written
    with pytest.raises(InputError, match="not files of a result"):
        write_result(result, tmp_path / "b", overwrite=False, extra={"a.txt": lambda _: None})


def test_check_output_refuses_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_output(tmp_path / "file", overwrite=True)
    with pytest.raises(InputError, match="cannot write"):
        check_output(tmp_path / "file" / "below", overwrite=True)
    with pytest.raises(InputError, match="--overwrite"):
        check_output(tmp_path / "full", overwrite=False)
    check_output(tmp_path / "full", overwrite=True)
    check_output(tmp_path / "not" / "there" / "yet", overwrite=False)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "full"}


@pytest.mark.usefixtures("quick")
def test_relative_and_current_directories_work(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_result(result, Path("exam"), overwrite=False)
    assert set(_tree(tmp_path / "exam")) == FILES
    monkeypatch.chdir(tmp_path / "exam")
    write_result(result, Path(), overwrite=True)
    assert set(_tree(tmp_path / "exam")) == FILES

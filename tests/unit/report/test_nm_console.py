from dataclasses import replace
from pathlib import Path

from rich.console import Console

from milligray.report.nm_console import nm_organ_table, nm_summary_line, print_nm_summary

from .nm_case import ADMINISTERED_MBQ


def _text(table) -> str:
    with Path("/dev/null").open("w") as sink:
        console = Console(width=140, record=True, file=sink)
        console.print(table)
        return console.export_text()


def test_table_shows_doses_per_activity_and_both_uncertainties(nm_result):
    text = _text(nm_organ_table(nm_result, title="[exam]"))
    liver = next(line for line in text.splitlines() if "liver" in line)
    assert liver.split()[:5] == [
        "liver",
        "988",
        f"{987.654321 / ADMINISTERED_MBQ:.3f}",
        "0.30",
        "%",
    ]
    assert "13\N{NO-BREAK SPACE}%" in liver  # 2 sqrt(0.003^2 + 0.04^2 + 0.05^2)
    assert "lung_upper_lobe_left*" in text
    assert "CT [" not in text
    assert "[exam]" in text


def test_columns_follow_what_is_known(nm_build, nm_result, result):
    unknown = replace(nm_result.tia, administered_activity_mbq=None)
    text = _text(nm_organ_table(nm_build(tia=unknown, ct=result)))
    assert "mGy/MBq" not in text
    assert "CT [mGy]" in text
    assert "10.5" in next(line for line in text.splitlines() if "liver" in line)


def test_summary_names_what_was_given_and_assumed(nm_build, nm_result):
    line = nm_summary_line(nm_result)
    for expected in ("Lu-177, 7400 MBq", "3 images, mono", "91.2 mSv (reference person)", "41.5 s"):
        assert expected in line
    unknown = replace(nm_result.tia, administered_activity_mbq=None)
    bare = nm_summary_line(nm_build(tia=unknown, effective_dose=None, manifest={}))
    assert "not known" in bare
    assert "mSv" not in bare


def test_summary_prints_table_on_stdout_and_the_rest_on_stderr(nm_result, tmp_path, capsys):
    print_nm_summary(nm_result, tmp_path)
    shown = capsys.readouterr()
    assert "liver" in shown.out
    assert "note: <b>kinetics were & are assumed</b>" in shown.err
    assert "liver" not in shown.err
    assert "report:" in shown.err

import json
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest
import typer

from milligray.cli import main
from milligray.cli.progress import ProgressLine
from milligray.errors import (
    DeviceError,
    FormatError,
    GeometryError,
    InputError,
    MissingExtraError,
    StatisticsError,
    TableRangeError,
)
from milligray.learn.shelf import list_networks
from milligray.transport.monte_carlo import devices
from milligray.transport.monte_carlo.goal import Progress

HEAVY = ("numba", "torch", "matplotlib", "scipy", "pydicom", "xraylib", "spekpy", "nibabel")
LIST_HEAVY = f"""
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def run_python(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys\n" + text]
    return subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603


def test_import_loads_nothing_heavy():
    done = run_python("import milligray\ndir(milligray)" + LIST_HEAVY)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["ct-dose", "--help"],
        ["cohort", "--help"],
        ["demo", "--help"],
        ["validate", "--help"],
    ],
)
def test_help_loads_nothing_heavy(arguments):
    done = run_python(
        "from milligray.cli.main import run\n"
        f"sys.argv = ['milligray', *{arguments}]\n"
        "try:\n    run()\nexcept SystemExit as leave:\n    assert not leave.code\n" + LIST_HEAVY
    )
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 3),
        (GeometryError("x"), 3),
        (FormatError("x"), 3),
        (TableRangeError("x"), 3),
        (MissingExtraError("x"), 3),
        (DeviceError("x"), 4),
        (StatisticsError("x"), 4),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_exit_codes(error, code, monkeypatch):
    assert main.exit_code_of(error) == code

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as leave:
        main.run()
    assert leave.value.code == code


def test_a_command_that_leaves_with_a_code_leaves_with_it(monkeypatch):
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise typer.Exit(1)

    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(sys, "argv", ["milligray"])
    with pytest.raises(SystemExit) as leave:
        main.run()
    assert leave.value.code == 1


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["milligray", *map(str, arguments)])
        code = 0
        try:
            main.run()
        except SystemExit as leave:
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_validation_that_fails_has_exit_code_1(call, monkeypatch):
    from milligray.validate.rows import ValidationRow

    row = ValidationRow(
        case="none", entry="made up", ours=2.0, ours_sigma=0.01, reference=1.0,
        reference_sigma=0.01, tolerance_percent=1.0, unit="",
    )  # fmt: skip
    monkeypatch.setattr("milligray.validate.nist_rows", lambda: [row])
    code, out, _ = call("validate", "nist", "--quiet")
    assert code == 1
    assert "FAILS" in out


def test_info_names_versions_scanners_and_the_cache(call):
    code, out, _ = call("info", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["packages"]["numba"]
    assert "generic" in document["scanners"]
    assert "cuda" in document["devices"]
    assert document["networks"] == list(list_networks())
    code, out, _ = call("info")
    assert "schneider2000" in out


def test_cuda_without_a_gpu_has_exit_code_4_and_says_why(call, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "why_no_cuda", lambda: "no NVIDIA driver; install one")
    out = tmp_path / "out"
    for arguments in (("ct-dose", tmp_path, "--out", out), ("demo", "--out", out)):
        code, _, told = call(*arguments, "--device", "cuda")
        assert code == 4
        assert "no NVIDIA driver; install one" in told
        assert not out.exists()
    assert call("ct-dose", tmp_path, "--out", out, "--device", "gpu")[0] == 3
    assert "not usable: no NVIDIA driver" in call("info")[1]


def test_spectrum_as_csv_and_json_are_the_same(call):
    options = ("spectrum", "--tube-voltage-kv", 100, "--half-value-layer-mm-al", 6.0)
    code, out, _ = call(*options)
    assert code == 0
    lines = [line.split(",") for line in out.splitlines() if not line.startswith("#")]
    assert lines[0] == ["low_kev", "high_kev", "relative_photons"]
    table = np.array(lines[1:], dtype=float)
    document = json.loads(call(*options, "--json")[1])
    assert document["half_value_layer_mm_al"] == pytest.approx(6.0, rel=2e-3)
    assert table[:, 2] == pytest.approx(document["weights"], rel=1e-6)
    assert table[-1, 1] == document["edges_kev"][-1] == 100.0
    assert table[:, 2].sum() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--half-value-layer-mm-al", 6, "--filtration-mm-al", 5],
        ["--scanner", "generic", "--bowtie", "chest"],
        ["--half-value-layer-mm-al", 60],
    ],
)
def test_spectra_that_cannot_be_made(call, options):
    code, out, err = call("spectrum", "--tube-voltage-kv", 120, *options)
    assert (code, out) == (3, "")
    assert err.startswith("milligray: ")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def progress(**changes) -> Progress:
    given = {
        "histories": 1_500_000, "histories_goal": None, "worst_organ": "liver",
        "worst_relative_uncertainty": 0.0123, "seconds": 3.0, "seconds_left": 4.4,
    }  # fmt: skip
    return Progress(**(given | changes))


def test_progress_names_the_worst_organ_and_the_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    line = ProgressLine()
    line.stage("transport")
    line.transport(progress())
    text = sys.stderr.getvalue()
    assert "1.5 M histories, 1.23 % (liver), 3 s, about 4 s left" in text
    assert "\n" not in text  # one live line
    line.close()
    assert sys.stderr.getvalue().endswith("\r")


def test_progress_without_a_terminal_is_a_line_every_few_seconds(monkeypatch):
    monkeypatch.setattr(sys, "stderr", StringIO())
    line = ProgressLine()
    for _ in range(5):
        line.transport(progress(worst_relative_uncertainty=float("nan"), histories_goal=2_000_000))
    line.close()
    assert sys.stderr.getvalue().count("\n") == 1
    assert "1.5 M histories of 2.0 M, 3 s" in sys.stderr.getvalue()
    assert "nan" not in sys.stderr.getvalue()


def test_quiet_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    line = ProgressLine(quiet=True)
    line.stage("read")
    line.transport(progress())
    line.close()
    assert sys.stderr.getvalue() == ""

"""Entry point: sub-commands, and exit codes from exceptions."""

import os
import sys
import traceback

import typer

from milligray.errors import DeviceError, MilligrayError, MissingExtraError, StatisticsError

OK, BUG, USAGE, BAD_INPUT, GOAL_NOT_MET, INTERRUPTED = 0, 1, 2, 3, 4, 130

app = typer.Typer(
    name="milligray",
    help="Radiation dose of one patient from CT, PET and SPECT: organ doses with uncertainties.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _register() -> None:
    from milligray.cli.cohort import cohort
    from milligray.cli.ct_dose import ct_dose, demo
    from milligray.cli.dataset import app as dataset
    from milligray.cli.evaluate import app as evaluate
    from milligray.cli.info import info
    from milligray.cli.nm_dose import nm_dose
    from milligray.cli.phantom import phantom_app
    from milligray.cli.predict import predict
    from milligray.cli.spectrum import spectrum
    from milligray.cli.train import train
    from milligray.cli.validate import validate

    app.command("ct-dose")(ct_dose)
    app.command("demo")(demo)
    app.command("nm-dose")(nm_dose)
    app.command("predict")(predict)
    app.command("cohort")(cohort)
    app.add_typer(dataset, name="dataset")
    app.add_typer(phantom_app, name="phantom")
    app.command("train")(train)
    app.add_typer(evaluate, name="evaluate")
    app.command("validate")(validate)
    app.command("spectrum")(spectrum)
    app.command("info")(info)


_register()


def exit_code_of(error: BaseException) -> int:
    """Exit code of an exception (DESIGN: 3 bad input, 4 device or statistics, 1 bug)."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, DeviceError | StatisticsError):
        return GOAL_NOT_MET
    if isinstance(error, MilligrayError):
        return BAD_INPUT
    return BUG


def run() -> None:
    """Run the command line; never show a traceback for a mistake of the input."""
    try:
        # not standalone, typer hands back the code of typer.Exit, and makes one of Ctrl-C
        code = app(standalone_mode=False) or OK
    except typer.Exit as leave:
        code = leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except MilligrayError as error:
        hint = "" if not isinstance(error, MissingExtraError) else " (an optional part is missing)"
        sys.stderr.write(f"milligray: {error}{hint}\n")
        sys.exit(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 - the last resort must catch all
        usage = getattr(error, "format_message", None)
        if usage is not None:  # click's own complaint about the command line
            if usage():  # empty after the help that a call without arguments shows
                sys.stderr.write(f"milligray: {usage()}\n")
            sys.exit(USAGE)
        traceback.print_exc()
        sys.stderr.write("milligray: this is a bug; please report it with the lines above\n")
        sys.exit(BUG)
    if code == INTERRUPTED:
        sys.stderr.write("\nmilligray: interrupted; no half-written result was left\n")
    if code != OK:
        sys.exit(code)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    run()

"""Run the benchmarks: ``python -m benchmarks [THEME ...] [--quick] [--write FOLDER]``.

Every theme writes one JSON file; the page and the plots are made of all files that are there.
"""

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from benchmarks.context import REPOSITORY, Context

THEMES = (
    "startup", "speed", "exam", "predict", "decays", "threads", "tg195", "peers", "hotspots",
    "large",
)  # fmt: skip
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = REPOSITORY / "docs" / "benchmarks.md"
README = REPOSITORY / "README.md"


class Theme(Protocol):
    """What each module of a theme has."""

    run: Callable[..., dict[str, Any]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("themes", nargs="*", metavar="THEME", help=", ".join(THEMES))
    parser.add_argument("--quick", action="store_true", help="less of everything, about 4 minutes")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="where the results go")
    parser.add_argument("--page-only", action="store_true", help="only page, plots and README")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.themes) - set(THEMES))
    if unknown:
        parser.error(f"no theme {unknown[0]!r}; there are {', '.join(THEMES)}")
    for name in () if arguments.page_only else arguments.themes or THEMES:
        sys.stderr.write(f"{name} ...\n")
        context = Context(quick=arguments.quick)
        theme = cast("Theme", import_module(f"benchmarks.{name}"))
        found = theme.run(quick=arguments.quick)
        text = json.dumps({"context": context.close()} | found, indent=1, allow_nan=False) + "\n"
        if arguments.write is None:
            sys.stdout.write(text)
        else:
            arguments.write.mkdir(parents=True, exist_ok=True)
            (arguments.write / f"{name}.json").write_text(text, encoding="utf-8")
    if arguments.write is not None:
        from benchmarks import page, plots, readme

        results = page.read_results(arguments.write)
        plots.draw(results, arguments.write)
        if arguments.write.resolve() == RESULTS:
            page.write(results, PAGE, arguments.write)
            readme.update(results, README)
        else:
            page.write(results, arguments.write / "benchmarks.md", arguments.write)


if __name__ == "__main__":
    main()

"""Compute S-values of the reference persons: CSV files NUCLIDE_PERSON.csv in a folder.

Usage: python tools/build_reference_s_values.py FOLDER [--nuclides F-18 ...] [--histories N]
Half a minute to two minutes a source organ on two cores; files that are there are left alone.
"""

import argparse
import sys
from pathlib import Path

from milligray.score.organ_s_values import DEFAULT_HISTORIES
from milligray.score.reference_s_values import (
    MAIN_SOURCES,
    REFERENCE_PERSONS,
    reference_s_values,
    write_s_value_table,
)
from milligray.source.nuclide import load_nuclide


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nuclides", nargs="*", default=["F-18", "Lu-177", "Tc-99m", "I-131"])
    parser.add_argument("--sources", nargs="*", default=list(MAIN_SOURCES))
    parser.add_argument("--histories", type=int, default=DEFAULT_HISTORIES)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.nuclides:
        for person in REFERENCE_PERSONS:
            path = options.folder / f"{name}_{person}.csv"
            if path.exists():
                continue
            table = reference_s_values(
                load_nuclide(name), person, sources=options.sources, histories=options.histories,
                tell=lambda organ: print(organ, file=sys.stderr, flush=True),
            )  # fmt: skip
            write_s_value_table(table, path)
            print(path)


if __name__ == "__main__":
    main()

"""Write the list of a cohort of the head-and-neck patients for `milligray cohort`.

python tools/make_head_neck_cohort.py ../shared/data/headneck --patients 40 --out list.csv
"""

import argparse
import csv
import os
from pathlib import Path

COLUMNS = ("exam", "input", "protocol", "organs")
PROTOCOL = Path(__file__).parent.parent / "examples" / "head_neck_helical.toml"


def main() -> None:
    """One row a patient, with paths relative to the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with pt_*_ct.nii.gz and labels")
    parser.add_argument("--out", type=Path, required=True, help="list to write (CSV)")
    parser.add_argument("--protocol", type=Path, default=PROTOCOL)
    parser.add_argument("--patients", type=int, default=None, help="only so many, by number")
    arguments = parser.parse_args()
    names = sorted(
        (path.name.removesuffix("_ct.nii.gz") for path in arguments.folder.glob("pt_*_ct.nii.gz")),
        key=lambda name: int(name.removeprefix("pt_")),
    )
    base = arguments.out.absolute().parent
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name in names[: arguments.patients]:
            files = (
                arguments.folder / f"{name}_ct.nii.gz",
                arguments.protocol,
                arguments.folder / f"{name}_labels.nii.gz",
            )
            writer.writerow([name, *(os.path.relpath(path.absolute(), base) for path in files)])
    print(f"{len(names[: arguments.patients])} exams in {arguments.out}")


if __name__ == "__main__":
    main()

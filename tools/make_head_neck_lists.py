"""Write the lists of head-and-neck patients that networks are trained and judged on.

python tools/make_head_neck_lists.py ../shared/data/headneck --out runs

writes `learning.csv` (training and validation patients) and `unseen.csv` (test patients, for no
choice at all). Who is in which is fixed by the patients' names: a hash of them, no draw.
"""

import argparse
import csv
import os
from pathlib import Path

from milligray.draws import fraction

N_TEST, N_VALIDATION = 14, 8
COLUMNS = ("exam", "input", "organs", "split")


def splits(names: list[str]) -> dict[str, str]:
    """Split of every patient: the 14 of lowest hash are test, the next 8 validation."""
    ranked = sorted(names, key=lambda name: fraction("head-neck split", name))
    parts = ["test"] * N_TEST + ["validation"] * N_VALIDATION
    parts += ["train"] * (len(names) - len(parts))
    return dict(zip(ranked, parts, strict=True))


def main() -> None:
    """Two lists, with paths relative to them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with pt_*_ct.nii.gz and labels")
    parser.add_argument("--out", type=Path, required=True, help="folder for the lists")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = sorted(
        (file.name.removesuffix("_ct.nii.gz") for file in arguments.folder.glob("pt_*_ct.nii.gz")),
        key=lambda name: int(name.removeprefix("pt_")),
    )
    found = splits(names)
    for file, wanted in (("learning", ("train", "validation")), ("unseen", ("test",))):
        path = arguments.out / f"{file}.csv"
        base = path.absolute().parent
        rows = [name for name in names if found[name] in wanted]
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            for name in rows:
                images = (
                    arguments.folder / f"{name}_ct.nii.gz",
                    arguments.folder / f"{name}_labels.nii.gz",
                )
                paths = [os.path.relpath(image.absolute(), base) for image in images]
                writer.writerow([name, *paths, found[name]])
        print(f"{path}: {len(rows)} patients")


if __name__ == "__main__":
    main()

"""Cut the heads and necks out of a synthetic population, for training sets of that region.

python tools/crop_population.py /tmp/population --out /tmp/heads --persons 40

reads the population that `milligray phantom population` wrote, takes the first persons with arms
down (raised arms would lie beside the head), cuts CT and labels at the middle of vertebra T4, and
writes the images with a list `patients.csv` for `milligray dataset make`: the last tenth of the
persons is the validation, the others train.
"""

import argparse
import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np

LOWEST = "vertebrae_T4"
COLUMNS = (
    "exam", "input", "organs", "organ_names", "patient", "kind_of_anatomy", "split",
)  # fmt: skip


def crop(folder: Path, target: Path) -> None:
    """Cut one person."""
    labels = nib.load(folder / "labels.nii.gz")
    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    code = next(int(key) for key, name in names.items() if name == LOWEST)
    values = np.asarray(labels.dataobj)  # (x, y, z), z to the head
    rows = np.flatnonzero((values == code).any(axis=(0, 1)))
    lowest = round(0.5 * float(rows[0] + rows[-1]))
    body = np.flatnonzero((values[:, :, lowest:] > 0).any(axis=(1, 2)))
    wide = slice(max(0, body[0] - 2), body[-1] + 3)
    affine = labels.affine.copy()
    affine[:3, 3] = (labels.affine @ [wide.start, 0, lowest, 1])[:3]
    ct = np.asarray(nib.load(folder / "ct.nii.gz").dataobj)
    target.mkdir(parents=True, exist_ok=True)
    for name, array in (("ct", ct), ("labels", values)):
        nib.save(nib.Nifti1Image(array[wide, :, lowest:], affine), target / f"{name}.nii.gz")
    (target / "labels.json").write_text(json.dumps(names, indent=1), encoding="utf-8")


def main() -> None:
    """Images and list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("population", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--persons", type=int, default=40)
    arguments = parser.parse_args()
    with (arguments.population / "population.csv").open(encoding="utf-8") as file:
        persons = [row["name"] for row in csv.DictReader(file) if row["arms"] == "down"]
    persons = persons[: arguments.persons]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "patients.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, name in enumerate(persons):
            target = arguments.out / name
            if not (target / "labels.json").exists():
                crop(arguments.population / "phantoms" / name, target)
            split = "train" if number < 0.9 * len(persons) else "validation"
            files = [f"{name}/{one}" for one in ("ct.nii.gz", "labels.nii.gz", "labels.json")]
            writer.writerow([name, *files, name, "synthetic", split])
            print(f"{name}: {split}", flush=True)


if __name__ == "__main__":
    main()

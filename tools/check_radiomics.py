"""Compare the radiomics features with pyradiomics' own baseline and with the IBSI consensus.

python tools/check_radiomics.py ../shared/data/pyradiomics --out docs/validation

writes `radiomics_features.csv`: largest relative deviation by case and class.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import SimpleITK

from milligray.learn.inputs.radiomics_features import CLASSES, feature_extractor

PLAIN = ("brain1", "brain2", "breast1")
MASKS = ("lung1", "lung2")
BASELINE_SETTINGS = {"voxelArrayShift": 2000}
"""In which the plain columns of the baseline differ from ours; bins and distance are the same."""
IBSI = Path(__file__).parent.parent / "tests" / "validation" / "ibsi_digital_phantom.csv"
Rows = list[tuple[str, float, float]]
"""(feature, ours, reference)"""


def baseline_rows(folder: Path, case: str) -> Rows:
    """Features of one case of the baseline; of masks without image, shape alone."""
    classes = CLASSES if case in PLAIN else ("shape",)
    label = SimpleITK.ReadImage(str(folder / f"{case}_label.nrrd"))
    if case in PLAIN:
        image = SimpleITK.ReadImage(str(folder / f"{case}_image.nrrd"))
    else:
        image = SimpleITK.Cast(label, SimpleITK.sitkFloat32)
    ours = values(image, label, classes, **BASELINE_SETTINGS)
    found = []
    for name in classes:
        path = folder / "baseline" / f"baseline_{name}.csv"
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                key = row["featureName"].removeprefix("original_")
                if key in ours:
                    found.append((key, ours[key], float(row[case])))
    return found


def ibsi_rows(folder: Path) -> Rows:
    """Features of the digital phantom for which a consensus is listed, in IBSI's definitions."""
    phantom = folder / "ibsi_digital_phantom"
    image = SimpleITK.ReadImage(str(phantom / "phantom_image.nii.gz"), SimpleITK.sitkFloat32)
    label = SimpleITK.ReadImage(str(phantom / "phantom_mask.nii.gz"), SimpleITK.sitkUInt8)
    label.CopyInformation(image)
    ours = values(image, label, CLASSES, binWidth=1)
    lines = [line for line in IBSI.read_text().splitlines() if not line.startswith("#")]
    return [
        (
            row["feature"],
            ours[row["feature"]] * float(row["factor"]) - float(row["offset"]),
            float(row["value"]),
        )
        for row in csv.DictReader(lines)
    ]


def values(
    image: SimpleITK.Image, label: SimpleITK.Image, classes: tuple[str, ...], **settings: float
) -> dict[str, float]:
    """All features of a mask of value 1."""
    found = feature_extractor(classes=classes, **settings).execute(image, label)
    return {
        key.removeprefix("original_"): float(value)
        for key, value in found.items() if key.startswith("original_")
    }  # fmt: skip


def relative_deviation(ours: float, reference: float) -> float:
    """Relative to the reference; absolute where that is 0."""
    return abs(ours - reference) / (abs(reference) or 1.0)


def main() -> None:
    """One row a case and class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with (arguments.out / "radiomics_features.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "class", "features", "largest_relative_deviation", "feature"])
        for case in (*PLAIN, *MASKS, "ibsi"):
            rows = (
                ibsi_rows(arguments.folder) if case == "ibsi"
                else baseline_rows(arguments.folder, case)
            )  # fmt: skip
            for name in CLASSES:
                of_class = [r for r in rows if r[0].startswith(f"{name}_")]
                if not of_class:
                    continue
                deviations = [relative_deviation(ours, there) for _, ours, there in of_class]
                worst = int(np.argmax(deviations))
                writer.writerow([case, name, len(of_class), f"{deviations[worst]:.2e}",
                                 of_class[worst][0]])  # fmt: skip
                print(case, name, len(of_class), f"{deviations[worst]:.2e}", of_class[worst])


if __name__ == "__main__":
    main()

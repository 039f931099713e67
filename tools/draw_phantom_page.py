"""The picture page of six phantoms: three planes as a CT shows them, and rendered surfaces.

python tools/draw_phantom_page.py --out docs/pictures/phantoms.png [--spacing-mm 2]
"""

import argparse
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from draw_anatomy import BONE, plane, render

from milligray.anatomy import AnatomyParameters, build_anatomy

mpl.use("Agg")
import matplotlib.pyplot as plt

PERSONS = (
    AnatomyParameters(sex="male"),
    AnatomyParameters(sex="female"),
    AnatomyParameters(sex="male", height_mm=1930, weight_kg=72, variation=1, seed=11),
    AnatomyParameters(sex="female", height_mm=1540, weight_kg=88, variation=1, seed=12),
    AnatomyParameters(sex="male", height_mm=1740, weight_kg=118, variation=1, seed=13, arms="up"),
    AnatomyParameters(
        sex="female", height_mm=1680, weight_kg=54, variation=1, seed=14, arms="up",
        lung_density_g_cm3=0.24,
    ),
)  # fmt: skip
ORGANS = (
    r"brain|eye|thyroid|trachea|bronchi|lung_|heart|aorta|vena|artery|liver|spleen|kidney|stomach|pancreas"
    r"|adrenal|gallbladder|colon|rectum|small_bowel|duodenum|urinary|uterus|ovary|prostate|testis|breast"
    r"|gland"
)
BODY = "skin|subcutaneous_fat|skeletal_muscle"


def main() -> None:
    """Draw the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--spacing-mm", type=float, default=2.0)
    args = parser.parse_args()
    figure, axes = plt.subplots(
        len(PERSONS), 7, figsize=(19, 5.2 * len(PERSONS)), layout="constrained",
        width_ratios=[1, 1, 1, 1, 0.7, 1, 1],
    )  # fmt: skip
    for row, parameters in zip(axes, PERSONS, strict=True):
        anatomy = build_anatomy(parameters, spacing_mm=args.spacing_mm)
        p = parameters
        title = f"{p.sex}, {p.height_mm / 10:.0f} cm, {p.weight_kg:.0f} kg, BMI {p.bmi:.0f}"
        images = []
        for name, pattern in (("body", BODY), ("bones", BONE), ("organs", ORGANS)):
            chosen = [v for v, n in anatomy.names.items() if re.search(pattern, n)]
            if name == "organs":
                chosen = [v for v in chosen if not re.search("costal", anatomy.names[v])]
            images.append((name, render(anatomy, chosen)))
        centers = {
            n: anatomy.grid.axis_centers_mm(0)[np.flatnonzero(
                (anatomy.structure == v).any(axis=(1, 2)))].mean()
            for v, n in anatomy.names.items() if n in ("heart_myocardium", "vertebrae_L1")
        }  # fmt: skip
        images.append(("coronal", plane(anatomy, "y", 5.0)))
        images.append(("sagittal", plane(anatomy, "x", 0.0)))
        for name, where in (("heart", "heart_myocardium"), ("L1", "vertebrae_L1")):
            images.append((f"axial, {name}", plane(anatomy, "z", centers[where])))
        for ax, (name, image) in zip(row, images, strict=True):
            ax.imshow(np.clip(image, 0, 1), interpolation="nearest")
            ax.set_title(f"{title}\n{name}" if name == "body" else name, fontsize=9)
            ax.axis("off")
    figure.savefig(args.out, dpi=80)


if __name__ == "__main__":
    main()

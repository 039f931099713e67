"""The picture page of six phantoms: three planes as a CT shows them, and rendered surfaces.

python tools/draw_phantom_page.py --out docs/pictures/phantoms.png [--spacing-mm 2]
"""

import argparse
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from draw_anatomy import BONE, plane, render

from milligray.anatomy import Anatomy, AnatomyParameters, build_anatomy

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
LEVELS = {
    "vertebrae_T5": 0.4, "heart_myocardium": 0.45, "liver": 0.55, "vertebrae_L3": 0.6,
    "urinary_bladder": 0.4,
}  # fmt: skip
BODY = "skin|subcutaneous_fat|skeletal_muscle"


def main() -> None:
    """Draw the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--spacing-mm", type=float, default=2.0)
    args = parser.parse_args()
    figure, axes = plt.subplots(
        len(PERSONS), 6, figsize=(17, 6.2 * len(PERSONS)), layout="constrained",
        width_ratios=[1.1, 1, 0.9, 1.1, 0.8, 1.4],
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
            image = render(anatomy, chosen)
            images.append((name, trimmed(image) if name == "organs" else image))
        images.append(("coronal", plane(anatomy, "y", 5.0)))
        images.append(("sagittal", plane(anatomy, "x", 0.0)))
        images.append((
            "axial: aortic arch, heart, liver, L3, hips",
            np.concatenate([axial(anatomy, name) for name in LEVELS]),
        ))  # fmt: skip
        for ax, (name, image) in zip(row, images, strict=True):
            ax.imshow(np.clip(image, 0, 1), interpolation="nearest")
            ax.set_title(f"{title}\n{name}" if name == "body" else name, fontsize=10)
            ax.axis("off")
    figure.savefig(args.out, dpi=72)


def axial(anatomy: Anatomy, name: str) -> np.ndarray:
    """The trunk in the middle of a structure, without the arms beside it."""
    value = next(v for v, n in anatomy.names.items() if n == name)
    rows = np.flatnonzero((anatomy.structure == value).any(axis=(1, 2)))
    z = anatomy.grid.axis_centers_mm(0)[rows]
    image = plane(anatomy, "z", float(z[0] + LEVELS[name] * (z[-1] - z[0])))
    x, y = anatomy.grid.axis_centers_mm(2), anatomy.grid.axis_centers_mm(1)
    return image[(y > -190) & (y < 170)][:, np.abs(x) < 235]


def trimmed(image: np.ndarray) -> np.ndarray:
    """Without the white rim."""
    seen = (image < 0.99).any(axis=2)
    j, i = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return image[j[0] : j[-1] + 1, i[0] : i[-1] + 1]


if __name__ == "__main__":
    main()

"""Pictures of a synthetic anatomy: three planes and rendered surfaces.

python tools/draw_anatomy.py --sex male --spacing-mm 2 --out anatomy.png [--only REGEX]
    [--view front|left|back|oblique] [--slices z=1200,1100 y=0 x=0] [--crop ZLOW ZHIGH]
"""

import argparse
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy import ndimage

from milligray.anatomy.anatomy import Anatomy
from milligray.anatomy.build import build_anatomy
from milligray.anatomy.parameters import AnatomyParameters
from milligray.anatomy.targets import tissue_rows

mpl.use("Agg")
import matplotlib.pyplot as plt

BONE = (
    r"vertebra|rib_|skull|mandible|sternum|scapula|clavicula|humerus|radius|ulna|hand|hip_|sacrum"
    r"|coccyx|femur|patella|tibia|fibula|foot|teeth|costal|hyoid"
)
SOFT = r"skin|subcutaneous_fat|torso_fat|skeletal_muscle"
COLORS = {
    "lung": "#e8a0a0", "liver": "#7a2e1d", "spleen": "#5c2a4a", "kidney": "#8c3b2e",
    "stomach": "#d99a6c", "heart": "#b02a2a", "aorta": "#d62020", "vena": "#3050b0",
    "vein": "#3050b0", "colon": "#c98a5a", "small_bowel": "#e3b58a", "duodenum": "#d8b060",
    "urinary": "#e6d060", "gallbladder": "#4f8a3a", "pancreas": "#e0c070", "brain": "#d8b8b0",
    "thyroid": "#a04040", "eye": "#f4f4ff", "trachea": "#a8d8e8", "esophagus": "#b07898",
    "adrenal": "#e8a020", "uterus": "#c06080", "ovary": "#e8d8d0", "prostate": "#b06a50",
    "testis": "#d8c0b0", "breast": "#e8b8b8", "muscle": "#a84a42", "fat": "#ecd58a",
    "skin": "#e2b79a", "gland": "#d8a868", "larynx": "#90c0c8", "thymus": "#d8c890",
    "artery": "#d62020", "cartilage": "#b8d0d8", "disc": "#b8d0d8", "cord": "#e8e070",
    "tongue": "#c86a6a", "teeth": "#ffffff",
}  # fmt: skip


def color_of(name: str) -> tuple[float, float, float]:
    """Color of a structure by the first word that fits; bones ivory."""
    for word, color in COLORS.items():
        if word in name and not re.search(BONE.replace("costal", "xxxx"), name):
            return mpl.colors.to_rgb(color)
    if re.search(BONE, name):
        return (0.93, 0.89, 0.78)
    return (0.6, 0.7, 0.6)


def render(anatomy: Anatomy, chosen: list[int], view: str = "front") -> np.ndarray:
    """First structure that a parallel ray meets, shaded by the slope of the smoothed surface."""
    table = np.zeros(max(anatomy.names) + 1, dtype=np.uint16)
    table[chosen] = chosen
    labels = table[anatomy.structure]
    if view in ("left", "right"):
        labels = np.transpose(labels, (0, 2, 1))[:, :: (-1 if view == "left" else 1)]
        labels = labels[:, :, ::-1] if view == "right" else labels
    elif view == "back":
        labels = labels[:, ::-1, ::-1]
    elif view == "oblique":
        labels = ndimage.rotate(labels, 35, axes=(1, 2), order=0, reshape=True)
    hit = labels > 0
    depth = np.argmax(hit, axis=1).astype(np.float32)
    seen = hit.any(axis=1)
    first = np.take_along_axis(labels, depth.astype(int)[:, None, :], axis=1)[:, 0, :]
    smooth = np.where(seen, depth, depth[seen].max() + 5 if seen.any() else 0)
    soft = ndimage.gaussian_filter(hit.astype(np.float32), 0.8)
    gz, gy, gx = (
        np.take_along_axis(ndimage.sobel(soft, axis=a), depth.astype(int)[:, None, :], axis=1)[:, 0]
        for a in range(3)
    )
    norm = np.sqrt(gz**2 + gy**2 + gx**2) + 1e-6
    light = (0.75 * gy - 0.45 * gz + 0.35 * gx) / norm
    shade = 0.35 + 0.65 * np.clip(light, 0, 1)
    haze = (
        1.0 - 0.35 * (smooth - smooth[seen].min()) / max(np.ptp(smooth[seen]), 1)
        if seen.any()
        else 1
    )
    colors = np.zeros((max(anatomy.names) + 1, 3))
    for v in chosen:
        colors[v] = color_of(anatomy.names[v])
    image = colors[first] * (shade * haze)[..., None]
    image[~seen] = 1.0
    return image[::-1]


def plane(anatomy: Anatomy, axis: str, at_mm: float) -> np.ndarray:
    """One plane as a CT would show it, with the colors of the organs over it."""
    index = {"z": 0, "y": 1, "x": 2}[axis]
    centers = anatomy.grid.axis_centers_mm(index)
    n = int(np.argmin(np.abs(centers - at_mm)))
    cut = [slice(None)] * 3
    cut[index] = n
    tissue, structure = anatomy.tissue[tuple(cut)], anatomy.structure[tuple(cut)]
    hu = np.array([float(r["hu_120kv"]) for r in tissue_rows().values()])[tissue]
    grey = np.clip((hu + 200) / 600, 0, 1)[..., None] * np.ones(3)
    colors = np.array([(0, 0, 0), *(color_of(anatomy.names[v]) for v in sorted(anatomy.names))])
    organ = ~np.array(
        [True]
        + [bool(re.search(SOFT + "|" + BONE, anatomy.names[v])) for v in sorted(anatomy.names)]
    )
    mix = np.where(organ[structure][..., None], 0.55, 0.0)
    image = (1 - mix) * grey + mix * colors[structure]
    return image[::-1] if index else image


def main() -> None:
    """Draw one anatomy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sex", default="male")
    parser.add_argument("--height-mm", type=float, default=0.0)
    parser.add_argument("--weight-kg", type=float, default=0.0)
    parser.add_argument("--arms", default="down")
    parser.add_argument("--variation", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spacing-mm", type=float, default=3.0)
    parser.add_argument("--only", default="", help="regular expression of structures to render")
    parser.add_argument("--views", default="front,left,back")
    parser.add_argument("--slices", nargs="*", default=["y=0", "x=0", "z=1200"])
    parser.add_argument("--crop", nargs=2, type=float, default=None, help="z range shown [mm]")
    parser.add_argument("--volumes", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    parameters = AnatomyParameters(
        sex=args.sex, height_mm=args.height_mm, weight_kg=args.weight_kg, arms=args.arms,
        variation=args.variation, seed=args.seed,
    )  # fmt: skip
    anatomy = build_anatomy(parameters, spacing_mm=args.spacing_mm)
    if args.volumes:
        volumes = anatomy.volume_ml()
        for name, ml in volumes.items():
            if not args.only or re.search(args.only, name):
                wanted = anatomy.target_ml.get(name)
                print(f"{name:32s} {ml:9.1f} mL" + (f"  wanted {wanted:9.1f}" if wanted else ""))
    pattern = args.only or BONE
    chosen = [v for v, n in anatomy.names.items() if re.search(pattern, n)]
    z = anatomy.grid.axis_centers_mm(0)
    rows = slice(None)
    if args.crop:
        inside = np.flatnonzero((z >= args.crop[0]) & (z <= args.crop[1]))
        rows = slice(int(inside[0]), int(inside[-1]) + 1)
    images = [
        (v, render(anatomy, chosen, v)[::-1][rows][::-1])
        for v in args.views.split(",")
        if v and chosen
    ]
    for item in args.slices:
        axis, values = item.split("=")
        for value in values.split(","):
            image = plane(anatomy, axis, float(value))
            images.append((f"{axis} = {value}", image[::-1][rows][::-1] if axis != "z" else image))
    n = len(images)
    columns = min(n, 4)
    figure, axes = plt.subplots(
        -(-n // columns), columns, figsize=(4.2 * columns, 5.2 * -(-n // columns)), squeeze=False
    )
    for ax in axes.ravel():
        ax.axis("off")
    for ax, (title, image) in zip(axes.ravel(), images, strict=False):
        ax.imshow(np.clip(image, 0, 1), interpolation="nearest")
        ax.set_title(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()

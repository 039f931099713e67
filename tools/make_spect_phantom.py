"""Simulate SPECT or PET of invented organ activities in a real CT: images, their facts, the truth.

Usage: python tools/make_spect_phantom.py CT LABELS RECIPE --out DIR [--seed N]
CT and LABELS are NIfTI; RECIPE is a TOML like examples/lu177_dotatate.toml.

DIR gets spect_<hours>h.nii.gz [Bq/mL] with a sidecar each, truth.csv (time-integrated activity of
every region), truth_tia.nii.gz [MBq s per voxel of the CT], and organs.nii.gz with names.json: the
labels without body and couch, as `milligray nm-dose` takes them. An image is the true activity at
its time, blurred by a Gaussian, averaged over its voxels, with Poisson noise of the counts spread
as it is in a reconstruction (smoothed by half the resolution). Scatter, attenuation and motion are
taken as corrected.
"""

import argparse
import csv
import json
import tomllib
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from milligray.source.nuclide import load_nuclide

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
BODY_HU = -400.0
NO_ORGANS = ("body", "couch")


def shares(labels: np.ndarray, hu: np.ndarray, names: dict[str, int], recipe: dict) -> dict:
    """Share of every voxel in the activity of each region; the body without the others."""
    result = {}
    body = hu > BODY_HU
    for name in recipe["regions"]:
        mask = labels == names[name]
        if not mask.any():
            raise SystemExit(f"no voxel of {name} in the labels")
        body &= ~mask
        result[name] = mask / mask.sum()
    if "body" in recipe:
        result["body"] = body / body.sum()
    return result


def write_organs(labels: nib.Nifti1Image, names: dict[str, int], out: Path) -> None:
    """Labels of the organs alone, and their names."""
    values = np.asanyarray(labels.dataobj).copy()
    organs = {name: code for name, code in names.items() if not name.startswith(NO_ORGANS)}
    values[~np.isin(values, list(organs.values()))] = 0
    nib.save(nib.Nifti1Image(values.astype(np.uint8), labels.affine), out / "organs.nii.gz")
    table = {str(code): name for name, code in organs.items()}
    (out / "names.json").write_text(json.dumps(table, indent=1) + "\n")


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ct", "labels", "recipe"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--names", type=Path, help="JSON of label names (default: beside labels)")
    parser.add_argument("--case", help="key in that JSON, if it holds several")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    recipe = tomllib.loads(options.recipe.read_text())
    ct, labels = nib.load(options.ct), nib.load(options.labels)
    table = json.loads((options.names or options.labels.parent / "labels.json").read_text())
    table = table[options.case] if options.case else table
    entries = table.get("labels", table)
    names = {(v["name"] if isinstance(v, dict) else str(v)): int(k) for k, v in entries.items()}
    hu, lab = np.asanyarray(ct.dataobj), np.asanyarray(labels.dataobj)
    place = shares(lab, hu, names, recipe)
    nuclide = load_nuclide(recipe["nuclide"])
    given, image = recipe["administered_activity_mbq"], recipe["image"]
    options.out.mkdir(parents=True, exist_ok=True)
    write_organs(labels, names, options.out)
    spacing = np.array(ct.header.get_zooms()[:3], dtype=float)
    factor = spacing / image["voxel_mm"]
    rng = np.random.default_rng(options.seed)
    regions = {**recipe["regions"], **({"body": recipe["body"]} if "body" in recipe else {})}
    rates = {n: np.log(2.0) / (r["effective_half_life_h"] * 3600.0) for n, r in regions.items()}
    tia = sum(given * r["uptake"] / rates[n] * place[n] for n, r in regions.items())
    nib.save(nib.Nifti1Image(tia.astype(np.float32), ct.affine), options.out / "truth_tia.nii.gz")
    with (options.out / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["region", "tia_mbq_s", "uptake", "effective_half_life_h"])
        for n, r in regions.items():
            row = [n, f"{given * r['uptake'] / rates[n]:.6g}", r["uptake"]]
            writer.writerow([*row, r["effective_half_life_h"]])
    for hours in recipe["hours"]:
        activity = sum(
            given * r["uptake"] * np.exp(-rates[n] * hours * 3600.0) * place[n]
            for n, r in regions.items()
        )
        sigma = image["resolution_mm"] / FWHM_PER_SIGMA / spacing
        density = gaussian_filter(activity, sigma) / (spacing.prod() * 1e-3)
        coarse = np.maximum(zoom(density, factor, order=1, grid_mode=True, mode="nearest"), 0.0)
        step = spacing * np.array(hu.shape) / np.array(coarse.shape)
        volume = step.prod() * 1e-3
        counts = coarse * volume * image["sensitivity_cps_per_mbq"] * image["duration_s"]
        noise = rng.poisson(counts) - counts
        noise = gaussian_filter(noise, 0.5 * image["resolution_mm"] / FWHM_PER_SIGMA / step)
        seen = np.maximum(counts + noise, 0.0)
        seen *= counts.sum() / seen.sum()
        bq_ml = seen / counts.sum() * (coarse.sum() * volume) / volume * 1e6
        affine = ct.affine @ np.diag([*(step / spacing), 1.0])
        affine[:3, 3] = (ct.affine @ np.array([*(0.5 * step / spacing - 0.5), 1.0]))[:3]
        stem = f"spect_{hours:g}h"
        nib.save(nib.Nifti1Image(bq_ml.astype(np.float32), affine), options.out / f"{stem}.nii.gz")
        (options.out / f"{stem}.toml").write_text(
            f'nuclide = "{nuclide.name}"\nunits = "Bq/mL"\n'
            f"reference_s_after_administration = {hours * 3600.0:.1f}\n"
            f"administered_activity_mbq = {given}\n"
        )
        print(f"{stem}: {activity.sum():.1f} MBq, {counts.sum() / 1e6:.2f} M counts")


if __name__ == "__main__":
    main()

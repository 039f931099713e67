"""Measure the body outline and the tissue choice of mixed voxels on the real CTs of ../shared.

    python tools/measure_patient.py [SHARED_DATA_FOLDER]

Prints the figures of docs/methods/patient.md.
"""

import sys
from pathlib import Path

import numpy as np

from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.hu_calibration import HuCalibration, load_hu_calibration
from milligray.patient import find_body
from milligray.patient.blocks import block_tissues
from milligray.read.ct_nifti import read_ct_nifti
from milligray.read.labels import read_labels


def dice_of_body(data: Path) -> None:
    """Dice of find_body with the body masks that come with the CTs."""
    print("Body outline: Dice with the masks of the data")
    scores = []
    for path in sorted((data / "headneck").glob("*_ct.nii.gz")):
        labels = read_labels(Path(str(path).replace("_ct.", "_labels.")))
        scores.append((_dice(path, labels.volume.values > 0), path.name.split("_ct")[0]))
    values = np.array([s for s, _ in scores])
    print(
        f"  headneck, {values.size} patients: median {np.median(values):.4f},"
        f" 5th percentile {np.percentile(values, 5):.4f}, lowest {min(scores)}"
    )
    for case, labels_name in (
        ("ts_abdomen_30", "body"),
        ("ts_abdomen_pelvis", "body"),
        ("lu177_dotatate", "labels"),
    ):
        mask = read_labels(data / "torso" / f"{case}_{labels_name}.nii.gz").volume.values
        inside = (mask > 0) & (mask < 9)  # 9 is the couch of lu177_dotatate
        score = _dice(data / "torso" / f"{case}_ct.nii.gz", inside)
        print(f"  {case}: {score:.4f}")


def _dice(path: Path, reference: np.ndarray) -> float:
    body = find_body(read_ct_nifti(path).volume)
    return float(2 * np.sum(body & reference) / (body.sum() + reference.sum()))


def mixed_voxels(path: Path, factor: int) -> None:
    """Attenuation of block voxels against that of their CT voxels, for four rules."""
    ct = read_ct_nifti(path).volume
    curve = load_hu_calibration("schneider2000")
    body = find_body(ct)
    shape = tuple(n // factor for n in ct.grid.shape)
    hu = ct.values[: shape[0] * factor, : shape[1] * factor, : shape[2] * factor]
    inside = body[: hu.shape[0], : hu.shape[1], : hu.shape[2]]
    blocks = (shape[0], factor, shape[1], factor, shape[2], factor)

    def over(array: np.ndarray) -> np.ndarray:
        return array.reshape(blocks).mean(axis=(1, 3, 5))

    rho, row = curve.density_g_cm3(hu), curve.material_index(hu)
    density, nearest, _ = block_tissues(
        hu, inside, curve, shape=shape, block=(factor,) * 3, ct_offset=(0, 0, 0)
    )
    rules = {
        "bin of mean HU": curve.material_index(over(hu.astype(float))),
        "bin whose density is nearest": _bin_of_density(curve, over(rho)),
        "bin with most mass": _most_mass(row, rho, blocks, len(curve.materials)),
        "mu nearest at 60 keV (used)": nearest,
    }
    keep = over(inside.astype(float)) > 0.5
    spread = np.zeros(shape, dtype=int)
    for k in range(shape[0]):
        part = row[k * factor : (k + 1) * factor].reshape((1, factor, *blocks[2:]))
        spread[k] = (part.max(axis=(1, 3, 5)) - part.min(axis=(1, 3, 5)))[0]
    mixed = keep & (spread > 0)
    size = factor * np.array(ct.grid.spacing_mm)
    print(f"{path.name.split('_ct')[0]}, blocks of {size.round(1)} mm: {mixed.mean():.2f} mixed")
    for energy_kev in (30.0, 60.0, 100.0):
        mu = np.array([mu_rho_cm2_g(m, [energy_kev])[0] for m in curve.materials])
        truth = over(rho * mu[row])
        for name, index in rules.items():
            error = density * mu[index] - truth
            rms = np.sqrt(np.mean(error[mixed] ** 2) / np.mean(truth[mixed] ** 2))
            mean = error[mixed].mean() / truth[mixed].mean()
            print(f"  {energy_kev:5.0f} keV  {name:30s} rms {rms:7.3%}  mean {mean:+8.3%}")


def _bin_of_density(curve: HuCalibration, density: np.ndarray) -> np.ndarray:
    usual = np.array([m.reference_density_g_cm3 for m in curve.materials])
    return np.abs(density[..., None] - usual).argmin(axis=-1)


def _most_mass(row: np.ndarray, rho: np.ndarray, blocks: tuple[int, ...], n: int) -> np.ndarray:
    sums = [np.where(row == r, rho, 0).reshape(blocks).sum(axis=(1, 3, 5)) for r in range(n)]
    return np.argmax(sums, axis=0)


def main() -> None:
    """Print all figures."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    dice_of_body(data)
    for name, factor in (
        ("headneck/pt_100", 2),
        ("torso/ts_abdomen_pelvis", 2),
        ("torso/lidc_0314_chest", 2),
    ):
        mixed_voxels(data / f"{name}_ct.nii.gz", factor)


if __name__ == "__main__":
    main()

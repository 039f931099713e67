"""CT numbers of the tissue table beside labelled real CTs and Schneider's densities.

Usage: python tools/compare_tissue_hu.py ../shared/data

Medians are over the labels eroded by one voxel where that leaves 40 voxels or more. The Siemens
series is contrast-enhanced (late portal venous), lu177_dotatate a low-dose CT, ts_abdomen_pelvis
an unenhanced one of a man with fatty muscle; head and neck: medians over 72 patients, many of them
enhanced.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

import milligray as mg
from milligray.anatomy.tissue_appearance import load_tissue_appearances
from milligray.materials.hu_calibration import load_hu_calibration
from milligray.read import CtSeries, LabelMap

TISSUE_OF = {
    "spleen": "spleen", "kidney": "kidney", "liver": "liver", "pancreas": "pancreas",
    "adrenal": "adrenal", "gallbladder": "bile", "urinary_bladder": "urine",
    "prostate": "prostate", "small_bowel": "bowel_content", "stomach": "stomach_content",
    "aorta": "blood", "inferior_vena_cava": "blood", "iliac_artery": "blood",
    "iliac_vena": "blood", "portal_vein": "blood", "iliopsoas": "muscle", "autochthon": "muscle",
    "gluteus": "muscle", "skeletal_muscle": "muscle", "subcutaneous_fat": "fat",
    "torso_fat": "fat_visceral", "vertebrae": "spongiosa", "hip": "spongiosa",
    "costal_cartilages": "cartilage", "lung": "lung", "SpinalCord": "spinal_cord",
    "Brainstem": "brain", "RightParotid": "salivary_gland", "LeftParotid": "salivary_gland",
    "Esophagus": "esophagus",
}  # fmt: skip
LEAST_VOXELS = 40


def medians(ct: CtSeries, labels: LabelMap) -> dict[str, list[float]]:
    """Medians by tissue of the structures that are one."""
    found: dict[str, list[float]] = {}
    for value, name in labels.names.items():
        tissue = next((t for word, t in TISSUE_OF.items() if name.startswith(word)), None)
        if tissue is None:
            continue
        mask = labels.volume.values == value
        inner = ndimage.binary_erosion(mask)
        mask = inner if np.count_nonzero(inner) >= LEAST_VOXELS else mask
        found.setdefault(tissue, []).append(float(np.median(ct.volume.values[mask])))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    columns: dict[str, dict[str, list[float]]] = {}
    for case in ("ts_abdomen_pelvis", "lu177_dotatate"):
        ct = mg.read_ct_nifti(folder / f"torso/{case}_ct.nii.gz")
        columns[case] = medians(ct, mg.read_labels(folder / f"torso/{case}_labels.nii.gz"))
    ct = mg.read_ct_nifti(folder / "torso/ts_abdomen_30_ct.nii.gz")
    tissue_map = mg.read_labels(folder / "torso/ts_abdomen_30_tissue.nii.gz")
    for tissue, values in medians(ct, tissue_map).items():
        columns["ts_abdomen_pelvis"].setdefault(tissue, []).extend(values)
    columns["siemens"] = medians(
        mg.read_ct_series(folder / "dicom/siemens_biograph_ct"),
        mg.read_labels(folder / "dicom/siemens_biograph_ct_labels.nii.gz"),
    )
    head_neck: dict[str, list[float]] = {}
    for path in sorted((folder / "headneck").glob("pt_*_ct.nii.gz")):
        labels = mg.read_labels(path.with_name(path.name.replace("_ct", "_labels")))
        for tissue, values in medians(mg.read_ct_nifti(path), labels).items():
            head_neck.setdefault(tissue, []).append(float(np.mean(values)))
    columns["headneck"] = {t: [float(np.median(v))] for t, v in head_neck.items()}
    curve = load_hu_calibration("schneider2000", metal="bone")
    head = "".join(f"{name[:10]:>12s}" for name in columns)
    print(
        f"{'tissue':20s}{'ours':>7s}{'publ.':>7s}{'portal':>7s}{head}{'density':>9s}"
        f"{'Schneider':>10s}{'dev %':>7s}"
    )
    for row in load_tissue_appearances():
        cells = ""
        for column in columns.values():
            values = column.get(row.name, [])
            if not values:
                cells += f"{'':12s}"
            elif len(values) == 1:
                cells += f"{values[0]:12.0f}"
            else:
                cells += f"{min(values):7.0f}..{max(values):<3.0f}"
        density = float(curve.density_g_cm3(row.hu_120kv))
        portal = row.hu_120kv + row.enhancement_portal_hu
        deviation = 100 * (density / row.density_g_cm3 - 1)
        print(
            f"{row.name:20s}{row.hu_120kv:7.0f}{row.hu_published:7.0f}{portal:7.0f}{cells}"
            f"{row.density_g_cm3:9.3f}{density:10.3f}{deviation:+7.1f}"
        )


if __name__ == "__main__":
    main()

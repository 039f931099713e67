"""Measure how well `register_rigid` finds known displacements of a real torso.

    python tools/measure_registration.py [SHARED_DATA_FOLDER]

Prints the table of docs/how-to/read-a-pet-or-spect.md. CT and organs: lu177_dotatate (MIT, see
../shared/data/README.md). The CT is turned and moved by known amounts, with noise of 25 HU. The
SPECT images are made: invented uptake in its organs, another one for the second time, blurred to
12 mm, Poisson noise. The error is that of eight points 120 mm from the middle (80 mm along y).
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from milligray.read import read_ct_nifti, read_labels
from milligray.source.rigid_registration import register_rigid
from milligray.typing import FloatArray
from milligray.volume import Volume

CASES = (((2, -1, 3), (6, -4, 8)), ((5, 3, -6), (12, 10, -15)), ((8, -6, 10), (25, -20, 30)),
         ((0, 0, 0), (0, 0, 0)))  # fmt: skip
FIRST = {"liver": 0.3, "spleen": 1.0, "kidney_left": 0.9, "kidney_right": 0.9, "tumour_1": 3.0,
         "tumour_2": 2.0, "tumour_3": 2.0}  # fmt: skip
SECOND = {"liver": 0.12, "spleen": 0.5, "kidney_left": 0.3, "kidney_right": 0.3, "tumour_1": 2.5,
          "tumour_2": 1.5, "tumour_3": 1.2}  # fmt: skip
COUNTS = 60.0
FWHM_MM = 12.0


def displacement(
    angles_deg: tuple[int, ...], shift_mm: tuple[int, ...], center: FloatArray
) -> FloatArray:
    """Rotation about the middle by z, y, x angles, then a shift; fixed to moving."""
    a, b, c = np.deg2rad(angles_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = center - matrix[:3, :3] @ center + np.array(shift_mm)
    return matrix


def moved(volume: Volume, matrix: FloatArray, outside: float) -> FloatArray:
    """Values of the moving image: the fixed one displaced."""
    grid = volume.grid
    whole = np.linalg.inv(matrix) @ np.vstack([grid.affine[:3], [0, 0, 0, 1]])
    turn = np.linalg.inv(grid.affine[:3, :3]) @ whole[:3, :3]
    values = np.asarray(volume.values, dtype=np.float32)
    return ndimage.affine_transform(
        values, turn, grid.to_index_kji(whole[:3, 3]), order=1, cval=outside
    )


def main() -> None:
    """Print the table."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data") / "torso"
    ct = read_ct_nifti(data / "lu177_dotatate_ct.nii.gz").volume
    labels = read_labels(data / "lu177_dotatate_labels.nii.gz")
    grid, random = ct.grid, np.random.default_rng(1)
    center = grid.to_lps_mm(0.5 * (np.array(grid.shape) - 1.0))
    ends = np.array([[x, y, z] for x in (-120, 120) for y in (-80, 80) for z in (-120, 120)])
    sigma = FWHM_MM / 2.3548 / np.array(grid.spacing_mm)

    def spect(uptake: dict[str, float]) -> Volume:
        activity = np.where(ct.values > -400, 0.02, 0.0)
        for label, name in labels.names.items():
            activity[labels.volume.values == label] = uptake.get(name, 0.02)
        return Volume(grid=grid, values=ndimage.gaussian_filter(activity, sigma))

    def counted(values: FloatArray) -> Volume:
        counts = random.poisson(np.clip(values, 0.0, None) * COUNTS)
        return Volume(grid=grid, values=counts.astype(np.float32))

    print("| images | rotation x, y, z [deg] | shift [mm] | largest error [mm] | correlation |")
    print("|---|---|---|---|---|")
    for angles, shift in CASES:
        matrix = displacement(angles, shift, center)
        noisy = moved(ct, matrix, -1000.0) + random.normal(0.0, 25.0, grid.shape)
        pairs = {
            "CT, CT": (ct, Volume(grid=grid, values=noisy.astype(np.float32)), -1000.0),
            "SPECT, SPECT": (
                counted(spect(FIRST).values), counted(moved(spect(SECOND), matrix, 0.0)), 0.0,
            ),
        }  # fmt: skip
        for name, (fixed, moving, outside) in pairs.items():
            found = register_rigid(fixed, moving, fill=(outside, outside))
            points = center + ends
            wanted = points @ matrix[:3, :3].T + matrix[:3, 3]
            got = points @ found.matrix[:3, :3].T + found.matrix[:3, 3]
            worst = float(np.linalg.norm(got - wanted, axis=1).max())
            print(f"| {name} | {angles} | {shift} | {worst:.2f} | {found.correlation:.3f} |")


if __name__ == "__main__":
    main()

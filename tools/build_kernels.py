"""Compute the voxel kernels that ship: common nuclides, 3 mm and 4.42 mm, water and four tissues.

Usage: python tools/build_kernels.py [NUCLIDE ...] [--threads N]
About a minute a kernel on two cores; those that are there already are left alone.
"""

import argparse
from pathlib import Path

from milligray.source.nuclide import load_nuclide
from milligray.transport.kernels.kernel_store import kernel_key, write_kernel
from milligray.transport.kernels.make_kernel import compute_voxel_kernel
from milligray.transport.kernels.superposition import tissue_media, water_medium

TARGET = Path(__file__).parent.parent / "src" / "milligray" / "data" / "kernels"
NUCLIDES = (
    "F-18", "Lu-177", "I-131", "Y-90", "Ga-68", "Tc-99m", "In-111", "I-123", "Zr-89", "Cu-64",
    "Ho-166", "Re-188", "Sm-153", "I-124",
)  # fmt: skip
SPACINGS_MM = ((3.0, 3.0, 3.0), (4.42, 4.42, 4.42))
HISTORIES = 640_000


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nuclides", nargs="*", default=NUCLIDES)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    TARGET.mkdir(exist_ok=True)
    for name in options.nuclides:
        nuclide = load_nuclide(name)
        for spacing in SPACINGS_MM:
            for medium in (*water_medium(), *tissue_media()):
                key = kernel_key(nuclide, medium.material, spacing, medium.density_g_cm3)
                path = TARGET / f"{nuclide.name}-{key}.npz"
                if path.exists():
                    continue
                kernel = compute_voxel_kernel(
                    nuclide, medium.material, spacing, density_g_cm3=medium.density_g_cm3,
                    histories=HISTORIES, threads=options.threads,
                )  # fmt: skip
                write_kernel(kernel, path)
                print(
                    f"{name} {spacing[0]:g} mm {medium.name}: self"
                    f" {kernel.s_value_self_mgy_per_mbq_s:.4g} mGy/(MBq s),"
                    f" k=1 {100 * kernel.relative_uncertainty:.2f} %"
                )


if __name__ == "__main__":
    main()

"""Write S-values of voxels in soft tissue, lung and bone (docs/validation/svalues_media.csv).

Usage: python tools/write_s_values_of_media.py [--share 1.0] [--threads N] [MEDIUM ...]
The geometry of `milligray validate svalues`; a share of its histories.
"""

import argparse
import csv
from pathlib import Path

from milligray.validate.svalues import EFFORTS, medium_s_values
from milligray.validate.voxel_s_values import QUANTITIES

TARGET = Path(__file__).parent.parent / "docs" / "validation" / "svalues_media.csv"


def main() -> None:
    """Compute and write, a medium and a source at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", nargs="*", default=["LUNG", "BONE", "SOFT"])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with TARGET.open("w", newline="") as file:
        file.write(
            f"# voxels of 3 mm, ICRU 44 tissues (lung 0.26, bone 1.85, soft 1.06 g/cm3), parent"
            f" nuclide only; Gy per decay (whole: MeV); share of the histories {options.share:g}\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["medium", "source", "quantity", "value", "sigma_percent"])
        for medium in options.media:
            for name in EFFORTS:
                values = medium_s_values(name, medium, share=options.share, threads=options.threads)
                for quantity in QUANTITIES:
                    v = values[quantity]
                    sigma = 100.0 * v.sigma / v.value if v.value > 0 else 0.0
                    writer.writerow([medium, name, quantity, f"{v.value:.5g}", f"{sigma:.2f}"])
                file.flush()
                print(medium, name, flush=True)


if __name__ == "__main__":
    main()

"""Do S-values of voxels depend on the step of electrons? Default against finer steps.

Usage: python tools/compare_step_sizes.py [--histories N]
"""

import argparse

from milligray.materials import charged_tables
from milligray.validate.voxel_s_values import QUANTITIES, source_of, voxel_s_values

CASES = (("Y-90", "SOFT"), ("Y-90", "LUNG"), ("Lu-177", "BONE"), ("F-18", "LUNG"))
FINE = {"ELASTIC_SHARE": 0.04, "LOSS_SHARE": 0.04, "COLLISION_CUTOFF_KEV": 10.0}


def main() -> None:
    """Print both, and the difference with its standard uncertainty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_500_000)
    histories = parser.parse_args().histories
    default = {name: getattr(charged_tables, name) for name in FINE}
    for name, medium in CASES:
        results = []
        for settings in (default, FINE):
            for key, value in settings.items():
                setattr(charged_tables, key, value)
            charged_tables._material_values.cache_clear()
            results.append(
                voxel_s_values(
                    source_of(name), medium, electrons="all", histories=histories, photon_share=0.1
                )
            )
        for quantity in QUANTITIES[:6]:
            a, b = (r[quantity] for r in results)
            sigma = 100.0 * (a.sigma**2 + b.sigma**2) ** 0.5 / a.value
            change = 100.0 * (b.value / a.value - 1.0)
            print(f"{name} {medium} {quantity}: {change:+.2f} % (k=1 {sigma:.2f} %)", flush=True)


if __name__ == "__main__":
    main()

"""Energy that a narrow beam leaves near its plane, in long water cylinders.

    python tools/measure_scatter_tails.py

prints, for each diameter, the share of the energy within so many millimeters of the plane of the
tube, in all of the cylinder and around its axis: what slabs of source positions hold.
"""

import numpy as np

from milligray.learn.inputs.slab import slab_grid, water_cylinder_on
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons

SIZE_MM, PLANES, ACROSS = 5.0, 121, 72
HALVES = (8, 12, 16, 20, 28, 40)


def main() -> None:
    """Transport and print."""
    grid = slab_grid((PLANES, ACROSS, ACROSS), SIZE_MM, (0.0, 0.0), 0.0)
    field = open_fan(
        focal_radius_mm=595.0, width_mm=500.0, height_mm=38.4,
        spectrum=Spectrum.monoenergetic(63.3),
    )  # fmt: skip
    source = CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.array([[0.0, 0.0]]),
        z_weights=np.ones(1), rotations=1.0, feed_mm=30.0, collimation_mm=38.4,
        start_angle_rad=0.0, mode="helical",
    )  # fmt: skip
    middle, axis = PLANES // 2, slice(ACROSS // 2 - 4, ACROSS // 2 + 4)
    for diameter in (160.0, 240.0, 320.0):
        cylinder = water_cylinder_on(grid, (0.0, 0.0), diameter)
        deposit = transport_photons(cylinder, source, histories=2_000_000, seed=1, threads=1)
        energy = np.where(cylinder.density_g_cm3 > 0.5, deposit.energy_kev, 0.0)
        for name, part in (("all", energy), ("axis", energy[:, axis, axis])):
            profile = part.sum(axis=(1, 2))
            shares = [profile[middle - n : middle + n + 1].sum() / profile.sum() for n in HALVES]
            text = ", ".join(
                f"{(n + 0.5) * SIZE_MM:g} mm {share:.3f}"
                for n, share in zip(HALVES, shares, strict=True)
            )
            print(f"{diameter:g} mm, {name}: {text}")


if __name__ == "__main__":
    main()

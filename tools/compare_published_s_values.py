"""S-values of voxels and spheres beside published ones, as tables for docs/validation/svalues.md.

Usage: python tools/compare_published_s_values.py [--histories N]

Voxels: Bolch et al., MIRD Pamphlet No. 17, J Nucl Med 40 (1999) 11S-36S, source voxel and (5, 5, 5)
of 3 and 6 mm, as quoted in a public test of another code (J. Mikell, resample_radial_DPK_to_VSV),
which gives the Y-90 value of the Dose Planning Method too; the printed pamphlet was not at hand.
Spheres of unit density: Tb-152, table 3 of the article PMC6560118 (PubMed Central), by OLINDA 2 and
by its authors' ellipsoidal model.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import scipy.sparse

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.score.sphere_s_values import absorbed_energies_kev
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import load_nuclide
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.volume import Grid

TARGET = Path(__file__).parent.parent / "docs" / "validation"
DENSITY_G_CM3 = 1.04
VOXELS = {  # nuclide: (spacing mm, self, (5, 5, 5)) [mGy/(MBq s)]
    "Y-90": ((3.0, 1.61, 6.31e-7), (6.0, 0.346, 1.39e-7)),
    "I-131": ((3.0, 0.92, 2.63e-5), (6.0, 0.129, 6.1e-6)),
    "Tc-99m": ((3.0, 0.0902, 9.12e-6), (6.0, 0.012, 2.33e-6)),
    "P-32": ((3.0, 1.65, 4.16e-7), (6.0, 0.319, 7.16e-8)),
    "Sr-89": ((3.0, 1.55, 3.15e-7), (6.0, 0.285, 4.94e-8)),
}
TERBIUM = {  # mass g: OLINDA 2, ellipsoidal model [mGy/(MBq h)]
    0.1: (678.0, 752.0), 0.5: (184.0, 204.0), 1.0: (111.0, 114.0), 2.0: (60.9, 62.5),
    4.0: (33.0, 34.0), 6.0: (23.0, 23.7), 8.0: (17.8, 18.4), 10.0: (14.6, 15.1),
}  # fmt: skip
SECONDS_PER_HOUR = 3600.0
DECAYS_PER_MBQ_S = 1e6
SIZE = 81


def voxel_rows(histories: int) -> list[tuple[str, str, float, float, float]]:
    """Quantity, source, ours, our relative uncertainty, published."""
    soft = load_material("soft_tissue")
    rows = []
    for name, entries in VOXELS.items():
        for spacing, itself, diagonal in entries:
            grid = Grid.from_spacing((SIZE,) * 3, (spacing,) * 3)
            box = Patient(
                grid=grid, density_g_cm3=np.full(grid.shape, DENSITY_G_CM3),
                material_index=np.zeros(grid.shape, dtype=np.uint8), materials=(soft,),
                body=np.ones(grid.shape, dtype=bool),
            )  # fmt: skip
            away = np.abs(np.indices(grid.shape) - SIZE // 2)
            mass = box.mass_g.astype(np.float64)
            chosen = [np.all(away == n, axis=0) for n in (0, 5)]
            weights = scipy.sparse.csr_matrix(np.array([(c * mass).ravel() for c in chosen]))
            total = np.asarray(weights.sum(axis=1)).ravel()
            regions = OrganMassWeights(
                names=("self", "555"), weights_g=weights, mass_g=total, volume_ml=total
            )
            source = DecaySource(
                nuclide=load_nuclide(name, progeny=False), grid=grid, photon_share=0.6,
                decays=chosen[0].astype(np.float64),
            )  # fmt: skip
            deposit = transport_decays(
                box, source, electrons="primaries", histories=histories, organs=regions
            )
            mean, relative = batch_statistics(deposit.organ_batches_kev_g)
            mean = mean * MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S
            for i, (label, published) in enumerate((("self", itself), ("(5, 5, 5)", diagonal))):
                text = f"{name}, {spacing:g} mm, {label}"
                rows.append((text, "MIRD 17", float(mean[i]), float(relative[i]), published))
    return rows


def sphere_rows(histories: int) -> list[tuple[str, str, float, float, float]]:
    """The same of spheres of unit density."""
    masses = np.array(list(TERBIUM))
    energy, sigma = absorbed_energies_kev(
        load_nuclide("Tb-152", progeny=False), load_material("soft_tissue"), masses,
        density_g_cm3=1.0, histories=histories,
    )  # fmt: skip
    scale = MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S * SECONDS_PER_HOUR / masses
    rows = []
    for i, (mass, (olinda, model)) in enumerate(TERBIUM.items()):
        ours, relative = float(energy[i] * scale[i]), float(sigma[i] / energy[i])
        rows.append((f"Tb-152, sphere {mass:g} g", "OLINDA 2", ours, relative, olinda))
        rows.append((f"Tb-152, sphere {mass:g} g", "ellipsoidal model", ours, relative, model))
    return rows


def main() -> None:
    """Compute, print, write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=400_000)
    histories = parser.parse_args().histories
    with (TARGET / "svalues_published.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["quantity", "source", "ours", "ours_percent", "published", "deviation"])
        for rows in (voxel_rows(histories), sphere_rows(histories)):
            for quantity, source, ours, relative, published in rows:
                line = [quantity, source, f"{ours:.4g}", f"{100 * relative:.2f}",
                        f"{published:.4g}", f"{100 * (ours / published - 1):+.1f}"]  # fmt: skip
                writer.writerow(line)
                print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()

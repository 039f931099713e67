"""`milligray validate egsnrc`: depth doses in water against EGSnrc runs."""

from collections.abc import Callable

import numpy as np
import scipy.sparse

from milligray.constants import JOULE_PER_KEV
from milligray.data import load_csv, load_json
from milligray.materials.material import Material
from milligray.patient.patient import Patient
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.regions import transport_to_regions
from milligray.typing import FloatArray
from milligray.validate.rows import ValidationRow
from milligray.volume import Grid

DEPTHS_CM = (0.25, 2.25, 5.25, 10.25, 15.25, 20.25, 25.25)
TOLERANCE_PERCENT = 1.0
COMPTON_MODEL_PER_CM = {30.0: 0.0042 * 0.376, 60.0: 0.0019 * 0.206, 100.0: 0.0005 * 0.171}
"""Difference in the attenuation of water [1/cm] between EGSnrc's impulse approximation and the
scattering functions of XCOM that are used here, by ``tools/compare_compton_models.py``. It acts on
the dose at depth like ``exp(difference x depth)`` and is no error of either code."""
MAX_REFERENCE_PERCENT = 0.5
"""Reference values that are less certain are left out."""
N = 60
MEV = ("slab", "whole")
OUTSIDE_VOXELS = slice(11, 21)
"""Voxels 5.5 to 10.5 cm from the axis, counted from it."""
GRAM_PER_KG = 1000.0


def water_box_and_beam(energy_kev: float) -> tuple[Patient, FieldBeam]:
    """Water 30 x 30 x 30 cm3 in voxels of 5 mm, parallel 10 x 10 cm2 beam along +z."""
    water = load_json("nist/materials.json")["water"]
    grid = Grid.from_spacing((N, N, N), (5.0, 5.0, 5.0))
    patient = Patient(
        grid=grid, density_g_cm3=np.ones(grid.shape),
        material_index=np.zeros(grid.shape, dtype=np.uint8),
        materials=(Material(name="water", mass_fractions=water["mass_fractions"]),),
        body=np.ones(grid.shape, dtype=bool),
    )  # fmt: skip
    beam = FieldBeam(
        field_center_lps_mm=(0.0, 0.0, -150.0), field_axes=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        field_size_mm=(100.0, 100.0), spectrum=Spectrum.monoenergetic(energy_kev),
    )  # fmt: skip
    return patient, beam


def egsnrc_rows(
    *,
    quick: bool = False,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ValidationRow]:
    """Central-axis dose and energy per slab, 30, 60 and 100 keV."""
    tell = progress or (lambda _: None)
    table = load_csv("egsnrc/water_depth.csv")
    rows = []
    for energy in ("60",) if quick else ("30", "60", "100"):
        tell(f"EGSnrc water {energy} keV")
        entries = [
            r for r in table
            if r["energy_kev"] == energy and float(r["sigma_percent"]) <= MAX_REFERENCE_PERCENT
            and (r["quantity"] in ("whole", "outside") or float(r["depth_cm"]) in DEPTHS_CM)
        ]  # fmt: skip
        patient, beam = water_box_and_beam(float(energy))
        scores = [_region(r["quantity"], r["depth_cm"]) for r in entries]
        membership = scipy.sparse.vstack(
            [scipy.sparse.csr_matrix(share.reshape(1, -1)) for share, _ in scores]
        ).tocsr()
        result = transport_to_regions(
            patient, beam, membership, precision=0.01 if quick else 0.0025, seed=60,
            max_histories=10**7 if quick else 4 * 10**8, threads=threads,
        )  # fmt: skip
        for i, (row, (_, factor)) in enumerate(zip(entries, scores, strict=True)):
            ours = float(result.energy_kev[i]) * factor
            reference = float(row["value"])
            depth = f" {float(row['depth_cm']):g} cm" if row["depth_cm"] else ""
            rows.append(
                ValidationRow(
                    case="egsnrc water", entry=f"{energy} keV {row['quantity']}{depth}", ours=ours,
                    ours_sigma=ours * float(result.relative_uncertainty[i]), reference=reference,
                    reference_sigma=reference * float(row["sigma_percent"]) / 100.0,
                    tolerance_percent=_tolerance_percent(float(energy), row["depth_cm"]),
                    unit="MeV per photon" if row["quantity"] in MEV else "Gy per photon",
                )
            )  # fmt: skip
    return rows


def _tolerance_percent(energy_kev: float, depth_cm: str) -> float:
    depth = float(depth_cm) if depth_cm else 0.0
    return TOLERANCE_PERCENT + 100.0 * COMPTON_MODEL_PER_CM[energy_kev] * depth


def _region(quantity: str, depth_cm: str) -> tuple[FloatArray, float]:
    """Voxel shares of a region, and the factor from keV to the unit of the reference."""
    share = np.zeros((N, N, N))
    if quantity == "whole":
        share[:] = 1.0
        return share, 1e-3
    k = round((float(depth_cm) - 0.25) / 0.5)
    if quantity == "slab":
        share[k] = 1.0
        return share, 1e-3
    if quantity == "outside":
        # two slices about 10 cm, |other coordinate| < 1 cm, four sides
        plus = slice(30 + OUTSIDE_VOXELS.start, 30 + OUTSIDE_VOXELS.stop)
        minus = slice(30 - OUTSIDE_VOXELS.stop, 30 - OUTSIDE_VOXELS.start)
        for side in (plus, minus):
            share[19:21, 28:32, side] = 1.0
            share[19:21, side, 28:32] = 1.0
    else:
        share[k, 28:32, 28:32] = 1.0
    mass_kg = float(share.sum()) * 0.125 / GRAM_PER_KG
    return share, JOULE_PER_KEV / mass_kg

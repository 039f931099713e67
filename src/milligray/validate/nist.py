"""`milligray validate nist`: mass attenuation and energy-absorption coefficients."""

import numpy as np

from milligray.data import load_csv, load_json
from milligray.materials.cross_sections import mu_en_rho_cm2_g, mu_rho_cm2_g
from milligray.materials.material import Material
from milligray.validate.rows import ValidationRow

TOLERANCE_PERCENT = 0.5
REFERENCE_PERCENT = 0.02
"""Rounding of the four published digits; NIST gives no uncertainty beyond 1-2 % of the data."""


def nist_rows() -> list[ValidationRow]:
    """All materials of the shipped NIST tables, 10-1000 keV.

    References
    ----------
    Hubbell JH, Seltzer SM, NISTIR 5632 (1995), version 1.4.
    """
    rows = []
    table = load_csv("nist/coefficients.csv")
    for name, entry in load_json("nist/materials.json").items():
        material = Material(name=name, mass_fractions=entry["mass_fractions"])
        part = [r for r in table if r["material"] == name]
        energy = np.array([float(r["energy_kev"]) for r in part])
        for column, ours in (
            ("mu_rho_cm2_g", mu_rho_cm2_g(material, energy)),
            ("mu_en_rho_cm2_g", mu_en_rho_cm2_g(material, energy)),
        ):
            for row, value in zip(part, ours, strict=True):
                reference = float(row[column])
                rows.append(
                    ValidationRow(
                        case=f"nist {column.removesuffix('_cm2_g')}",
                        entry=f"{name} {float(row['energy_kev']):g} keV",
                        ours=float(value), ours_sigma=0.0, reference=reference,
                        reference_sigma=reference * REFERENCE_PERCENT / 100.0,
                        tolerance_percent=TOLERANCE_PERCENT, unit="cm2/g",
                    )
                )  # fmt: skip
    return rows

"""`milligray validate tg195`: our engine beside the four codes of AAPM TG-195.

Cases 2, 4.1, 4.2 and 5 are simulated; case 1 (half-value layers) is the exact attenuation of the
primary beam with our coefficients, since scatter into a disc of 1 cm at 90 cm is negligible.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from milligray.constants import AIR_DENSITY_G_CM3
from milligray.data import load_csv
from milligray.errors import FormatError
from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.material import Material
from milligray.transport.monte_carlo.regions import transport_to_regions
from milligray.typing import FloatArray, LabelArray
from milligray.validate.rows import ValidationRow
from milligray.validate.tg195_cases import (
    Case,
    case_2,
    case_4_1,
    case_4_2,
    case_5,
    tg195_material,
    tg195_spectrum,
)

BEAMS = ("56.4 keV", "120 kVp")
TOLERANCE_PERCENT = 2.0
CASE_1_TOLERANCE_PERCENT = 0.5
MIN_ENERGY_FRACTION = 1e-3
"""Entries with less of the energy deposited in the phantom are shown but not judged by 2 %."""
SMALL_ENTRY_TOLERANCE_PERCENT = 5.0
ALUMINUM = Material(name="aluminum", mass_fractions={"Al": 1.0}, reference_density_g_cm3=2.699)


def reference_results() -> dict[tuple[str, str], tuple[float, float]]:
    """Published mean and standard deviation over the codes, by (case, path)."""
    return {
        (r["case"], r["path"]): (float(r["mean"]), float(r["mean"]) * float(r["sd_percent"]) / 100)
        for r in load_csv("tg195/results.csv")
    }


def read_case5_phantom(path: Path) -> LabelArray:
    """Labels of the case 5 torso, array [z, y, x], from its NIfTI file (first index fastest)."""
    import nibabel  # noqa: PLC0415 - only here

    try:
        labels = np.asarray(nibabel.load(path).dataobj)  # type: ignore[attr-defined]
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise FormatError(f"cannot read the case 5 phantom {path.name}: {error}") from error
    return np.ascontiguousarray(labels.transpose(2, 1, 0).astype(np.uint8))


def case_1_rows() -> Iterator[ValidationRow]:
    """Air kerma behind no filter, a half- and a quarter-value layer."""
    thickness_cm = {
        "30 keV": (0.0, 0.2273, 0.4546), "100 keV": (0.0, 1.511, 3.022),
        "30 kVp": (0.0, 0.03431, 0.07663), "100 kVp": (0.0, 0.3950, 0.9840),
    }  # fmt: skip
    air = tg195_material("air")
    air_table = load_csv("tg195/air_mu_en.csv")
    grid = np.array([float(r["energy_kev"]) for r in air_table])
    mu_en = np.array([float(r["mu_en_rho_cm2_g"]) for r in air_table])
    # one photon per history into a disc of radius 0.5 cm, fluence per mm2 as the report has it
    disc_mm2 = np.pi * 5.0**2
    reference = reference_results()
    for beam, layers in thickness_cm.items():
        spectrum = tg195_spectrum(beam)
        energy = spectrum.centers_kev
        bin_energy = energy - 0.25 if beam.endswith("keV") else energy
        coefficient = np.interp(bin_energy, grid, mu_en)
        for name, layer in zip(("NoneFilter", "HVLFilter", "QVLFilter"), layers, strict=True):
            depth = mu_rho_cm2_g(air, energy) * AIR_DENSITY_G_CM3 * (100.0 - layer)
            depth += mu_rho_cm2_g(ALUMINUM, energy) * 2.699 * layer
            kerma = bin_energy * coefficient * spectrum.weights * np.exp(-depth) / disc_mm2
            mean, sd = reference["1", f"{beam}|{name}"]
            yield ValidationRow(
                case="tg195 1", entry=f"{beam} {name}", ours=float(kerma.sum()), ours_sigma=0.0,
                reference=mean, reference_sigma=sd, tolerance_percent=CASE_1_TOLERANCE_PERCENT,
                unit="keV cm2/g per mm2",
            )  # fmt: skip


def run_case(
    case: Case, *, precision: float, max_histories: int, seed: int = 195, threads: int | None = None
) -> list[ValidationRow]:
    """Simulate one case and compare each of its entries."""
    reference = reference_results()

    def important(mean: FloatArray) -> np.ndarray:
        # rods and cubes lie inside the phantom; slices and organs are parts of it
        whole = mean[0] if case.name.startswith("2") else mean.sum()
        if case.name.startswith("4"):
            return np.ones(mean.size, dtype=bool)
        return np.asarray(mean >= MIN_ENERGY_FRACTION * whole)

    result = transport_to_regions(
        case.patient, case.beam, case.membership, precision=precision, judged=important,
        max_histories=max_histories, seed=seed, ambient="air", threads=threads,
    )  # fmt: skip
    judged = important(result.energy_kev)
    rows = []
    for i, keys in enumerate(case.entries):
        ours = 1000.0 * float(result.energy_kev[i])
        for key in keys:
            mean, sd = reference[key]
            rows.append(
                ValidationRow(
                    case=f"tg195 {key[0]}", entry=key[1].replace("|", " "), ours=ours,
                    ours_sigma=ours * float(result.relative_uncertainty[i]), reference=mean,
                    reference_sigma=sd, unit="eV per photon",
                    tolerance_percent=(
                        TOLERANCE_PERCENT if judged[i] else SMALL_ENTRY_TOLERANCE_PERCENT
                    ),
                )
            )  # fmt: skip
    return rows


def tg195_rows(
    *,
    phantom: LabelArray | None,
    quick: bool = False,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ValidationRow]:
    """All comparisons with TG-195.

    Parameters
    ----------
    phantom : ndarray, shape (260, 320, 500), optional
        Labels of the case 5 torso; None: case 5 is left out.
    quick : bool
        A part of the runs, at reduced statistics, in about two minutes.
    """
    tell = progress or (lambda _: None)
    rows = list(case_1_rows())
    for make, max_millions in _runs(phantom, quick=quick):
        case = make()
        tell(f"TG-195 case {case.name}")
        rows += run_case(
            case, precision=0.01 if quick else 0.0028, max_histories=max_millions * 10**6,
            threads=threads,
        )  # fmt: skip
    return rows


def _runs(phantom: LabelArray | None, *, quick: bool) -> Iterator[tuple[Callable[[], Case], int]]:
    """Makers of the cases, and the most histories to spend on each [million]."""
    for beam in BEAMS[1:] if quick else BEAMS:
        for mode in ("radiography", "tomosynthesis"):
            yield partial(case_2, beam, mode), 30 if quick else 400
        for collimation in ("10 mm",) if quick else ("10 mm", "80 mm"):
            yield partial(case_4_1, beam, collimation), 6 if quick else 60
            yield partial(case_4_2, beam, collimation), 6 if quick else 100
        if phantom is not None:
            for angle in (0, 90) if quick else range(0, 360, 45):
                yield partial(case_5, beam, angle, phantom), 3 if quick else 60

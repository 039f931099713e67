"""`milligray validate svalues`: S-values of voxels against EGSnrc, and energy conservation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from milligray.data import load_csv, load_json
from milligray.errors import InputError
from milligray.source.decay_source import ANNIHILATION_KEV, DecaySource
from milligray.source.nuclide import Nuclide
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.transport.monte_carlo.goal import batch_statistics
from milligray.validate.rows import MAX_SIGMA_PERCENT, ValidationRow
from milligray.validate.voxel_s_values import (
    QUANTITIES,
    VoxelSValue,
    source_of,
    uniform_box,
    voxel_s_values,
    whole_of,
)

TOLERANCE_PERCENT = 3.0
CONSERVATION_TOLERANCE_PERCENT = 0.1
MAX_REFERENCE_PERCENT = 3.0
"""Reference values that are less certain are left out: Y-90 beyond three voxels."""
QUICK_SHARE = 0.05
DENSE_G_CM3 = 15.0
"""Of a box of 19 cm that no photon leaves: 140 g/cm2 from its center to a face."""
NEIGHBORS = ("self", "d1", "d1_edge12", "whole_MeV")
REACHED: dict[str, dict[str, tuple[str, ...]]] = {
    "SOFT": {"Y-90": ("d2", "d3", "d4")},
    "BONE": {"Y-90": ("d2", "d3")},
    "LUNG": {
        "F-18": ("d2",), "Lu-177": ("d2",), "I-131": ("d2", "d3"),
        "Y-90": ("d2", "d3", "d4", "d5", "d7", "d10"),
    },
}  # fmt: skip
"""Voxels beside `NEIGHBORS` that charged particles of the source reach in number; the few that go
farther are followed in the other run too."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Histories of the run near the source, mostly charged particles, and of the one far off."""

    near: int
    far: int


EFFORTS = {
    "511": Effort(4_000_000, 24_000_000), "F-18": Effort(1_500_000, 2_000_000),
    "Lu-177": Effort(6_000_000, 30_000_000), "I-131": Effort(4_000_000, 20_000_000),
    "Y-90": Effort(4_000_000, 0),
}  # fmt: skip
CONSERVATION_HISTORIES = 6_000_000


def s_value_rows(
    *,
    quick: bool = False,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[ValidationRow]:
    """Voxels of 3 mm in soft tissue against EGSnrc, then what a box keeps of the energy.

    Where charged particles of the source come the reference is the energy that EGSnrc deposits, and
    ours has all electrons transported; beyond, it is the collision kerma of the photons by track
    length, on both sides. Rows "per energy" divide each side by its own mean energy of charged
    particles per decay: what is left is transport.
    """
    tell = progress or (lambda _: None)
    share = QUICK_SHARE if quick else 1.0
    rows = []
    table = load_csv("egsnrc/svalues_soft_tissue.csv")
    for name, electrons in dict.fromkeys((r["source"], r["electrons"]) for r in table):
        tell(f"EGSnrc S-values {name} {electrons}")
        entries = [r for r in table if (r["source"], r["electrons"]) == (name, electrons)]
        if electrons == "kerma":
            ours = far_values(name, "SOFT", share=share, threads=threads)
        else:
            ours = medium_s_values(name, "SOFT", share=share, threads=threads)
        plain = list(_compared(f"S-value {name} {electrons}", entries, ours, 1.0))
        rows += plain
        charged = float(entries[0]["charged_mev"])
        if charged > 0:
            near = [e for e in entries if e["reference"] == "analog"]
            near = [e for e in near if e["quantity"] != "whole_MeV"]
            factor = 1e3 * charged / charged_kev_per_decay(source_of(name))
            rows += list(_compared(f"S-value {name} per energy", near, ours, factor))
    for name in EFFORTS:
        tell(f"energy conservation {name}")
        rows.append(conservation_row(name, quick=quick, threads=threads))
    return rows


def charged_kev_per_decay(nuclide: Nuclide) -> float:
    """Kinetic energy of electrons and positrons per decay [keV]."""
    return nuclide.energy_per_decay_kev("electron") + nuclide.energy_per_decay_kev("positron")


def medium_s_values(
    name: str, medium: str, *, share: float = 1.0, threads: int | None = None
) -> dict[str, VoxelSValue]:
    """S-values of a source in a medium: near it with all electrons, farther off collision kerma."""
    if medium not in load_json("egsnrc/materials.json"):
        raise InputError(f"medium must be SOFT, LUNG or BONE, got {medium!r}")
    near = voxel_s_values(
        source_of(name), medium, electrons="all", threads=threads,
        histories=round(EFFORTS[name].near * share), photon_share=0.15,
    )  # fmt: skip
    reached = (*NEIGHBORS, *REACHED[medium].get(name, ()))
    if not EFFORTS[name].far:
        return near
    far = far_values(name, medium, share=share, threads=threads)
    return {q: near[q] if q in reached else far[q] for q in QUANTITIES}


def far_values(
    name: str, medium: str, *, share: float = 1.0, threads: int | None = None
) -> dict[str, VoxelSValue]:
    """The same with the electrons of photons deposited where they are set free."""
    return voxel_s_values(
        source_of(name), medium, electrons="primaries", threads=threads, seed=2,
        histories=round(EFFORTS[name].far * share), photon_share=0.95, annihilation_copies=8,
    )  # fmt: skip


def _compared(
    case: str, entries: list[dict[str, str]], ours: dict[str, VoxelSValue], factor: float
) -> Iterator[ValidationRow]:
    for entry in entries:
        column = entry["reference"]
        percent = float(entry[f"{column}_sigma_percent"])
        if percent > MAX_REFERENCE_PERCENT:
            continue
        reference, own = float(entry[column]), ours[entry["quantity"]]
        is_widened_by_rows = 100.0 * own.sigma > MAX_SIGMA_PERCENT * own.value
        widened = percent > MAX_SIGMA_PERCENT and not is_widened_by_rows
        yield ValidationRow(
            case=case, entry=f"{entry['quantity']} {column}", ours=own.value * factor,
            ours_sigma=own.sigma * factor, reference=reference,
            reference_sigma=reference * percent / 100.0,
            tolerance_percent=TOLERANCE_PERCENT + (3.0 * percent if widened else 0.0),
            unit="MeV per decay" if entry["quantity"] == "whole_MeV" else "Gy per decay",
        )  # fmt: skip


def conservation_row(
    name: str, *, quick: bool = False, threads: int | None = None
) -> ValidationRow:
    """All energy of a decay, annihilation included, stays in a box that is thick enough."""
    nuclide = source_of(name)
    box = uniform_box("SOFT")
    dense = replace(box, density_g_cm3=np.full(box.grid.shape, DENSE_G_CM3))
    source = DecaySource(nuclide=nuclide, center_lps_mm=(1.0, 1.0, 1.0), radius_mm=0.0)
    deposit = transport_decays(
        dense, source, electrons="all", threads=threads, organs=whole_of(dense),
        histories=round(CONSERVATION_HISTORIES * (QUICK_SHARE if quick else 1.0)),
    )  # fmt: skip
    mean, relative = batch_statistics(deposit.organ_batches_kev_g)
    energy = float(mean[0] * deposit.organ_mass_g[0])
    positrons = nuclide.lines("positron")
    emitted = nuclide.energy_per_decay_kev()
    if positrons is not None:
        emitted += ANNIHILATION_KEV * positrons.total_yield
    return ValidationRow(
        case="energy conservation", entry=f"{name}, box of 140 g/cm2", ours=energy,
        ours_sigma=energy * float(relative[0]), reference=emitted, reference_sigma=0.0,
        tolerance_percent=CONSERVATION_TOLERANCE_PERCENT, unit="keV per decay",
    )  # fmt: skip

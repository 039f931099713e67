"""S-values of the reference persons, by the project's own Monte Carlo in its own anatomies.

The anatomies are those of `milligray.anatomy` grown to the organ masses of ICRP Publication 145:
masses are the reference ones, places and shapes of organs are not those of the ICRP's phantoms.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.sparse

from milligray.constants import MGY_PER_KEV_PER_G
from milligray.errors import FormatError, InputError
from milligray.patient.build import build_patient
from milligray.patient.patient import Patient
from milligray.score.organ_level_mird import REMAINDER
from milligray.score.organ_s_values import DECAYS_PER_MBQ_S, DEFAULT_HISTORIES, organ_s_values
from milligray.score.s_values import SValueTable
from milligray.segment.mass_weights import OrganMassWeights, organ_mass_weights
from milligray.segment.segment import segment_organs
from milligray.source.nuclide import Nuclide
from milligray.transport.local_deposition import local_kev_per_decay

ReferencePerson = Literal["reference-male", "reference-female"]
REFERENCE_PERSONS: tuple[ReferencePerson, ...] = ("reference-male", "reference-female")
ANATOMY_MM = 4.0
MAIN_SOURCES = (
    "brain", "salivary_glands", "thyroid_gland", "lungs", "heart", "liver", "spleen", "kidneys",
    "pancreas", "adrenal_glands", "stomach", "small_bowel", "colon", "urinary_bladder",
    "whole_body",
)  # fmt: skip
WHOLE_BODY = "whole_body"
GROUPS = {
    "salivary_glands": ("parotid_gland", "submandibular_gland", "sublingual_gland"),
    "lungs": ("lung_",), "heart": ("heart_",), "kidneys": ("kidney_",),
    "adrenal_glands": ("adrenal_gland_",),
}  # fmt: skip
"""Sources of several organs, by the beginnings of their names."""
COLUMNS = (
    "target", "source", "charged_mgy_per_mbq_s", "photon_mgy_per_mbq_s", "relative_uncertainty",
    "target_mass_g",
)  # fmt: skip


def reference_patient(
    person: ReferencePerson, *, spacing_mm: float = ANATOMY_MM
) -> tuple[Patient, OrganMassWeights]:
    """A reference person with organs, groups of organs and the rest of the body.

    Parameters
    ----------
    person : {"reference-male", "reference-female"}
    spacing_mm : float [mm]
        Voxels of the anatomy, and of the transport.

    Returns
    -------
    Patient
    OrganMassWeights
        The anatomy's organs, then `GROUPS`, then "whole_body".
    """
    from milligray.anatomy import (  # noqa: PLC0415 - loads shapes
        AnatomyParameters,
        anatomy_ct,
        build_anatomy,
    )

    if person not in REFERENCE_PERSONS:
        raise InputError(f"the reference persons are {REFERENCE_PERSONS}, got {person!r}")
    sex: Literal["male", "female"] = "male" if person == "reference-male" else "female"
    parameters = AnatomyParameters(sex=sex, masses="icrp145", arms="down")
    ct, labels = anatomy_ct(build_anatomy(parameters, spacing_mm=spacing_mm))
    patient = build_patient(ct, calibration="schneider2000")
    weights = organ_mass_weights(patient, segment_organs(patient, labels))
    return patient, with_groups(patient, weights)


def with_groups(patient: Patient, weights: OrganMassWeights) -> OrganMassWeights:
    """Organs, after them the groups of `GROUPS` that have members, and the whole body."""
    names, rows = list(weights.names), [weights.weights_g]
    mass, volume = list(weights.mass_g), list(weights.volume_ml)
    for group, beginnings in GROUPS.items():
        members = [i for i, n in enumerate(weights.names) if n.startswith(beginnings)]
        if members:
            names.append(group)
            rows.append(scipy.sparse.csr_matrix(weights.weights_g[members].sum(axis=0)))
            mass.append(float(weights.mass_g[members].sum()))
            volume.append(float(weights.volume_ml[members].sum()))
    body = np.where(patient.body, patient.mass_g, 0.0).astype(np.float64)
    names.append(WHOLE_BODY)
    rows.append(scipy.sparse.csr_matrix(body.reshape(1, -1)))
    mass.append(float(body.sum()))
    volume.append(float(patient.body.sum()) * patient.grid.voxel_volume_cm3)
    return replace(
        weights, names=tuple(names), weights_g=scipy.sparse.vstack(rows).tocsr(),
        mass_g=np.array(mass), volume_ml=np.array(volume),
    )  # fmt: skip


def by_sources(values: Mapping[str, float], sources: Sequence[str]) -> dict[str, float]:
    """Sum a patient's values by organ (decays, masses) into the sources of a table.

    Parameters
    ----------
    values : mapping of str to float
        By the patient's organ names.
    sources : sequence of str
        Of the table; organs in none of them go to "remainder".

    Notes
    -----
    Left and right kidney become "kidneys", lobes "lungs": the reference person's organ is one
    source with uniform activity.
    """
    result: dict[str, float] = {}
    for name, value in values.items():
        found = [g for g, starts in GROUPS.items() if g in sources and name.startswith(starts)]
        key = name if name in sources else (found[0] if found else REMAINDER)
        result[key] = result.get(key, 0.0) + value
    return result


def reference_s_values(
    nuclide: Nuclide,
    person: ReferencePerson,
    *,
    sources: Sequence[str] = MAIN_SOURCES,
    histories: int = DEFAULT_HISTORIES,
    seed: int = 1,
    threads: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> SValueTable:
    """Dose of all organs of a reference person per decay in some of them; minutes a source.

    The table goes into `milligray.score.organ_level_mird.mird_doses` with
    ``whole_body="whole_body"``, decays and masses by `by_sources`; self-dose is scaled there.
    """
    patient, weights = reference_patient(person)
    table = organ_s_values(
        patient, weights, nuclide, sources=sources, phantom=f"{person} (milligray anatomy)",
        histories=histories, seed=seed, threads=threads, tell=tell,
    )  # fmt: skip
    return with_nested_charged(table, nuclide)


def with_nested_charged(table: SValueTable, nuclide: Nuclide) -> SValueTable:
    """Kinetic energy of charged particles as such where one organ is a part of the other.

    Notes
    -----
    It stays where it is emitted: ``S_charged(t <- s) = E / max(m_t, m_s)`` of a part and its whole,
    either way. Without it, mass scaling and the remainder of the body would take what the
    whole body's betas give an organ for photons.
    """
    kinetic = local_kev_per_decay(nuclide) * MGY_PER_KEV_PER_G * DECAYS_PER_MBQ_S
    charged = np.array(table.charged_mgy_per_mbq_s)
    total = charged + table.photon_mgy_per_mbq_s
    for i, target in enumerate(table.targets):
        for j, source in enumerate(table.sources):
            if is_part(target, source) or is_part(source, target):
                larger = max(table.masses_g[target], table.masses_g[source])
                charged[i, j] = min(kinetic / larger, total[i, j])
    return replace(table, charged_mgy_per_mbq_s=charged, photon_mgy_per_mbq_s=total - charged)


def is_part(organ: str, whole: str) -> bool:
    """True if an organ, or a group, lies within a group or the whole body."""
    if organ == whole:
        return False
    return whole == WHOLE_BODY or (whole in GROUPS and organ.startswith(GROUPS[whole]))


def write_s_value_table(table: SValueTable, path: Path) -> None:
    """Write a table as CSV, one row a pair of organs."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {table.nuclide}; {table.phantom}; S-values, table version 1\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for i, target in enumerate(table.targets):
            for j, source in enumerate(table.sources):
                writer.writerow(
                    [target, source, f"{table.charged_mgy_per_mbq_s[i, j]:.5g}",
                     f"{table.photon_mgy_per_mbq_s[i, j]:.5g}",
                     f"{table.relative_uncertainty[i, j]:.2g}", f"{table.masses_g[target]:.6g}"]
                )  # fmt: skip


def read_s_value_table(path: Path) -> SValueTable:
    """Read what `write_s_value_table` wrote.

    Raises
    ------
    FormatError
        If it is no such file, or pairs are missing.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[0].removeprefix("# ").split("; ") if lines else []
    rows = list(csv.DictReader(lines[1:]))
    if len(head) != 3 or not rows or tuple(rows[0]) != COLUMNS:
        raise FormatError(f"{path.name} is no S-value table of milligray")
    targets = tuple(dict.fromkeys(r["target"] for r in rows))
    sources = tuple(dict.fromkeys(r["source"] for r in rows))
    pairs = {(r["target"], r["source"]): r for r in rows}
    if len(pairs) != len(targets) * len(sources):
        raise FormatError(f"{path.name} lacks pairs of organs: {len(pairs)} rows")

    def matrix(column: str) -> list[list[float]]:
        return [[float(pairs[t, s][column]) for s in sources] for t in targets]

    return SValueTable(
        nuclide=head[0], phantom=head[1], targets=targets, sources=sources,
        charged_mgy_per_mbq_s=np.array(matrix("charged_mgy_per_mbq_s")),
        photon_mgy_per_mbq_s=np.array(matrix("photon_mgy_per_mbq_s")),
        masses_g={r["target"]: float(r["target_mass_g"]) for r in rows},
        relative_uncertainty=np.array(matrix("relative_uncertainty")),
    )  # fmt: skip

"""Organ-level dosimetry with S-values of a reference person, scaled to the patient's masses."""

import logging

import numpy as np

from milligray.errors import InputError, MilligrayError
from milligray.exam.nm_kinetics import shares_of_voxels
from milligray.exam.nm_methods import MethodDose
from milligray.exam.nm_settings import NmSettings
from milligray.patient.patient import Patient
from milligray.score.dose import DoseMap, OrganStatistics
from milligray.score.organ_level_mird import MirdDose, mird_doses
from milligray.score.reference_s_values import (
    GROUPS,
    MAIN_SOURCES,
    WHOLE_BODY,
    ReferencePerson,
    by_sources,
    read_s_value_table,
    reference_s_values,
    write_s_value_table,
)
from milligray.score.s_values import SValueTable
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.nuclide import Nuclide
from milligray.source.tube import cache_folder
from milligray.typing import FloatArray

TABLE_VERSION = 1
_LOG = logging.getLogger(__name__)


def reference_mird_dose(
    patient: Patient,
    nuclide: Nuclide,
    tia_mbq_s: FloatArray,
    weights: OrganMassWeights,
    settings: NmSettings,
) -> MethodDose:
    """Organ doses by S-values of a reference person.

    Organs that the reference person has under the same name, or as a group (kidneys, lungs), get a
    dose; the others are left out and named in the notes.
    """
    if settings.s_values == "patient":
        raise InputError("reference_mird_dose needs a reference person")
    table = reference_table(nuclide, settings.s_values, threads=settings.threads)
    shares = shares_of_voxels(weights, patient.mass_g)
    inside = np.asarray(shares @ tia_mbq_s.ravel())
    by_organ = dict(zip(weights.names, inside.tolist(), strict=True))
    tia = by_sources(by_organ, tuple(s for s in MAIN_SOURCES if s != WHOLE_BODY))
    tia["remainder"] = tia.get("remainder", 0.0) + float(tia_mbq_s.sum()) - float(inside.sum())
    tia["remainder"] = max(tia["remainder"], 0.0)
    masses = dict(zip(weights.names, weights.mass_g.tolist(), strict=True))
    grouped = by_sources(masses, MAIN_SOURCES)
    patient_masses = {**{n: m for n, m in masses.items() if n in table.targets}, **{
        n: m for n, m in grouped.items() if n in GROUPS
    }}  # fmt: skip
    doses = {
        d.organ: d
        for d in mird_doses(tia, table, patient_masses_g=patient_masses, whole_body=WHOLE_BODY)
    }
    found = {name: d for name in weights.names if (d := _of(name, doses)) is not None}
    left_out = [name for name in weights.names if name not in found]
    if not found:
        raise InputError(f"no organ of the labels is one of the {settings.s_values} person")
    rows = [i for i, name in enumerate(weights.names) if name in found]
    mean = np.array([found[weights.names[i]].dose_mgy for i in rows])
    relative = np.array([found[weights.names[i]].statistical_uncertainty for i in rows])
    everywhere = np.full(patient.grid.shape, doses[WHOLE_BODY].dose_mgy)
    part = shares[rows]
    covered = np.asarray(part.sum(axis=0)).reshape(patient.grid.shape)
    spread = np.asarray(part.T @ mean).reshape(patient.grid.shape) + (1 - covered) * everywhere
    notes = [f"MIRD with S-values of the {settings.s_values} person, self-dose scaled by mass"]
    if left_out:
        notes.append(f"without a counterpart in it, left out: {', '.join(left_out)}")
    mapped = DoseMap(
        grid=patient.grid, dose_mgy=np.where(patient.body, spread, 0.0).astype(np.float32),
        relative_uncertainty=np.full(patient.grid.shape, np.nan, dtype=np.float32),
        method=f"mird:{settings.s_values}",
        organs=OrganStatistics(
            names=tuple(weights.names[i] for i in rows), mean_dose_mgy=mean,
            relative_uncertainty=relative, mass_g=weights.mass_g[rows],
            volume_ml=np.asarray(weights.volume_ml)[rows],
        ),
    )  # fmt: skip
    return MethodDose(dose=mapped, notes=(*notes, *table.notes))


def reference_table(
    nuclide: Nuclide, person: ReferencePerson, *, threads: int | None = None
) -> SValueTable:
    """S-values of a reference person, from the cache or computed now (minutes) and kept there."""
    name = f"{nuclide.name}-{person}-{TABLE_VERSION}.csv"
    path = cache_folder() / "organ_s_values" / name
    if path.is_file():
        try:
            return read_s_value_table(path)
        except MilligrayError as error:
            _LOG.debug("damaged cache file %s is made anew: %s", name, error)
    table = reference_s_values(nuclide, person, threads=threads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.partial")
        write_s_value_table(table, partial)
        partial.replace(path)
    except OSError as error:
        _LOG.debug("the table is not kept: %s", error)
    return table


def _of(name: str, doses: dict[str, MirdDose]) -> MirdDose | None:
    """Dose of the group an organ belongs to, whose self-dose is scaled by mass; else its own."""
    group = next((g for g, starts in GROUPS.items() if name.startswith(starts)), None)
    if group is not None and group in doses:
        return doses[group]
    return doses.get(name)

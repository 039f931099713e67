"""The simulation in the order of the RECORDS checklist (AAPM TG-268)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from milligray.patient.patient import Patient
from milligray.report.result import ExamResult
from milligray.report.wording import count, percent, show
from milligray.score.dose import OrganDoses

NOT_RECORDED = "not recorded in the manifest"


def records_table(result: ExamResult) -> list[tuple[str, str]]:
    """List what RECORDS asks of a Monte Carlo study, as (item, description).

    Parameters
    ----------
    result : ExamResult

    Returns
    -------
    list of (str, str)

    Notes
    -----
    Physics comes from ``manifest["transport"]``; what is missing there is said to be missing and
    not filled in from memory.

    References
    ----------
    Sechopoulos et al., RECORDS: improved Reporting of montE CarlO RaDiation transport Studies,
    Med. Phys. 45 (2018) e1-e5, doi 10.1002/mp.12702
    """
    return records_rows(
        result,
        source=_source(result),
        parameters=("particles", "cutoffs", "angle_tables", "surroundings"),
        normalization=_normalization(result),
    )


class Study(Protocol):
    """What the table asks of a result, CT or nuclear medicine."""

    @property
    def manifest(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def patient(self) -> Patient: ...  # noqa: D102
    @property
    def organ_doses(self) -> OrganDoses: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102


def records_rows(
    result: Study, *, source: str, parameters: Sequence[str], normalization: str
) -> list[tuple[str, str]]:
    """Items of the checklist in its order.

    Parameters
    ----------
    result : ExamResult or NmResult
    source : str
        Description of what emits.
    parameters : sequence of str
        Keys of ``manifest["transport"]`` that are transport parameters.
    normalization : str
        How a history became a dose.
    """
    manifest = result.manifest
    return [
        ("Code, version", _code(result)),
        ("Validation", _of(manifest.get("validation"))),
        ("Timing and hardware", _timing(result)),
        ("Geometry", _geometry(result)),
        ("Materials", _materials(result)),
        ("Source", source),
        ("Cross sections", _transport(result, "cross_sections")),
        ("Interactions", _transport(result, "interactions")),
        ("Transport parameters", _parameters(result, parameters)),
        ("Random numbers", _transport(result, "random_numbers")),
        ("Variance reduction", _transport(result, "variance_reduction")),
        ("Scored quantities", _scored(result)),
        ("Histories, statistics", _statistics(result)),
        ("Statistical method", _transport(result, "statistical_method")),
        ("Normalization", normalization),
        ("Post-processing", _transport(result, "post_processing")),
    ]


def provenance_table(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions, tables, models and hashes of a manifest, as (what, value)."""
    rows: list[tuple[str, str]] = []
    for key, label in (
        ("created", "Created"),
        ("command", "Command"),
        ("seed", "Seed"),
        ("settings", "Settings"),
        ("versions", "Versions"),
        ("tables", "Tables"),
        ("models", "Networks"),
        ("inputs", "Input hashes (SHA-256)"),
    ):
        value = manifest.get(key)
        if value not in (None, "", {}, [], ()):
            rows.append((label, show(value)))
    return rows


def _of(value: object) -> str:
    return show(value) if value not in (None, "", [], (), {}) else NOT_RECORDED


def _transport(result: Study, key: str) -> str:
    return _of(dict(result.manifest.get("transport") or {}).get(key))


def _code(result: Study) -> str:
    version = result.manifest.get("milligray_version")
    return f"milligray {version or '(version not recorded)'}; {result.method}"


def _timing(result: Study) -> str:
    manifest = result.manifest
    parts = []
    seconds, stages = manifest.get("seconds"), manifest.get("stage_seconds")
    if isinstance(seconds, int | float):
        parts.append(f"{seconds:.3g} s of transport")
    if isinstance(stages, dict) and stages:
        parts.append(f"{sum(stages.values()):.3g} s in all stages")
    parts.extend(show(manifest[key]) for key in ("device", "hardware") if manifest.get(key))
    if manifest.get("threads"):
        parts.append(f"{show(manifest['threads'])} threads")
    return "; ".join(parts) or NOT_RECORDED


def _geometry(result: Study) -> str:
    grid = result.patient.grid
    nz, ny, nx = grid.shape
    dz, dy, dx = grid.spacing_mm
    text = f"{nx} × {ny} × {nz} voxels of {dx:.3g} × {dy:.3g} × {dz:.3g} mm (x, y, z)"
    if result.patient.ct is not None:
        bz, by, bx = result.patient.block
        text += f"; {bx} × {by} × {bz} CT voxels each"
    return text


def _materials(result: Study) -> str:
    names = [material.name for material in result.patient.materials]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    calibration = result.patient.calibration
    return (f"HU to density and tissue: {calibration}; " if calibration else "") + shown


def _source(result: ExamResult) -> str:
    scanner, protocol = result.scanner, result.protocol
    hvl = result.spectrum.half_value_layer_mm_al
    return (
        f"{scanner.label}: focal spot at {scanner.focal_radius_mm:g} mm, fan of"
        f" {scanner.fan_fov_mm:g} mm at the isocenter, bowtie “{result.bowtie_name}”"
        f" ({scanner.bowties[result.bowtie_name].material}), anode {scanner.anode_angle_deg:g}°;"
        f" spectrum {result.spectrum.name}"
        + ("" if hvl is None or "HVL" in result.spectrum.name else f", HVL {hvl:.2f} mm Al")
        + f"; {protocol.scan_mode}, pitch {protocol.pitch:g}, collimation"
        f" {protocol.collimation_mm:g} mm"
    )


_PARAMETERS = {"cutoffs": "cut-off: ", "angle_tables": "angles: ", "surroundings": "surroundings: "}


def _parameters(result: Study, keys: Sequence[str]) -> str:
    transport = dict(result.manifest.get("transport") or {})
    parts = [_PARAMETERS.get(key, "") + show(transport[key]) for key in keys if transport.get(key)]
    return "; ".join(parts) or NOT_RECORDED


def _scored(result: Study) -> str:
    scored = dict(result.manifest.get("transport") or {}).get("scored")
    return (
        show(scored) if scored else f"absorbed dose per voxel and organ [{result.organ_doses.unit}]"
    )


def _statistics(result: Study) -> str:
    histories, batches = (result.manifest.get(key) for key in ("histories", "batches"))
    parts = []
    if isinstance(histories, int | float):
        parts.append(f"{count(histories)} histories")
    if batches:
        parts.append(f"{show(batches)} batches")
    values = [row.relative_uncertainty for row in result.organ_doses.rows]
    values = [value for value in values if math.isfinite(value)]
    if values:
        parts.append(f"organ doses {percent(min(values))} to {percent(max(values))} (k = 1)")
    return "; ".join(parts) or NOT_RECORDED


def _normalization(result: ExamResult) -> str:
    if not result.is_absolute or result.protocol.ctdi_vol_mgy is None:
        return f"{result.unit}; not calibrated to a CTDIvol"
    return (
        "the same source model was run on the CTDI phantom and scaled to the exam's CTDIvol of"
        f" {result.protocol.ctdi_vol_mgy:.4g} mGy"
    )

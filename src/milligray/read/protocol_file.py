"""Read a scan protocol from a TOML file: for NIfTI images, or to mend a DICOM header."""

import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from milligray.errors import FormatError, InputError
from milligray.read.current_profile import Profile, profile_from, profile_on
from milligray.read.series import CtProtocol, CtSeries, PatientPosition, ScanMode
from milligray.volume import Grid

_KEYS: dict[str, tuple[str, ...]] = {
    "scan": ("tube_voltage_kv", "mode", "pitch", "collimation_mm", "rotation_time_s",
             "scan_start_mm", "scan_end_mm", "scan_start_from_top_mm", "scan_end_from_top_mm"),
    "dose": ("ctdi_vol_mgy", "phantom_diameter_mm", "effective_mas"),
    "current": ("tube_current_ma", "profile", "profile_position"),
    "scanner": ("name", "manufacturer", "model", "bowtie", "filter_type"),
    "geometry": ("isocenter_lps_mm", "start_angle_deg", "patient_position"),
}  # fmt: skip
_REQUIRED = ("tube_voltage_kv", "collimation_mm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProtocolFile:
    """What a protocol file says; None: not given. Fields as in `CtProtocol`."""

    name: str
    tube_voltage_kv: float | None
    scan_mode: ScanMode | None
    pitch: float | None
    collimation_mm: float | None
    rotation_time_s: float | None
    scan_range_mm: tuple[float, float] | None
    scan_range_from_top_mm: tuple[float, float] | None
    ctdi_vol_mgy: float | None
    phantom_diameter_mm: int | None
    effective_mas: float | None
    tube_current_ma: float | None
    profile: Profile | None
    scanner: str | None
    manufacturer: str | None
    model: str | None
    body_region: Literal["head", "body"] | None
    filter_type: str | None
    isocenter_lps_mm: tuple[float, float] | None
    start_angle_rad: float | None
    patient_position: PatientPosition | None


def read_protocol_file(path: str | Path, *, ct: CtSeries | None = None) -> CtProtocol:
    """Read a complete scan protocol from a TOML file.

    Parameters
    ----------
    path : str or Path
        See ``examples/head_neck_helical.toml`` for all keys.
    ct : CtSeries, optional
        The image it belongs to: gives the slices, and is needed for positions counted from the
        top or as fractions of the image.

    Returns
    -------
    CtProtocol
        With ``origin="file"``.

    Raises
    ------
    FormatError
        If the file is not TOML.
    InputError
        If a key is unknown (the nearest is named), missing, or its value is not allowed.
    """
    given = parse_protocol_file(path)
    grid, thickness = (ct.volume.grid, ct.slice_thickness_mm) if ct else (None, None)
    return protocol_from(given, grid, thickness)


def protocol_from(
    given: ProtocolFile, grid: Grid | None, slice_thickness_mm: float | None
) -> CtProtocol:
    """Complete protocol from a file alone, for an image on a grid."""
    for key in _REQUIRED:
        if getattr(given, key) is None:
            raise InputError(f"{given.name}: [scan] {key} is missing; every protocol needs it")
    mode: ScanMode = given.scan_mode or "helical"
    notes: list[str] = []
    if given.pitch is None and mode == "helical":
        raise InputError(f"{given.name}: [scan] pitch is missing; a helical scan needs it")
    if given.pitch is None:
        notes.append("axial scan without pitch: slices side by side assumed (pitch 1)")
    if given.ctdi_vol_mgy is None:
        notes.append("the protocol file gives no ctdi_vol_mgy: no absolute dose can be made")
    blank = CtProtocol(
        tube_voltage_kv=given.tube_voltage_kv or 0.0,
        slice_position_mm=np.zeros(1) if grid is None else grid.axis_centers_mm(0),
        relative_current=np.ones(1 if grid is None else grid.shape[0]),
        scan_mode=mode,
        pitch=1.0 if given.pitch is None else given.pitch,
        collimation_mm=given.collimation_mm or 0.0,
        ctdi_vol_mgy=None,
        phantom_diameter_mm=None,
        slice_thickness_mm=slice_thickness_mm,
        notes=tuple(notes),
    )
    return overlay(blank, given, grid)


def overlay(protocol: CtProtocol, given: ProtocolFile, grid: Grid | None) -> CtProtocol:
    """Put every value that the file gives over the protocol."""
    same_name = ("tube_voltage_kv", "scan_mode", "pitch", "collimation_mm", "rotation_time_s",
                 "ctdi_vol_mgy", "phantom_diameter_mm", "effective_mas", "tube_current_ma",
                 "scanner", "manufacturer", "model", "body_region", "filter_type",
                 "isocenter_lps_mm", "start_angle_rad", "patient_position")  # fmt: skip
    changes: dict[str, Any] = {
        name: getattr(given, name) for name in same_name if getattr(given, name) is not None
    }
    notes = list(protocol.notes)
    if given.ctdi_vol_mgy is not None and given.phantom_diameter_mm is None:
        raise InputError(
            f"{given.name}: [dose] phantom_diameter_mm (160 or 320) must stand beside ctdi_vol_mgy:"
            " the same scan reads about twice as much in the 160 mm phantom"
        )
    scan_range = _scan_range(given, grid, notes)
    z, current = protocol.slice_position_mm, protocol.relative_current
    if scan_range is not None:
        changes["scan_start_mm"], changes["scan_end_mm"] = scan_range
        inside = (z >= min(scan_range) - 1e-6) & (z <= max(scan_range) + 1e-6)
        if inside.any():
            z, current = z[inside], current[inside]
        else:
            z, current = np.array(sorted(scan_range)), np.ones(2)
    if given.profile is not None:
        current = profile_on(given.profile, z, grid)
    elif given.tube_current_ma is not None:
        current = np.ones(len(z))
    changes["slice_position_mm"] = z
    changes["relative_current"] = current / current.mean() if current.sum() > 0 else current
    if given.effective_mas is None and protocol.origin == "dicom":
        changes.update(_stale_mas(changes))
    return replace(protocol, **changes, notes=tuple(notes))


def _stale_mas(changes: dict[str, Any]) -> dict[str, None]:
    """Header mAs no longer hold once current, rotation time or pitch are given by hand."""
    stale = {"tube_current_ma", "rotation_time_s", "pitch"} & changes.keys()
    return {"effective_mas": None} if stale else {}


def parse_protocol_file(path: str | Path) -> ProtocolFile:
    """Read a protocol file that may be partial, checking keys and types."""
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"protocol file {path} does not exist") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormatError(f"protocol file {path.name} is not valid TOML: {error}") from error
    _check_keys(content, path.name)
    table = _Reader(name=path.name, content=content)
    phantom = table.number("dose", "phantom_diameter_mm")
    if phantom not in (None, 160.0, 320.0):
        raise InputError(f"{path.name}: phantom_diameter_mm must be 160 or 320, got {phantom:g}")
    angle_deg = table.number("geometry", "start_angle_deg", positive=False)
    return ProtocolFile(
        name=path.name,
        tube_voltage_kv=table.number("scan", "tube_voltage_kv"),
        scan_mode=table.choice("scan", "mode", get_args(ScanMode)),
        pitch=table.number("scan", "pitch"),
        collimation_mm=table.number("scan", "collimation_mm"),
        rotation_time_s=table.number("scan", "rotation_time_s"),
        scan_range_mm=table.range_mm("scan_start_mm", "scan_end_mm"),
        scan_range_from_top_mm=table.range_mm("scan_start_from_top_mm", "scan_end_from_top_mm"),
        ctdi_vol_mgy=table.number("dose", "ctdi_vol_mgy"),
        phantom_diameter_mm=None if phantom is None else int(phantom),
        effective_mas=table.number("dose", "effective_mas"),
        tube_current_ma=table.number("current", "tube_current_ma"),
        profile=profile_from(content.get("current", {}), path.name),
        scanner=table.text("scanner", "name"),
        manufacturer=table.text("scanner", "manufacturer"),
        model=table.text("scanner", "model"),
        body_region=table.choice("scanner", "bowtie", ("head", "body")),
        filter_type=table.text("scanner", "filter_type"),
        isocenter_lps_mm=table.pair("geometry", "isocenter_lps_mm"),
        start_angle_rad=None if angle_deg is None else float(np.deg2rad(angle_deg)),
        patient_position=table.choice("geometry", "patient_position", get_args(PatientPosition)),
    )


def _check_keys(content: dict[str, Any], name: str) -> None:
    for section, entries in content.items():
        if section not in _KEYS:
            raise InputError(f"{name}: unknown section {_unknown(section, list(_KEYS))}")
        if not isinstance(entries, dict):
            raise InputError(f"{name}: [{section}] must be a section, got {entries!r}")
        for key in entries:
            if key in _KEYS[section]:
                continue
            elsewhere = [s for s, keys in _KEYS.items() if key in keys]
            if elsewhere:
                raise InputError(f"{name}: {key} belongs into [{elsewhere[0]}], not [{section}]")
            every = [*_KEYS[section], *(k for keys in _KEYS.values() for k in keys)]
            raise InputError(f"{name}: unknown key in [{section}]: {_unknown(key, every)}")


def _unknown(word: str, allowed: list[str]) -> str:
    near = get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(dict.fromkeys(allowed))}"
    return f"{word!r}; {hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Typed access to the parsed file; every error names file, section and key."""

    name: str
    content: dict[str, Any]

    def _get(self, section: str, key: str) -> Any:  # noqa: ANN401 - TOML values
        return self.content.get(section, {}).get(key)

    def number(self, section: str, key: str, *, positive: bool = True) -> float | None:
        value = self._get(section, key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise InputError(f"{self.name}: [{section}] {key} must be a number, got {value!r}")
        if positive and value <= 0:
            raise InputError(f"{self.name}: [{section}] {key} must be > 0, got {value!r}")
        return float(value)

    def text(self, section: str, key: str) -> str | None:
        value = self._get(section, key)
        if value is not None and not isinstance(value, str):
            raise InputError(f"{self.name}: [{section}] {key} must be text, got {value!r}")
        return value

    def choice(self, section: str, key: str, allowed: tuple[str, ...]) -> Any:  # noqa: ANN401
        value = self.text(section, key)
        if value is not None and value not in allowed:
            options = ", ".join(allowed)
            raise InputError(f"{self.name}: [{section}] {key} must be {options}; got {value!r}")
        return value

    def pair(self, section: str, key: str) -> tuple[float, float] | None:
        value = self._get(section, key)
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        ):
            raise InputError(f"{self.name}: [{section}] {key} must be [x, y] in mm, got {value!r}")
        return float(value[0]), float(value[1])

    def range_mm(self, start_key: str, end_key: str) -> tuple[float, float] | None:
        start = self.number("scan", start_key, positive=False)
        end = self.number("scan", end_key, positive=False)
        if start is None and end is None:
            return None
        if start is None or end is None or start == end:
            raise InputError(f"{self.name}: [scan] {start_key} and {end_key} must both stand there"
                             " and differ")  # fmt: skip
        return start, end


def _scan_range(
    given: ProtocolFile, grid: Grid | None, notes: list[str]
) -> tuple[float, float] | None:
    scan_range = given.scan_range_mm
    if given.scan_range_from_top_mm is not None:
        if scan_range is not None:
            raise InputError(f"{given.name}: give the scan range as z or from the top, not both")
        if grid is None:
            raise InputError(f"{given.name}: positions from the top need the image they belong to")
        top = _extent(grid)[1]
        start, end = given.scan_range_from_top_mm
        scan_range = top - start, top - end
    if scan_range is None or grid is None:
        return scan_range
    low, high = _extent(grid)
    if max(scan_range) <= low or min(scan_range) >= high:
        raise InputError(
            f"{given.name}: the scan range {scan_range[0]:g} to {scan_range[1]:g} mm lies outside"
            f" the image (z = {low:g} to {high:g} mm)"
        )
    if min(scan_range) < low - 0.5 or max(scan_range) > high + 0.5:
        notes.append("the scan range goes beyond the image: organs outside it cannot be scored")
    return scan_range


def _extent(grid: Grid) -> tuple[float, float]:
    """Lower and upper face of the image along z [mm]."""
    z = grid.axis_centers_mm(0)
    half = 0.5 * grid.spacing_mm[0]
    return float(z[0] - half), float(z[-1] + half)

"""Make the source of a CT scan from its protocol, the scanner and the patient."""

from pathlib import Path
from typing import Literal

import numpy as np

from milligray.constants import CM_PER_MM
from milligray.errors import InputError
from milligray.materials.cross_sections import mu_rho_cm2_g
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.read.series import CtProtocol
from milligray.source.ct_source import CtSource, FanField
from milligray.source.scanner import Scanner
from milligray.source.scanner_library import (
    bowtie_name,
    load_scanner,
    match_scanner,
    scanner_from_toml,
)
from milligray.source.tube import make_spectrum

PATH_STEP_MM = 1.0


def over_ranging_mm(protocol: CtProtocol) -> float:
    """Extra path of the beam's center beyond the nominal range, both ends together [mm].

    ``over = collimation (0.5 + pitch)`` for helical scans, 0 for axial ones: half a rotation of
    data is needed on both sides of the outermost slices, less what the beam's own width covers.
    A model assumption; measured values scatter around it by about 1 cm between scanners
    (van der Molen and Geleijns, Radiology 242 (2007) 208).
    """
    if protocol.scan_mode == "axial":
        return 0.0
    return protocol.collimation_mm * (0.5 + protocol.pitch)


def nominal_range_mm(protocol: CtProtocol) -> tuple[float, float]:
    """First and last irradiated z without over-ranging [mm, LPS]."""
    z = protocol.slice_position_mm
    half = 0.5 * (protocol.slice_thickness_mm or 0.0)
    low = protocol.scan_start_mm if protocol.scan_start_mm is not None else float(z[0]) - half
    high = protocol.scan_end_mm if protocol.scan_end_mm is not None else float(z[-1]) + half
    low, high = min(low, high), max(low, high)
    if not high > low:
        raise InputError(
            "the irradiated range has no length; give scan_start_mm and scan_end_mm"
            " in the protocol file"
        )
    return low, high


def make_fan_field(
    scanner: Scanner, bowtie: str, *, tube_voltage_kv: float, collimation_mm: float
) -> FanField:
    """Beam of a scanner: spectrum matched to its half-value layer, shaped by its bowtie."""
    if bowtie not in scanner.bowties:
        raise InputError(
            f"scanner {scanner.name!r} has no bowtie {bowtie!r}; it has {sorted(scanner.bowties)}"
        )
    spectrum = make_spectrum(
        tube_voltage_kv,
        half_value_layer_mm_al=scanner.half_value_layer_at(bowtie, tube_voltage_kv),
        anode_angle_deg=scanner.anode_angle_deg,
    )
    shape = scanner.bowties[bowtie]
    material = load_material(shape.material)
    mu = mu_rho_cm2_g(material, spectrum.centers_kev) * material.reference_density_g_cm3
    return FanField(
        focal_radius_mm=scanner.focal_radius_mm,
        width_mm=scanner.fan_fov_mm,
        height_mm=collimation_mm + scanner.over_beaming_mm,
        spectrum=spectrum,
        filter_mu_per_mm=mu * CM_PER_MM,
        filter_fan_angle_rad=shape.fan_angle_rad,
        filter_thickness_mm=shape.thickness_mm,
    )


def choose_scanner(
    protocol: CtProtocol, *, scanner: str | None = None, bowtie: str | None = None
) -> tuple[Scanner, str, tuple[str, ...]]:
    """Scanner and bowtie: as asked for, else as the protocol names them, else by the header.

    Parameters
    ----------
    protocol : CtProtocol
    scanner : str, optional
        Name in the library, or path of a TOML file.
    bowtie : str, optional

    Returns
    -------
    scanner : Scanner
        The generic one, with a loud note, if nothing matches.
    bowtie : str
    notes : tuple of str
    """
    notes = []
    name = scanner or protocol.scanner
    if name is None:
        found = match_scanner(protocol.manufacturer, protocol.model)
    elif name.endswith(".toml"):
        found = scanner_from_toml(Path(name))
    else:
        found = load_scanner(name)
    if found.is_generic:
        header = f"{protocol.manufacturer} {protocol.model}".strip() or "no scanner was named"
        notes.append(
            f"GENERIC SCANNER: the library has no model of this scanner ({header}), so a generic"
            f" beam was used; its model uncertainty of"
            f" {100 * found.model_relative_uncertainty:.0f} % (k = 1) is in the budget"
        )
    if bowtie is not None:
        return found, bowtie, tuple(notes)
    bowtie, how = bowtie_name(
        found, protocol.filter_type, protocol.body_region, protocol.phantom_diameter_mm
    )
    return found, bowtie, (*notes, how) if how else tuple(notes)


def make_ct_source(
    protocol: CtProtocol,
    patient: Patient | None,
    *,
    scanner: Scanner | None = None,
    bowtie: str | None = None,
) -> CtSource:
    """Source of the whole scan.

    Parameters
    ----------
    protocol : CtProtocol
    patient : Patient or None
        Places the isocenter (center of the body's outline) where the protocol does not; None: the
        protocol does.
    scanner : Scanner, optional
        Default: `choose_scanner`, which says in the source's notes what it took.
    bowtie : str, optional
        One of ``scanner.bowties``.

    Returns
    -------
    CtSource

    Notes
    -----
    Helical: the tube moves over the nominal range and `over_ranging_mm`; photons per length follow
    the tube current, held constant beyond the imaged slices. Axial: stations one feed apart.
    An unknown start angle is averaged over, so that angle and z are independent; a known one
    holds at the nominal start of the scan, before which over-ranging has turned the tube.
    """
    notes: tuple[str, ...] = ()
    if scanner is None:
        scanner, bowtie, notes = choose_scanner(protocol, bowtie=bowtie)
    elif bowtie is None:
        bowtie, how = bowtie_name(
            scanner, protocol.filter_type, protocol.body_region, protocol.phantom_diameter_mm
        )
        notes = (how,) if how else ()
    field = make_fan_field(
        scanner, bowtie, tube_voltage_kv=protocol.tube_voltage_kv,
        collimation_mm=protocol.collimation_mm,
    )  # fmt: skip
    low, high = nominal_range_mm(protocol)
    feed = protocol.pitch * protocol.collimation_mm
    if protocol.scan_mode == "helical":
        over = over_ranging_mm(protocol)
        low, high = low - 0.5 * over, high + 0.5 * over
        n = max(1, round((high - low) / PATH_STEP_MM))
        edges = np.linspace(low, high, n + 1)
        bins = np.stack([edges[:-1], edges[1:]], axis=1)
    else:
        n = max(1, int(np.ceil((high - low) / feed - 1e-6)))
        stations = 0.5 * (low + high) + feed * (np.arange(n) - 0.5 * (n - 1))
        bins = np.stack([stations, stations], axis=1)
    middle = bins.mean(axis=1)
    current = np.interp(middle, protocol.slice_position_mm, protocol.relative_current)
    rotations = current.sum() * (
        (bins[0, 1] - bins[0, 0]) / feed if protocol.scan_mode == "helical" else 1.0
    )
    angle, sense = _tube_angle_rad(protocol, float(bins[0, 0]), feed)
    isocenter = protocol.isocenter_lps_mm
    if isocenter is None:
        if patient is None:
            raise InputError("the isocenter is neither in the protocol nor to be had of a patient")
        isocenter = body_center_lps_mm(patient)
    return CtSource(
        field=field,
        isocenter_lps_mm=isocenter,
        z_bins_mm=bins,
        z_weights=current,
        rotations=float(rotations),
        feed_mm=feed,
        collimation_mm=protocol.collimation_mm,
        start_angle_rad=angle,
        mode=protocol.scan_mode,
        angle_sense=sense,
        ctdi_vol_mgy=protocol.ctdi_vol_mgy,
        phantom_diameter_mm=protocol.phantom_diameter_mm,
        notes=notes,
        description=f"{scanner.label}, {bowtie} bowtie, {field.spectrum.name}",
    )


def body_center_lps_mm(patient: Patient) -> tuple[float, float]:
    """Center (x, y) of the bounding box of the body's outline [mm]."""
    center = []
    for axis in (2, 1):
        other = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(patient.body.any(axis=other))
        if occupied.size == 0:
            raise InputError("the patient has no body outline")
        positions = patient.grid.axis_centers_mm(axis)
        center.append(0.5 * float(positions[occupied[0]] + positions[occupied[-1]]))
    return center[0], center[1]


def _tube_angle_rad(
    protocol: CtProtocol, lowest_z_mm: float, feed_mm: float
) -> tuple[float | None, Literal[1, -1]]:
    """Tube angle in the patient's frame at the lowest z, and whether it grows or falls with z.

    The protocol's angle is the gantry's: 0 at the top, growing with time, 90 degrees at the right
    of a patient who lies head first and supine. Feet first, it turns the other way around them.
    """
    z = protocol.slice_position_mm
    first = protocol.scan_start_mm if protocol.scan_start_mm is not None else float(z[0])
    last = protocol.scan_end_mm if protocol.scan_end_mm is not None else float(z[-1])
    with_time = 1 if protocol.patient_position.startswith("HF") else -1
    sense: Literal[1, -1] = 1 if (last >= first) == (with_time > 0) else -1
    if protocol.start_angle_rad is None:
        return None, sense
    quarter_turns = {"S": 0, "DL": 1, "P": 2, "DR": 3}[protocol.patient_position[2:]]
    at_start = 0.5 * np.pi * quarter_turns + with_time * protocol.start_angle_rad
    if protocol.scan_mode == "axial":
        return at_start, sense
    if protocol.scan_start_mm is None:
        first = nominal_range_mm(protocol)[0]
    return at_start + sense * 2.0 * np.pi * (lowest_z_mm - first) / feed_mm, sense

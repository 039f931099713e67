"""Build data/scanners from tools/raw: one TOML file per class of scanners.

Usage: python tools/build_scanners.py

Half-value layers come from the tube model of this package at an equivalent aluminum filtration.
Bowties are aluminum path length against fan angle, in excess of that on the central ray:

- ``ge-xcist``: as in the manufacturer's simulator;
- ``constructed``: ``t = fraction (mu_water / mu_al) (L(0) - L(angle))``, with L the chord of a
  water cylinder on the axis and the coefficients averaged over air kerma at 120 kV.
"""

import csv
import tomllib
from pathlib import Path

import numpy as np
import xraylib
from scipy.interpolate import PchipInterpolator
from scipy.optimize import least_squares

from milligray.source.spectrum import air_mu_en_rho_cm2_g, aluminum_mu_per_cm
from milligray.source.tube import make_spectrum

RAW = Path(__file__).parent / "raw"
OUT = Path(__file__).parents[1] / "src" / "milligray" / "data" / "scanners"
VOLTAGES_KV = (60, 70, 80, 90, 100, 110, 120, 130, 135, 140, 150)
ANGLE_STEP_RAD = 0.02
MAX_ANGLE_RAD = 0.50
PROFILE_KV = 120


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of a raw CSV."""
    lines = (RAW / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def ge_shape(bowtie: dict) -> dict:
    """Thickness of the manufacturer's simulator."""
    rows = [r for r in read_rows("ge_xcist_bowtie.csv") if r["filter"] == bowtie["filter"]]
    angle = np.array([float(r["fan_angle_rad"]) for r in rows])
    thickness = np.array([float(r["thickness_mm"]) for r in rows])
    return {
        "filtration_mm_al": bowtie["filtration_mm_al"],
        "curve": (angle, np.maximum(thickness - thickness[0], 0.0)),
        "origin": "manufacturer's simulator",
        "source": (
            f"bowtie '{bowtie['filter']}' of GE's simulator XCIST (gecatsim 1.6.9, BSD-3-Clause,"
            " copyright 2024 GE Precision HealthCare), less its middle; that it is the filter of"
            " this class is assumed; constant beyond 0.47 rad"
        ),
        "filtration_source": bowtie["filtration_source"],
    }


def water_to_aluminum(anode_deg: float, filtration_mm: float) -> float:
    """Ratio of the linear attenuation coefficients, averaged over air kerma at 120 kV."""
    spectrum = make_spectrum(PROFILE_KV, filtration_mm_al=filtration_mm, anode_angle_deg=anode_deg)
    energy = spectrum.centers_kev
    kerma = spectrum.weights * energy * air_mu_en_rho_cm2_g(energy)
    water = np.array([xraylib.CS_Total_CP("H2O", float(e)) for e in energy])
    return float(np.sum(kerma * water) / np.sum(kerma * aluminum_mu_per_cm(energy)))


def chord_deficit_mm(angle: np.ndarray, diameter_mm: float, radius_mm: float) -> np.ndarray:
    """L(0) - L(angle) of a cylinder on the axis of rotation."""
    half_squared = (diameter_mm / 2) ** 2 - (radius_mm * np.sin(angle)) ** 2
    return diameter_mm - 2 * np.sqrt(np.clip(half_squared, 0, None))


def constructed_shape(bowtie: dict, anode_deg: float, radius_mm: float) -> dict:
    """Thickness that evens out a share of the attenuation of a water cylinder."""
    angle = np.arange(0, MAX_ANGLE_RAD + 1e-9, ANGLE_STEP_RAD)
    ratio = water_to_aluminum(anode_deg, bowtie["filtration_mm_al"])
    deficit = chord_deficit_mm(angle, bowtie["diameter_mm"], radius_mm)
    return {
        "filtration_mm_al": bowtie["filtration_mm_al"],
        "curve": (angle, bowtie["fraction"] * ratio * deficit),
        "origin": "constructed",
        "source": (
            f"constructed, not measured: evens out {bowtie['fraction']:.0%} of the attenuation of a"
            f" water cylinder of {bowtie['diameter_mm']:g} mm on the axis; diameter and share are"
            " those fitted to the small (head) and large (body) bowtie of the ge-optima-ct660 class"
            " (docs/methods/source.md)"
        ),
        "filtration_source": bowtie["filtration_source"],
    }


def fit_cylinder(curve: tuple[np.ndarray, np.ndarray], radius_mm: float, ratio: float) -> str:
    """Diameter and share of the constructed form nearest to a known bowtie, for the docs."""
    angle, thickness = curve
    found = least_squares(
        lambda p: p[1] * ratio * chord_deficit_mm(angle, p[0], radius_mm) - thickness,
        [270, 0.5],
        bounds=([100, 0.1], [500, 1.5]),
    )
    rms = np.sqrt(np.mean(found.fun**2))
    return f"diameter {found.x[0]:.0f} mm, share {found.x[1]:.2f}, rms {rms:.1f} mm Al"


def resample(curve: tuple[np.ndarray, np.ndarray]) -> tuple[list[float], list[float]]:
    """Monotone interpolation to an even grid, constant beyond the last angle."""
    angle = np.arange(0, MAX_ANGLE_RAD + 1e-9, ANGLE_STEP_RAD)
    thickness = PchipInterpolator(*curve)(np.minimum(angle, curve[0][-1]))
    thickness[0] = 0.0
    return [round(float(a), 3) for a in angle], [round(float(t), 3) + 0.0 for t in thickness]


def text(value: str) -> str:
    """TOML basic string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def strings(values: list[str]) -> str:
    """TOML array of strings."""
    return "[" + ", ".join(text(v) for v in values) + "]"


def numbers(values: list[float]) -> str:
    """TOML array of numbers."""
    return "[" + ", ".join(f"{v:.3f}" for v in values) + "]"


def write_scanner(scanner: dict, common: dict) -> None:
    """One class."""
    scanner = {**{k: v for k, v in common.items() if k != "scanner"}, **scanner}
    anode, radius = scanner["anode_angle_deg"], scanner["focal_radius_mm"]
    print(scanner["name"])
    lines = [
        "# Made by tools/build_scanners.py from tools/raw; do not edit. Table version 1.",
        "# Lengths mm, angles rad, half-value layers mm Al per kV; see SOURCE.md.",
    ]
    lines += [f"{key} = {text(scanner[key])}" for key in ("name", "label")]
    lines.append(f"generic = {str(scanner.get('generic', False)).lower()}")
    for key in ("manufacturer_patterns", "model_patterns"):
        lines.append(f"{key} = {strings(scanner[key])}")
    for key in ("focal_radius_mm", "fan_fov_mm", "anode_angle_deg", "over_beaming_mm"):
        lines.append(f"{key} = {scanner[key]}")
    lines += [f"model_relative_uncertainty = {scanner['model_relative_uncertainty']}", ""]
    lines.append("[source]")
    for key in ("focal_radius", "fan_fov", "anode_angle", "over_beaming", "uncertainty"):
        lines.append(f"{key} = {text(scanner[key + '_source'])}")
    for bowtie in scanner["bowtie"]:
        if bowtie["shape"] == "constructed":
            shape = constructed_shape(bowtie, anode, radius)
        else:
            shape = ge_shape(bowtie)
            ratio = water_to_aluminum(anode, shape["filtration_mm_al"])
            print(f"  {bowtie['name']}: {fit_cylinder(shape['curve'], radius, ratio)}")
        angle, thickness = resample(shape["curve"])
        filtration = round(shape["filtration_mm_al"], 2)
        layers = {
            kv: make_spectrum(kv, filtration_mm_al=filtration, anode_angle_deg=anode)
            for kv in VOLTAGES_KV
        }
        print(f"  {bowtie['name']}: HVL(120 kV) {layers[120].half_value_layer_mm_al:.2f} mm Al")
        lines += [
            "",
            "[[bowtie]]",
            f"name = {text(bowtie['name'])}",
            'material = "aluminum"',
            f"origin = {text(shape['origin'])}",
            f"filter_patterns = {strings(bowtie['filter_patterns'])}",
            f"filtration_mm_al = {filtration}",
            f"fan_angle_rad = {numbers(angle)}",
            f"thickness_mm = {numbers(thickness)}",
            f"source = {text(shape['source'])}",
            "half_value_layer_source = "
            + text("tube model at filtration_mm_al, which is " + shape["filtration_source"]),
            "[bowtie.half_value_layer_mm_al]",
        ]
        lines += [f"{kv} = {s.half_value_layer_mm_al:.3f}" for kv, s in layers.items()]
    path = OUT / f"{scanner['name']}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Build all classes."""
    OUT.mkdir(parents=True, exist_ok=True)
    common = tomllib.loads((RAW / "scanner_classes.toml").read_text(encoding="utf-8"))
    for scanner in common["scanner"]:
        write_scanner(scanner, common)


if __name__ == "__main__":
    main()

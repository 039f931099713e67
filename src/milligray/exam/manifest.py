"""The manifest: everything that is needed to run a result again."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from milligray.exam.settings import CtSettings
from milligray.materials.photon_tables import ANGLE_ROWS_PER_EFOLD, CUTOFF_KEV, N_QUANTILES
from milligray.physics.compiled import sources_stamp
from milligray.transport.deposit import EnergyDeposit

PACKAGES = ("numpy", "numba", "scipy", "xraylib", "mucoeff", "spekpy", "pydicom", "nibabel")


@cache
def package_version(name: str) -> str:
    """Version of an installed package, "" if it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def processor() -> str:
    """Name of the processor, as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a user's path
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def ct_manifest(
    settings: CtSettings,
    deposit: EnergyDeposit,
    *,
    inputs: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Manifest of a CT dose computation.

    Parameters
    ----------
    settings : CtSettings
    deposit : EnergyDeposit
    inputs : mapping of str to str
        SHA-256 of every input.
    seconds : mapping of str to float
        Wall time of the stages.
    """
    return {
        "milligray_version": package_version("milligray"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "histories": deposit.histories,
        "batches": deposit.batches,
        "seconds": deposit.seconds,
        "stage_seconds": {name: round(value, 2) for name, value in seconds.items()},
        "converged": deposit.converged,
        "device": deposit.device,
        "hardware": ", ".join(
            (*filter(None, [deposit.gpu]), processor(), f"{os.cpu_count()} logical processors")
        ),
        "threads": deposit.threads,
        "settings": asdict(settings),
        "inputs": dict(inputs),
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in PACKAGES},
        "tables": {
            "cross sections": f"xraylib {package_version('xraylib')}",
            "HU calibration": settings.calibration,
            "compiled physics": sources_stamp()[:16],
        },
        "transport": {
            "particles": "photons; electrons deposit their energy where they are set free",
            "cross_sections": "xraylib (photoelectric, Compton, Rayleigh; independent atoms)",
            "interactions": (
                "photoelectric with K fluorescence, Compton with S(x, Z) without Doppler"
                " broadening, Rayleigh with F(x, Z)"
            ),
            "cutoffs": f"photons {CUTOFF_KEV:g} keV",
            "angle_tables": (
                f"{N_QUANTILES} equally probable cosines, {ANGLE_ROWS_PER_EFOLD} energies per"
                " factor e"
            ),
            "variance_reduction": (
                "track-length estimator of collision kerma on a voxel march; whole scan sampled"
                " in one run"
                if deposit.estimator == "track-length"
                else "none (collision estimator; Woodcock tracking, voxel march where metal is)"
            ),
            "scored": "energy imparted per voxel and per organ",
            "random_numbers": "Philox4x32-7, keyed by seed and history",
            "statistical_method": f"{deposit.batches} batches of equal size; organs by their sums",
            "surroundings": "vacuum outside the transport grid",
            "post_processing": "none",
        },
        "validation": (
            "AAPM TG-195 cases 1, 2, 4, 5 and EGSnrc: docs/validation, `milligray validate`"
        ),
    }

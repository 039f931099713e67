"""The manifest of a nuclear-medicine exam: everything that is needed to run it again."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from milligray.exam.manifest import PACKAGES, package_version, processor
from milligray.exam.nm_methods import MethodDose
from milligray.exam.nm_settings import NmSettings
from milligray.materials.charged_tables import (
    ABSORPTION_KEV,
    COLLISION_CUTOFF_KEV,
    ELASTIC_SHARE,
    LOSS_SHARE,
    PHOTON_CUTOFF_KEV,
)
from milligray.materials.photon_tables import CUTOFF_KEV
from milligray.patient.patient import Patient
from milligray.physics.compiled import sources_stamp
from milligray.read.rrdsr import RadiopharmaceuticalReport
from milligray.source.nuclide import Nuclide
from milligray.source.time_integrated_activity import TimeIntegratedActivity

CHARGED = {
    "primaries": (
        "photons; electrons and positrons that the nuclide emits (condensed histories);"
        " those that photons set free deposit their energy on the spot; alphas on the spot"
    ),
    "all": "photons, electrons and positrons (condensed histories); alphas on the spot",
    "local": "photons; all charged particles deposit their energy on the spot",
}


def nm_manifest(
    settings: NmSettings,
    main: MethodDose,
    patient: Patient,
    nuclide: Nuclide,
    tia: TimeIntegratedActivity,
    *,
    inputs: Mapping[str, str],
    seconds: Mapping[str, float],
    report: RadiopharmaceuticalReport | None,
) -> dict[str, Any]:
    """Manifest of the dose of an administration.

    Parameters
    ----------
    settings : NmSettings
    main : MethodDose
    patient : Patient
    nuclide : Nuclide
    tia : TimeIntegratedActivity
    inputs : mapping of str to str
        SHA-256 of every input.
    seconds : mapping of str to float
        Wall time of the stages.
    report : RadiopharmaceuticalReport or None
    """
    deposit = main.deposit
    manifest: dict[str, Any] = {
        "milligray_version": package_version("milligray"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "stage_seconds": {name: round(value, 2) for name, value in seconds.items()},
        "converged": deposit.converged if deposit is not None else True,
        "hardware": f"{processor()}, {os.cpu_count()} logical processors",
        "settings": asdict(settings),
        "inputs": dict(inputs),
        "versions": {"python": platform.python_version()}
        | {name: package_version(name) for name in (*PACKAGES, "icrp107-database")},
        "tables": {
            "cross sections": f"xraylib {package_version('xraylib')}, mucoeff above 800 keV",
            "nuclides": f"ICRP 107 (icrp107-database {package_version('icrp107-database')})",
            "HU calibration": settings.calibration,
            "compiled physics": sources_stamp()[:16],
        },
        "nuclide": {
            "name": nuclide.name,
            "half_life_s": nuclide.half_life_s,
            "progeny": [asdict(p) for p in nuclide.progeny],
            "kev_per_decay": {
                lines.particle: lines.energy_per_decay_kev for lines in nuclide.emissions
            },
        },
        "activity": {
            "administered_mbq": tia.administered_activity_mbq,
            "total_tia_mbq_s": tia.total_mbq_s,
            "kinetics": tia.method,
        },
        "transport_grid": {
            "shape_zyx": patient.grid.shape, "spacing_mm_zyx": patient.grid.spacing_mm,
        },
        "validation": "EGSnrc voxel S-values, TG-195: docs/validation, `milligray validate`",
    }  # fmt: skip
    if report is not None:
        manifest["dose_report"] = {
            "agent": report.agent,
            "stated_effective_dose_msv": report.effective_dose_msv,
        }
    if deposit is not None:
        manifest |= {
            "histories": deposit.histories,
            "batches": deposit.batches,
            "seconds": deposit.seconds,
            "device": deposit.device,
            "threads": deposit.threads,
            "transport": {
                "particles": CHARGED[settings.electrons],
                "cross_sections": "xraylib; mucoeff above 800 keV and for pair production",
                "interactions": (
                    "photoelectric with K fluorescence, Compton with S(x, Z), Rayleigh, pairs;"
                    " Moller and Bhabha collisions, screened Rutherford scattering, Seltzer-Berger"
                    " bremsstrahlung, annihilation at rest and in flight"
                ),
                "cutoffs": (
                    f"photons {CUTOFF_KEV:g} keV, charged particles {ABSORPTION_KEV:g} keV; hard"
                    f" collisions from {COLLISION_CUTOFF_KEV:g} keV, photons from"
                    f" {PHOTON_CUTOFF_KEV:g} keV; steps {ELASTIC_SHARE:g} of the transport mean"
                    f" free path, {LOSS_SHARE:g} of the energy"
                ),
                "variance_reduction": (
                    "track-length estimator of photons; several annihilation pairs a positron;"
                    " particles that cannot leave their voxel end there"
                ),
                "scored": "energy imparted per voxel and per organ",
                "random_numbers": "Philox4x32-7, keyed by seed and history",
                "statistical_method": f"{deposit.batches} batches of equal size",
                "surroundings": "vacuum outside the transport grid",
            },
        }
    return manifest

"""A small nuclear-medicine exam in the water box of conftest.py: numbers to be found again."""

from dataclasses import replace
from typing import Any

import numpy as np

from milligray.report.nm_result import NmResult, RegionEffect, RegionKinetics
from milligray.score.dose import BudgetEntry, DoseMap, OrganDose, OrganDoses
from milligray.score.dvh import organ_dose_volume_histograms
from milligray.score.effective_dose import EffectiveDose
from milligray.source.nuclide import load_nuclide
from milligray.source.time_integrated_activity import TimeIntegratedActivity

ADMINISTERED_MBQ = 7400.0
HOURS = (4.0, 24.0, 100.5)
METHOD = "monte-carlo:decays"
HALF_LIFE_S = 50.0 * 3600.0


def kinetics(region: str, start_mbq: float) -> RegionKinetics:
    """Mono-exponential: the integral is known in closed form."""
    rate = np.log(2.0) / HALF_LIFE_S
    times = 3600.0 * np.array(HOURS)
    curve = np.linspace(0.0, 3600.0 * 150.0, 61)
    tia = start_mbq / rate
    return RegionKinetics(
        region=region, times_s=times, activity_mbq=start_mbq * np.exp(-rate * times),
        curve_times_s=curve, curve_mbq=start_mbq * np.exp(-rate * curve), tia_mbq_s=tia,
        tia_coefficient_s=tia / ADMINISTERED_MBQ, effective_half_life_s=HALF_LIFE_S,
        relative_uncertainty=0.07, method="mono-exponential (AICc)",
    )  # fmt: skip


def budget(statistics: float, volume: float) -> tuple[BudgetEntry, ...]:
    return (
        BudgetEntry(
            component="Transport and S-values", relative_uncertainty=statistics, kind="A",
            basis="batches",
        ),
        BudgetEntry(
            component="Volume of the contour", relative_uncertainty=volume, kind="B",
            basis="EANM 2018",
        ),
        BudgetEntry(
            component="Calibration of the activity", relative_uncertainty=0.05, kind="B",
            basis="judgement",
        ),
    )  # fmt: skip


def make_nm_result(box: Any, **changes: Any) -> NmResult:
    """NmResult on patient and organs of a CT result (the box)."""
    patient, organs = box.patient, box.organs
    shape = patient.grid.shape
    rng = np.random.default_rng(8)
    dose = DoseMap(
        grid=patient.grid, dose_mgy=np.where(patient.body, 900.0 + 200.0 * rng.random(shape), 0.0),
        relative_uncertainty=np.where(patient.body, 0.02, 0.0), method=METHOD,
    )  # fmt: skip
    rows = (
        OrganDose(
            organ="liver", mean_dose_mgy=987.654321, relative_uncertainty=0.003, volume_ml=1500.0,
            mass_g=1580.0, fraction_in_image=1.0, method=METHOD,
        ),
        OrganDose(
            organ="lung_upper_lobe_left", mean_dose_mgy=12.5, relative_uncertainty=0.02,
            volume_ml=7.5, mass_g=2.0, fraction_in_image=float("nan"), method=METHOD,
        ),
    )  # fmt: skip
    tia = TimeIntegratedActivity(
        grid=patient.grid, tia_mbq_s=np.where(patient.body, 3.0e4, 0.0), relative_uncertainty=0.07,
        administered_activity_mbq=ADMINISTERED_MBQ, nuclide="Lu-177", method="mono",
        notes=("kinetics of single voxels are noisy",),
    )  # fmt: skip
    made = NmResult(
        dose=dose,
        organ_doses=OrganDoses(rows=rows),
        patient=patient,
        organs=organs,
        nuclide=load_nuclide("Lu-177"),
        tia=tia,
        kinetics=(kinetics("liver", 500.0), kinetics("lesion <1>", 20.0)),
        dose_rates={
            3600.0 * hour: np.where(patient.body, np.float32(50.0 / hour), 0.0) for hour in HOURS
        },
        images=tuple(
            {
                "time_s": 3600.0 * hour, "units": "BQML", "decay_correction": "START",
                "total_mbq": 6000.0 / hour, "registration": {"shift_mm": [1.0, 0.5, 0.0]},
            }
            for hour in HOURS
        ),
        budgets={"liver": budget(0.003, 0.04), "lung_upper_lobe_left": budget(0.02, 0.2)},
        dvh=organ_dose_volume_histograms(dose, organs, patient),
        manifest={
            "milligray_version": "0.1.0", "created": "2026-03-01T12:00:00+00:00",
            "histories": 10**7, "seed": 3, "seconds": 41.5, "converged": True,
            "settings": {"method": "monte-carlo", "precision": float("nan")},
            "inputs": {"image 1": "ab" * 32},
        },
        effective_dose=EffectiveDose(
            effective_dose_msv=91.2, coefficient_msv_per_mbq=91.2 / ADMINISTERED_MBQ,
            tissues={"liver": 987.654321, "lung": 12.5}, stood_in={"gonads": "urinary_bladder"},
            stood_in_weight=0.08, notes=("for a reference person",),
        ),
        effects=(
            RegionEffect(
                region="liver", alpha_beta_gy=2.5, repair_half_life_s=5400.0,
                protraction_factor=0.03, bed_mgy=1001.5, eqd2_mgy=556.4, eud_mgy=float("nan"),
            ),
        ),
        compared={
            "ssv": OrganDoses(
                rows=tuple(
                    replace(row, mean_dose_mgy=row.mean_dose_mgy * factor, method="ssv")
                    for row, factor in zip(rows, (0.97, 0.31), strict=True)
                )
            )
        },
        warnings=("<b>kinetics were & are assumed</b>",),
        notes=("image 1 was moved",),
    )  # fmt: skip
    return replace(made, **changes)

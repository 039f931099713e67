"""Compare methods of internal dosimetry with Monte Carlo, and a simulated therapy with its truth.

    python tools/study_internal_methods.py --torso DIR --petct DIR --dicom DIR [--histories N]
                                           [--out docs/validation]

Data (not shipped): lu177_dotatate and ts_abdomen_pelvis (real CTs, real organs) with the INVENTED
activities of examples/lu177_dotatate.toml and examples/f18_abdomen.toml, made here by
tools/make_spect_phantom.py; the real FDG PET/CT sts_002_petct with the tumor outline of STS_002.
Writes internal_methods.csv and the tables of internal_methods.md, between its markers.

All methods get the same decays in the same voxels, so what differs is the dose computation alone.
"""

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import internal_methods_page
import numpy as np
from scipy import ndimage

import milligray as mg
from milligray.exam.nm_exam import NmInput, compute_nm_exam
from milligray.exam.nm_methods import MethodDose, dose_by_method
from milligray.exam.nm_settings import NmSettings
from milligray.patient.patient import Patient
from milligray.read import ActivityFacts, read_activity, read_ct_nifti, read_labels
from milligray.score.budget import combine
from milligray.segment import organ_mass_weights
from milligray.segment.mass_weights import OrganMassWeights
from milligray.source.activity_on_patient import activity_on_patient
from milligray.source.nuclide import Nuclide, load_nuclide
from milligray.source.partial_volume import RecoveryCurve, sphere_recovery

HERE = Path(__file__).parent
OTHERS = ("msv", "ssv", "local", "mird")
MAPS = ("msv", "ssv", "local")
LUNG_BELOW, BONE_FROM = 0.66, 1.23
"""Middles between the kernels' densities [g/cm3]: as the method msv divides."""
EMPTY_BELOW = 0.1
RESOLUTION_MM, VOXEL_MM = 10.0, 4.42
VOLUMES_ML = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0)
HOURS = (4, 24, 96, 168)
SHOWN_SHARE = 0.02
"""Voxels below this share of the highest dose (99.5th percentile) are left out of voxel errors."""
Row = dict[str, object]


def tissues(patient: Patient) -> dict[str, np.ndarray]:
    """Masks of lung, soft tissue and bone, each inside and at a border with another or with air."""
    density = patient.density_g_cm3
    kind = np.digitize(density, (EMPTY_BELOW, LUNG_BELOW, BONE_FROM))
    kind[~patient.body] = 0
    low, high = ndimage.minimum_filter(kind, 3), ndimage.maximum_filter(kind, 3)
    found = {}
    for number, name in enumerate(("lung", "soft tissue", "bone"), 1):
        found[f"{name}, inside"] = (kind == number) & (low == high)
        found[f"{name}, border"] = (kind == number) & (low != high)
    return found


def compared(
    case: str, patient: Patient, nuclide: Nuclide, tia: np.ndarray, weights: OrganMassWeights,
    settings: NmSettings, truth_mgy: dict[str, float] | None = None,
) -> Iterator[Row]:  # fmt: skip
    """Rows of one case; its doses by Monte Carlo go into `truth_mgy`."""
    doses: dict[str, MethodDose] = {}
    for method in ("monte-carlo", *OTHERS):
        began = time.perf_counter()
        doses[method] = dose_by_method(
            method, patient, nuclide, tia, weights, settings,  # type: ignore[arg-type]
        )  # fmt: skip
        seconds = time.perf_counter() - began
        yield {"case": case, "table": "seconds", "method": method, "value": seconds}
        print(f"{case} {method}: {seconds:.0f} s", flush=True)
    truth = doses["monte-carlo"].dose
    if truth_mgy is not None:
        truth_mgy.update(zip(weights.names, truth.organs.mean_dose_mgy, strict=True))
    for method in OTHERS:
        for i, name in enumerate(weights.names):
            ours = doses[method].dose.organs
            u = np.hypot(ours.relative_uncertainty[i], truth.organs.relative_uncertainty[i])
            ratio = ours.mean_dose_mgy[i] / truth.organs.mean_dose_mgy[i]
            yield {"case": case, "table": "organ", "region": name, "method": method,
                   "value": ratio, "u": u * ratio, "truth": truth.organs.mean_dose_mgy[i],
                   "volume_ml": weights.volume_ml[i]}  # fmt: skip
    again = dose_by_method(
        "monte-carlo", patient, nuclide, tia, weights, replace(settings, seed=2)
    ).dose.dose_mgy.astype(float)
    pooled = 0.5 * (truth.dose_mgy + again)
    seen = pooled > SHOWN_SHARE * np.percentile(pooled[patient.body], 99.5)
    for region, mask in tissues(patient).items():
        inside = mask & seen
        if not inside.any():
            continue
        first, second = truth.dose_mgy[inside].astype(float), again[inside]
        mean, mass = pooled[inside], patient.mass_g[inside]
        noise = float(np.nanmean(truth.relative_uncertainty[inside])) / np.sqrt(2.0)
        for method in MAPS:
            dose = doses[method].dose.dose_mgy[inside]
            # the mean product of differences from two independent runs is free of their noise
            squares = (dose - first) * (dose - second) / mean**2
            base = {"case": case, "region": region, "method": method, "u": noise,
                    "truth": float((dose * mass).sum() / (mean * mass).sum()),
                    "volume_ml": int(inside.sum()) * patient.grid.voxel_volume_cm3}  # fmt: skip
            mrae = float(np.mean(np.abs(dose / mean - 1.0)))
            yield {**base, "table": "voxel", "value": mrae}
            yield {**base, "table": "voxel rms", "value": float(np.sqrt(max(0.0, squares.mean())))}


def phantom(torso: Path, case: str, recipe: str, out: Path) -> Path:
    """Simulated images and their truth."""
    subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, str(HERE / "make_spect_phantom.py"), str(torso / f"{case}_ct.nii.gz"),
         str(torso / f"{case}_labels.nii.gz"), str(HERE.parent / "examples" / recipe),
         "--case", case, "--out", str(out)],
        check=True,
    )  # fmt: skip
    return out


def simulated(
    torso: Path, case: str, recipe: str, nuclide: str, out: Path, histories: int
) -> Iterator[Row]:
    """Methods on the true decays of a simulated administration."""
    folder = phantom(torso, case, recipe, out / case)
    ct = read_ct_nifti(torso / f"{case}_ct.nii.gz")
    patient = mg.build_patient(ct, calibration="schneider2000")
    labels = read_labels(folder / "organs.nii.gz", names=folder / "names.json")
    weights = organ_mass_weights(patient, mg.segment_organs(patient, labels=labels))
    data = load_nuclide(nuclide)
    tia = true_decays(folder, patient, nuclide)
    settings = NmSettings(kinetics="physical", precision=None, histories=histories)
    inside: dict[str, float] = {}
    yield from compared(case, patient, data, tia, weights, settings, inside)
    if case == "lu177_dotatate":
        yield from therapy(ct, labels, folder, inside)


def true_decays(folder: Path, patient: Patient, nuclide: str) -> np.ndarray:
    """Decays that the simulation was made with [MBq s per voxel]."""
    facts = ActivityFacts(units="MBq", nuclide=nuclide, reference_s_after_administration=0.0)
    image = read_activity(folder / "truth_tia.nii.gz", facts=facts)  # MBq s, read as MBq
    return activity_on_patient(image, patient).activity_mbq


def recovery_curve(path: Path) -> RecoveryCurve:
    """Coefficients of spheres at the resolution of the simulated images, voxels included."""
    widened = np.sqrt(RESOLUTION_MM**2 + 8.0 * np.log(2.0) * 2.0 * VOXEL_MM**2 / 12.0)
    values = [round(sphere_recovery(v, float(widened)), 4) for v in VOLUMES_ML]
    path.write_text(
        f'name = "spheres, {widened:.1f} mm"\nvolume_ml = {list(VOLUMES_ML)}\n'
        f"recovery = {values}\nrelative_uncertainty = 0.05\n"
    )
    return RecoveryCurve(
        volume_ml=np.array(VOLUMES_ML), recovery=np.array(values), relative_uncertainty=0.05,
        name=path.stem,
    )  # fmt: skip


def therapy(ct: object, labels: object, folder: Path, truth_mgy: dict[str, float]) -> Iterator[Row]:
    """Four simulated SPECTs, fitted, with and without recovery, against what they were made of."""
    with (folder / "truth.csv").open() as file:
        true = {row["region"]: row for row in csv.DictReader(file)}
    images = tuple(read_activity(folder / f"spect_{h}h.nii.gz") for h in HOURS)
    curve = recovery_curve(folder / "recovery.toml")
    for name, recovery in (("as seen", None), ("recovered", curve)):
        began = time.perf_counter()
        result = compute_nm_exam(
            NmInput(ct=ct, images=images, labels=labels, recovery=recovery),  # type: ignore[arg-type]
            NmSettings(kinetics="fit", voxel_size_mm=None, resolution_mm=RESOLUTION_MM,
                       dose_rates=False),
        )  # fmt: skip
        yield {"case": "four SPECTs", "table": "seconds", "method": name,
               "value": time.perf_counter() - began}  # fmt: skip
        doses = {row.organ: row for row in result.organ_doses.rows}
        for region in result.kinetics:
            t, dose = true[region.region], doses[region.region]
            u = combine(result.budgets[region.region])
            known = truth_mgy[region.region]
            base = {"case": "four SPECTs", "region": region.region, "method": name,
                    "volume_ml": dose.volume_ml}  # fmt: skip
            hours = region.effective_half_life_s / 3600.0
            yield {**base, "table": "half-life", "value": hours,
                   "truth": float(t["effective_half_life_h"])}  # fmt: skip
            tia = float(t["tia_mbq_s"])
            yield {**base, "table": "tia", "value": region.tia_mbq_s / tia, "truth": tia,
                   "u": region.relative_uncertainty * region.tia_mbq_s / tia}  # fmt: skip
            yield {**base, "table": "dose", "value": dose.mean_dose_mgy / known, "truth": known,
                   "u": 2.0 * u * dose.mean_dose_mgy / known}  # fmt: skip


def real(dicom: Path, petct: Path, histories: int) -> Iterator[Row]:
    """Methods on the decays of the real PET/CT: physical decay of what it shows."""
    folder = dicom / "sts_002_petct"
    patient = mg.build_patient(
        mg.read_ct_series(folder), calibration="schneider2000", voxel_size_mm=3.0
    )
    labels = read_labels(petct / "STS_002_ct_tumour.nii.gz", names={1: "tumor"})
    weights = organ_mass_weights(patient, mg.segment_organs(patient, labels=labels))
    nuclide = load_nuclide("F-18")
    placed = activity_on_patient(read_activity(folder), patient)
    grown = np.exp(nuclide.decay_constant_per_s * placed.image.reference_s_after_administration)
    seconds = grown / nuclide.decay_constant_per_s  # in place since the injection
    settings = NmSettings(kinetics="physical", precision=None, histories=histories)
    tia = placed.activity_mbq * seconds
    yield from compared("sts_002_petct", patient, nuclide, tia, weights, settings)


def main() -> None:
    """Compute all cases and write table and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("torso", "petct", "dicom"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--histories", type=int, default=2_000_000)
    parser.add_argument("--work", type=Path, default=Path("study_internal"))
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "validation")
    o = parser.parse_args()
    seconds = time.perf_counter()
    rows = [
        *simulated(o.torso, "lu177_dotatate", "lu177_dotatate.toml", "Lu-177", o.work, o.histories),
        *simulated(o.torso, "ts_abdomen_pelvis", "f18_abdomen.toml", "F-18", o.work, o.histories),
        *real(o.dicom, o.petct, o.histories),
    ]
    print(f"in all {time.perf_counter() - seconds:.0f} s")
    internal_methods_page.write_csv(rows, o.out / "internal_methods.csv")
    internal_methods_page.fill_page(o.out / "internal_methods.md", rows)


if __name__ == "__main__":
    main()

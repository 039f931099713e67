"""Laws of whole anatomies: volumes, sides, neighbors, and how they follow their parameters."""

import numpy as np
import pytest
from scipy import ndimage

from milligray.anatomy import Anatomy, AnatomyParameters, anatomy_ct, build, build_anatomy
from milligray.anatomy.targets import tissue_density
from milligray.errors import InputError
from milligray.patient import build_patient
from milligray.segment import organ_catalog, organ_mass_weights, segment_organs

WEIGHT_TOLERANCE = 0.01


def label(anatomy: Anatomy, name: str) -> int:
    return next(v for v, n in anatomy.names.items() if n == name)


def center_mm(anatomy: Anatomy, name: str) -> np.ndarray:
    """Center of a structure, (x, y, z)."""
    found = np.argwhere(anatomy.structure == label(anatomy, name))
    return anatomy.grid.to_lps_mm(found.mean(axis=0))


def mass_kg(anatomy: Anatomy) -> float:
    density = np.array([tissue_density(name) for name in anatomy.tissues])
    density[list(anatomy.tissues).index("lung")] = anatomy.parameters.lung_density_g_cm3
    return float((anatomy.tissue_volume_ml()[1:] @ density).sum()) * 1e-3


@pytest.fixture(params=["man", "woman"])
def person(request: pytest.FixtureRequest) -> Anatomy:
    return request.getfixturevalue(request.param)


def test_volumes_meet_their_targets(person: Anatomy) -> None:
    volumes = person.volume_ml()
    voxel = person.grid.voxel_volume_cm3
    off = {
        name: volumes[name] / wanted - 1.0
        for name, wanted in person.target_ml.items()
        if abs(volumes[name] - wanted) > max(0.02 * wanted, 1.01 * voxel)
    }
    assert not off
    assert len(person.target_ml) > 100


def test_the_weight_is_met(person: Anatomy) -> None:
    assert mass_kg(person) == pytest.approx(person.parameters.weight_kg, rel=WEIGHT_TOLERANCE)


def test_the_height_is_met(person: Anatomy) -> None:
    rows = np.flatnonzero((person.structure > 0).any(axis=(1, 2)))
    z = person.grid.axis_centers_mm(0)[rows]
    height = z[-1] - z[0] + person.grid.spacing_mm[0]
    assert height == pytest.approx(person.parameters.height_mm, rel=0.012)


def test_every_voxel_of_the_body_has_tissue_and_no_tissue_is_outside(person: Anatomy) -> None:
    air = person.tissues.index("air")
    gas = {person.tissues.index(n) for n in ("air", "gas")}
    assert not np.any(person.tissue[person.structure == 0] != air)
    solid = person.structure == label(person, "skeletal_muscle")
    assert not np.isin(person.tissue[solid], list(gas)).any()


def test_no_hole_between_the_organs(person: Anatomy) -> None:
    body = person.structure > 0
    holes = 0
    for plane in body[:: max(1, body.shape[0] // 60)]:
        holes += np.count_nonzero(ndimage.binary_fill_holes(plane) & ~plane)
    assert holes < 0.0005 * np.count_nonzero(body)


def test_organs_lie_on_their_sides(person: Anatomy) -> None:
    for name in ("spleen", "stomach", "aorta", "heart_ventricle_left", "pancreas"):
        assert center_mm(person, name)[0] > 0, name
    for name in ("liver", "gallbladder", "inferior_vena_cava"):
        assert center_mm(person, name)[0] < 0, name
    for name in person.names.values():
        if name.endswith("_left") and name.replace("_left", "_right") in person.names.values():
            left, right = center_mm(person, name), center_mm(person, name.replace("left", "right"))
            assert left[0] > right[0], name
            assert left[0] > -10.0, name


def test_organs_have_their_neighbors_above_and_below(person: Anatomy) -> None:
    order = (
        "brain", "mandible", "thyroid_gland", "heart_ventricle_left", "liver", "kidney_left",
        "urinary_bladder", "femur_left", "patella_left", "tibia_left", "foot_bones_left",
    )  # fmt: skip
    heights = [center_mm(person, name)[2] for name in order]
    assert heights == sorted(heights, reverse=True)
    for side in ("left", "right"):
        above = center_mm(person, f"adrenal_gland_{side}")[2]
        assert above > center_mm(person, f"kidney_{side}")[2]
    assert center_mm(person, "kidney_left")[2] > center_mm(person, "kidney_right")[2]
    assert center_mm(person, "trachea")[1] < center_mm(person, "esophagus")[1]
    assert center_mm(person, "sternum")[1] < center_mm(person, "vertebrae_T6")[1]


def test_the_spine_is_in_order(person: Anatomy) -> None:
    names = [
        f"vertebrae_{p}{k}" for p, n in (("C", 7), ("T", 12), ("L", 5)) for k in range(1, n + 1)
    ]
    heights = [center_mm(person, name)[2] for name in names]
    assert np.all(np.diff(heights) < 0)


def test_bones_of_the_two_sides_are_mirror_images(person: Anatomy) -> None:
    """A pair may differ by the voxels that its neighbors took first, no more."""
    for name in ("femur", "hip", "scapula", "clavicula", "humerus", "tibia", "rib_%s_5"):
        left, right = (
            (name % side if "%s" in name else f"{name}_{side}") for side in ("left", "right")
        )
        mine = person.structure == label(person, left)
        other = (person.structure == label(person, right))[:, :, ::-1]
        overlap = np.count_nonzero(mine & other) / np.count_nonzero(mine | other)
        assert overlap > 0.95, name


def test_bones_have_a_cortex_around_their_spongiosa(person: Anatomy) -> None:
    cortex, spongiosa = (person.tissues.index(n) for n in ("cortical_bone", "spongiosa"))
    for name in ("femur_left", "hip_left"):
        bone = person.structure == label(person, name)
        rim = bone & ~ndimage.binary_erosion(bone)
        inner = ndimage.binary_erosion(bone, iterations=2)
        assert np.mean(person.tissue[rim] == cortex) > np.mean(person.tissue[inner] == cortex)
        assert np.any(person.tissue[inner] == spongiosa)


def test_masses_by_the_ct_calibration_are_the_reference_masses(man: Anatomy) -> None:
    """The whole way of any CT: image, calibration, organ masses; ICRP 89 within 5 %."""
    ct, labels = anatomy_ct(man)
    patient = build_patient(ct, calibration="schneider2000")
    weights = organ_mass_weights(patient, segment_organs(patient, labels))
    masses = dict(zip(weights.names, weights.mass_g, strict=True))
    catalog = organ_catalog()
    for name in ("liver", "spleen", "brain", "pancreas", "stomach", "kidney_left", "kidney_right",
                 "gallbladder"):  # fmt: skip
        assert masses[name] == pytest.approx(catalog[name].reference_mass_male_g, rel=0.05), name
    lungs = sum(m for n, m in masses.items() if n.startswith("lung_"))
    assert lungs == pytest.approx(1200.0, rel=0.05)


def test_same_seed_same_person_other_seed_another_of_the_same_volumes() -> None:
    made = [
        build_anatomy(AnatomyParameters(sex="female", variation=1.0, seed=seed), spacing_mm=6.0)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(made[0].structure, made[1].structure)
    assert np.mean(made[0].structure != made[2].structure) > 0.002
    assert made[0].target_ml == made[2].target_ml


def test_more_weight_is_more_fat_and_a_wider_body() -> None:
    areas, fat, muscle = [], [], []
    for weight in (58.0, 75.0, 110.0):
        a = build_anatomy(AnatomyParameters(sex="male", weight_kg=weight), spacing_mm=6.0)
        volumes = a.volume_ml()
        fat.append(volumes["subcutaneous_fat"] + volumes["torso_fat"])
        muscle.append(volumes["skeletal_muscle"])
        row = int(np.argmin(np.abs(a.grid.axis_centers_mm(0) - center_mm(a, "vertebrae_L3")[2])))
        areas.append(np.count_nonzero(a.structure[row]))
        assert mass_kg(a) == pytest.approx(weight, rel=1.5 * WEIGHT_TOLERANCE)
    for series in (areas, fat, muscle):
        assert series == sorted(series)


def test_fat_scale_scales_the_fat_under_the_skin_alone() -> None:
    plain, fatter = (
        build_anatomy(AnatomyParameters(sex="female", fat_scale=scale), spacing_mm=6.0)
        for scale in (1.0, 1.3)
    )
    before, after = plain.volume_ml(), fatter.volume_ml()
    assert after["subcutaneous_fat"] == pytest.approx(1.3 * before["subcutaneous_fat"], rel=0.02)
    for name in ("liver", "skeletal_muscle", "femur_left"):
        assert after[name] == pytest.approx(before[name], rel=0.005), name


def test_organ_scale_scales_one_organ() -> None:
    plain, larger = (
        build_anatomy(AnatomyParameters(sex="male", organ_scale=scale), spacing_mm=6.0)
        for scale in ({}, {"liver": 1.1, "spleen": 0.8})
    )
    before, after = plain.volume_ml(), larger.volume_ml()
    assert after["liver"] == pytest.approx(1.1 * before["liver"], rel=0.01)
    assert after["spleen"] == pytest.approx(0.8 * before["spleen"], rel=0.02)
    assert after["brain"] == before["brain"]


def test_taller_persons_have_longer_bones() -> None:
    lengths = []
    for height in (1550.0, 1760.0, 2050.0):
        a = build_anatomy(AnatomyParameters(sex="male", height_mm=height), spacing_mm=6.0)
        rows = np.flatnonzero((a.structure == label(a, "femur_left")).any(axis=(1, 2)))
        lengths.append(float(rows[-1] - rows[0]) * 6.0)
    ratios = np.array(lengths) / lengths[1]
    np.testing.assert_allclose(ratios, [1550 / 1760, 1.0, 2050 / 1760], atol=0.03)


def test_less_dense_lungs_are_larger_and_weigh_the_same() -> None:
    volumes = []
    for density in (0.40, 0.25):
        a = build_anatomy(AnatomyParameters(sex="male", lung_density_g_cm3=density), spacing_mm=6.0)
        lungs = sum(v for n, v in a.volume_ml().items() if n.startswith("lung_"))
        assert lungs * density == pytest.approx(1200.0, rel=0.02)
        volumes.append(lungs)
    assert volumes[1] > 1.5 * volumes[0]


def test_raised_arms_are_beside_the_head_and_nothing_else_moves_far() -> None:
    up = build_anatomy(AnatomyParameters(sex="male", arms="up"), spacing_mm=6.0)
    down = build_anatomy(AnatomyParameters(sex="male"), spacing_mm=6.0)
    for side in ("left", "right"):
        assert center_mm(up, f"radius_{side}")[2] > center_mm(up, "brain")[2]
        assert center_mm(down, f"radius_{side}")[2] < center_mm(down, "liver")[2]
    for name in ("liver", "femur_left", "brain", "vertebrae_L3"):
        np.testing.assert_allclose(center_mm(up, name), center_mm(down, name), atol=3.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"height_mm": 900.0}, "height_mm must be 1500 to 2100"),
        ({"weight_kg": 200.0}, "BMI of 64"),
        ({"arms": "crossed"}, "arms must be"),
        ({"organ_scale": {"liver": 5.0}}, "organ_scale of liver must be 0.5 to 2"),
        ({"organ_scale": {"livre": 1.1}}, "did you mean 'liver'"),
    ],
)
def test_impossible_persons_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_anatomy(AnatomyParameters(sex="male", **wrong), spacing_mm=6.0)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("sex", ["male", "female"])
@pytest.mark.parametrize(
    ("height", "bmi", "lung"),
    [
        (1500, 18, 0.2),
        (1500, 42, 0.4),
        (2100, 18, 0.2),
        (2100, 40, 0.3),
        (1700, 48, 0.25),
        (1850, 16, 0.19),
    ],
)
def test_extreme_persons_can_be_made(sex: str, height: float, bmi: float, lung: float) -> None:
    made = build_anatomy(
        AnatomyParameters(
            sex=sex,  # type: ignore[arg-type]
            height_mm=height, weight_kg=bmi * (height * 1e-3) ** 2, lung_density_g_cm3=lung,
            variation=1.0, seed=7, arms="up",
        ),
        spacing_mm=6.0,
    )  # fmt: skip
    assert mass_kg(made) == pytest.approx(made.parameters.weight_kg, rel=0.02)


def test_a_body_larger_than_expected_gets_a_larger_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "GRID_MARGINS_MM", (-40.0, 60.0))
    made = build_anatomy(AnatomyParameters(sex="male", arms="up"), spacing_mm=6.0)
    body = made.structure > 0
    for axis in range(3):
        seen = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        assert seen[0] > 0
        assert seen[-1] < body.shape[axis] - 1

from pathlib import Path

import numpy as np
import pytest

from milligray.anatomy.tissue_appearance import (
    TissueAppearance,
    hu_of_density,
    load_tissue_appearances,
    tissue_codes,
)
from milligray.errors import InputError
from milligray.materials.hu_calibration import load_hu_calibration

DATA = Path("../shared/data")
NAMES = [
    "air", "lung", "fat", "fat_visceral", "muscle", "skin", "blood", "myocardium", "liver",
    "spleen", "kidney", "pancreas", "adrenal", "bowel_wall", "bowel_content", "stomach_content",
    "gas", "urine", "bile", "brain", "cerebrospinal_fluid", "spinal_cord", "eye", "lens",
    "cortical_bone", "spongiosa", "marrow", "cartilage", "disc", "teeth", "salivary_gland",
    "thyroid", "prostate", "uterus", "ovary", "testis", "breast_gland", "tongue", "thymus",
    "soft_tissue", "esophagus", "trachea_wall",
]  # fmt: skip
BONE = ("cortical_bone", "spongiosa", "teeth")


def test_table_has_every_tissue_once_and_air_first() -> None:
    assert [row.name for row in load_tissue_appearances()] == NAMES
    assert tissue_codes()["air"] == 0


@pytest.mark.parametrize("row", load_tissue_appearances(), ids=lambda row: row.name)
def test_schneider_gives_the_nominal_density(row: TissueAppearance) -> None:
    density = load_hu_calibration("schneider2000", metal="bone").density_g_cm3(row.hu_120kv)
    tolerance = 0.04 if row.name in BONE else 0.02
    assert abs(float(density) / row.density_g_cm3 - 1.0) <= tolerance


@pytest.mark.parametrize("density", [0.15, 0.26, 0.41, 0.95, 1.03, 1.05, 1.3, 1.92, 2.6])
def test_hu_of_density_inverts_the_curve(density: float) -> None:
    curve = load_hu_calibration("schneider2000", metal="bone")
    assert float(curve.density_g_cm3(hu_of_density(density))) == pytest.approx(density, rel=0.002)


def test_density_outside_the_curve_is_refused() -> None:
    with pytest.raises(InputError, match="density_g_cm3"):
        hu_of_density(5.0)


def test_contrast_medium_adds_and_arteries_come_first() -> None:
    rows = {row.name: row for row in load_tissue_appearances()}
    assert rows["liver"].enhancement_hu("none") == 0.0
    for row in rows.values():
        assert min(row.enhancement_hu(p) for p in ("arterial", "portal", "late")) >= 0.0
    blood, liver = rows["blood"], rows["liver"]
    assert blood.enhancement_hu("arterial") > blood.enhancement_hu("portal")
    assert blood.enhancement_hu("portal") > blood.enhancement_hu("late")
    assert liver.enhancement_hu("portal") > liver.enhancement_hu("arterial")


@pytest.mark.validation
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("case", "organ", "tissue", "tolerance_hu"),
    [
        ("ts_abdomen_pelvis", "liver", "liver", 12),
        ("ts_abdomen_pelvis", "spleen", "spleen", 15),
        ("ts_abdomen_pelvis", "aorta", "blood", 6),
        ("ts_abdomen_pelvis", "iliopsoas_left", "muscle", 6),
        ("ts_abdomen_pelvis", "urinary_bladder", "urine", 6),
        ("ts_abdomen_pelvis", "gallbladder", "bile", 6),
        ("lu177_dotatate", "liver", "liver", 6),
        ("lu177_dotatate", "spleen", "spleen", 6),
        ("lu177_dotatate", "kidney_left", "kidney", 6),
    ],
)
def test_ct_numbers_are_those_of_real_unenhanced_scans(
    case: str, organ: str, tissue: str, tolerance_hu: float
) -> None:
    import milligray as mg

    ct = mg.read_ct_nifti(DATA / f"torso/{case}_ct.nii.gz")
    labels = mg.read_labels(DATA / f"torso/{case}_labels.nii.gz")
    value = next(v for v, name in labels.names.items() if name == organ)
    median = float(np.median(ct.volume.values[labels.volume.values == value]))
    row = load_tissue_appearances()[tissue_codes()[tissue]]
    # persons differ by variation_hu; the tolerance is two of them and the labels' edges
    assert abs(median - row.hu_120kv) <= tolerance_hu

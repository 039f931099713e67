import pickle
from dataclasses import replace

import numpy as np
import pytest

from milligray.anatomy.couch import with_posterior_margin
from milligray.anatomy.ct_numbers import ct_numbers
from milligray.anatomy.ct_options import Couch, CtAppearance, typical_appearance
from milligray.anatomy.metal import metal_mask, place_metal
from milligray.anatomy.tissue_appearance import load_tissue_appearances, tissue_codes
from milligray.errors import GeometryError, InputError
from milligray.patient.body import find_body
from milligray.patient.build import build_patient
from milligray.read.series import CtSeries
from milligray.volume import Grid, Volume

TISSUES = load_tissue_appearances()
CODE = tissue_codes()
GRID = Grid.from_spacing((24, 100, 150), (3.0, 3.0, 3.0))


def _body() -> np.ndarray:
    """A trunk: an ellipse of muscle in skin and fat, lungs, liver, spine, aorta, bowel."""
    y, x = np.meshgrid(GRID.axis_centers_mm(1), GRID.axis_centers_mm(2), indexing="ij")

    def ellipse(x0: float, y0: float, a: float, b: float) -> np.ndarray:
        return ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 <= 1.0

    plane = np.zeros(GRID.shape[1:], dtype=np.uint8)
    for name, shape in (
        ("skin", ellipse(0, -20, 165, 105)),
        ("fat", ellipse(0, -20, 161, 101)),
        ("muscle", ellipse(0, -20, 140, 84)),
        ("lung", ellipse(-75, -35, 45, 45)),
        ("liver", ellipse(75, -30, 50, 48)),
        ("bowel_content", ellipse(0, -70, 25, 20)),
        ("spongiosa", ellipse(0, 30, 20, 18)),
        ("blood", ellipse(20, 0, 11, 11)),
    ):
        plane[shape] = CODE[name]
    return np.tile(plane, (GRID.shape[0], 1, 1))


TISSUE = _body()
PRESENT = sorted(set(np.unique(TISSUE)) - {0})


def _is(code: int) -> np.ndarray:
    return np.equal(TISSUE, code)


def _means(hu: np.ndarray) -> dict[int, float]:
    return {t: float(hu[_is(t)].mean()) for t in PRESENT}


def test_ideal_image_has_one_ct_number_a_tissue() -> None:
    hu = ct_numbers(TISSUE, TISSUES, GRID).values
    assert hu.dtype == np.int16
    for code in (0, *PRESENT):
        assert np.unique(hu[_is(code)]).tolist() == [round(TISSUES[code].hu_120kv)]


@pytest.mark.parametrize("contrast", ["none", "portal"])
def test_texture_keeps_the_mean_of_every_tissue(contrast: str) -> None:
    options = CtAppearance(texture=1.0, lung_gradient_hu_per_cm=6.0, contrast=contrast)
    hu = ct_numbers(TISSUE, TISSUES, GRID, options=options, seed=4).values
    for code, mean in _means(hu).items():
        wanted = TISSUES[code].hu_120kv + TISSUES[code].enhancement_hu(contrast)
        assert mean == pytest.approx(wanted, abs=0.3)


def test_texture_has_about_its_standard_deviation() -> None:
    from milligray.anatomy.texture import voxel_share

    hu = ct_numbers(TISSUE, TISSUES, GRID, options=CtAppearance(texture=1.0), seed=4).values
    for name in ("lung", "muscle", "liver", "spongiosa", "fat"):
        row = TISSUES[CODE[name]]
        wanted = row.texture_hu * voxel_share(row.texture_mm, GRID.spacing_mm)
        assert float(hu[_is(CODE[name])].std()) == pytest.approx(wanted, rel=0.25)


def test_noise_keeps_the_mean_of_every_tissue() -> None:
    hu = ct_numbers(TISSUE, TISSUES, GRID, options=CtAppearance(noise_hu=15.0), seed=4).values
    for code, mean in _means(hu).items():
        n = np.count_nonzero(_is(code))
        # noise is anticorrelated, so this is wide: 5 standard errors of independent voxels
        assert mean == pytest.approx(TISSUES[code].hu_120kv, abs=0.3 + 5 * 20 / np.sqrt(n))


def test_same_seed_same_bytes_and_other_seed_others() -> None:
    options = typical_appearance(table=False)
    one, again, other = (
        ct_numbers(TISSUE, TISSUES, GRID, options=options, seed=s).values.tobytes()
        for s in (7, 7, 8)
    )
    assert one == again
    assert one != other


def test_variation_moves_whole_tissues_by_the_table() -> None:
    options = CtAppearance(variation=1.0)
    livers = []
    for seed in range(200):
        hu = ct_numbers(TISSUE[:1], TISSUES, _thin(), options=options, seed=seed).values
        values = np.unique(hu[_is(CODE["liver"])[:1]])
        assert values.size == 1
        livers.append(float(values[0]))
    row = TISSUES[CODE["liver"]]
    assert np.mean(livers) == pytest.approx(row.hu_120kv, abs=5 * row.variation_hu / np.sqrt(200))
    assert np.std(livers) == pytest.approx(row.variation_hu, rel=0.25)


def _thin() -> Grid:
    return Grid(shape=(1, *GRID.shape[1:]), affine=GRID.affine)


def test_override_is_the_mean_without_variation_or_contrast() -> None:
    options = CtAppearance(variation=1.0, contrast="late", hu_overrides={"lung": -650.0})
    hu = ct_numbers(TISSUE, TISSUES, GRID, options=options, seed=3).values
    assert np.unique(hu[_is(CODE["lung"])]).tolist() == [-650]


def test_arterial_phase_spares_the_veins() -> None:
    tissue = np.full((2, 4, 4), CODE["blood"], dtype=np.uint8)
    structure = np.ones((2, 4, 4), dtype=np.uint16)
    structure[1] = 2
    grid = Grid.from_spacing((2, 4, 4), (2.0, 2.0, 2.0))
    hu = ct_numbers(
        tissue, TISSUES, grid, options=CtAppearance(contrast="arterial"),
        structure=structure, names={1: "aorta", 2: "inferior_vena_cava"},
    ).values  # fmt: skip
    blood = TISSUES[CODE["blood"]]
    assert hu[0].max() == round(blood.hu_120kv + blood.enhancement_arterial_hu)
    assert hu[1].max() == round(blood.hu_120kv + 0.15 * blood.enhancement_arterial_hu)


def test_blur_keeps_the_mass_and_smooths_the_edges() -> None:
    options = CtAppearance(resolution_mm=6.0, slice_width_mm=5.0)
    sharp = ct_numbers(TISSUE, TISSUES, GRID).values
    blurred = ct_numbers(TISSUE, TISSUES, GRID, options=options).values
    assert float(blurred.mean()) == pytest.approx(float(sharp.mean()), abs=0.1)
    assert np.unique(blurred).size > 5 * np.unique(sharp).size


def test_values_are_clipped_to_twelve_bits() -> None:
    grid = Grid.from_spacing((4, 40, 40), (5.0, 5.0, 5.0))
    tissue = np.zeros(grid.shape, dtype=np.uint8)
    tissue[:, 10:30, 10:30] = CODE["teeth"]
    hu = ct_numbers(tissue, TISSUES, grid, options=CtAppearance(noise_hu=400.0), seed=1).values
    assert hu.min() == -1024
    assert hu.max() <= 3071


def test_couch_lies_below_the_body_and_comes_off_again() -> None:
    tissue, grid = with_posterior_margin(TISSUE, GRID, 90.0)
    couch = Couch()
    bare = ct_numbers(tissue, TISSUES, grid).values
    hu = ct_numbers(tissue, TISSUES, grid, options=CtAppearance(table=True, couch=couch)).values
    assert np.array_equal(bare[tissue > 0], hu[tissue > 0])
    dense = (hu > -900) & (tissue == 0)
    assert dense.any()
    for column in range(grid.shape[2]):
        rows = np.flatnonzero(dense[:, :, column].any(axis=0))
        body = np.flatnonzero((tissue[:, :, column] > 0).any(axis=0))
        if rows.size and body.size:
            assert (rows[0] - body[-1] - 1) * 3.0 >= couch.mattress_mm - 3.0
    mask = find_body(Volume(grid=grid, values=hu))
    assert np.array_equal(mask, find_body(Volume(grid=grid, values=bare)))
    patients = [
        build_patient(
            CtSeries(volume=Volume(grid=grid, values=v), slice_thickness_mm=3.0),
            calibration="schneider2000",
        )
        for v in (bare, hu)
    ]
    assert np.array_equal(patients[0].body, patients[1].body)
    masses = [float(p.mass_g.sum()) for p in patients]
    assert masses[0] == pytest.approx(masses[1], rel=5e-4)  # the skin's last voxels hold mattress


def test_couch_without_room_is_refused() -> None:
    tissue = np.zeros((4, 60, 100), dtype=np.uint8)
    tissue[:, 10:59, 20:80] = CODE["muscle"]
    grid = Grid.from_spacing(tissue.shape, (3.0, 3.0, 3.0))
    with pytest.raises(InputError, match="posterior"):
        ct_numbers(tissue, TISSUES, grid, options=CtAppearance(table=True))


def _femur() -> tuple[np.ndarray, np.ndarray, Grid]:
    grid = Grid.from_spacing((90, 70, 110), (3.0, 3.0, 3.0))
    z, y, x = np.meshgrid(*(grid.axis_centers_mm(a) for a in range(3)), indexing="ij")
    body = (x / 150) ** 2 + (y / 95) ** 2 <= 1.0
    head = (x - 80) ** 2 + y**2 + (z - 100) ** 2 <= 24**2
    shaft = ((x - 115) ** 2 + y**2 <= 15**2) & (z < 100)
    tissue = np.where(body, CODE["muscle"], 0).astype(np.uint8)
    tissue[(head | shaft) & body] = CODE["spongiosa"]
    structure = body.astype(np.uint16)
    structure[(head | shaft) & body] = 2
    return tissue, structure, grid


def test_hip_implant_sits_in_its_femur() -> None:
    tissue, structure, grid = _femur()
    names = {1: "muscle", 2: "femur_left"}
    parts = place_metal(structure, names, grid, ("hip_left",))
    mask = metal_mask(parts, grid)
    head = next(p for p in parts if p.name == "hip_left_head")
    volume_mm3 = float(head.share.sum()) * 27.0
    assert volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * 16.0**3, rel=0.05)
    assert np.count_nonzero(mask & (structure == 2)) / np.count_nonzero(mask) > 0.8
    options = CtAppearance(metal=("hip_left",), noise_hu=10.0)
    hu = ct_numbers(
        tissue, TISSUES, grid, options=options, structure=structure, names=names, seed=1
    ).values
    assert float(np.median(hu[mask])) == 3071.0
    plain = ct_numbers(tissue, TISSUES, grid, options=CtAppearance(noise_hu=10.0), seed=1).values
    k = grid.shape[0] // 2 + 33
    around = (structure[k] == 1) & ~mask[k]
    assert float(hu[k][around].std()) > 2.0 * float(plain[k][around].std())


def test_metal_needs_its_structure_and_labels() -> None:
    tissue, structure, grid = _femur()
    names = {1: "muscle", 2: "femur_left"}
    with pytest.raises(InputError, match="femur_right"):
        place_metal(structure, names, grid, ("hip_right",))
    with pytest.raises(InputError, match="structure and names"):
        ct_numbers(tissue, TISSUES, grid, options=CtAppearance(metal=("hip_left",)))


def test_wrong_input_is_refused() -> None:
    with pytest.raises(GeometryError):
        ct_numbers(TISSUE[1:], TISSUES, GRID)
    with pytest.raises(InputError, match="codes"):
        ct_numbers(np.full(GRID.shape, 99, dtype=np.uint8), TISSUES, GRID)
    with pytest.raises(InputError, match="no tissue"):
        ct_numbers(TISSUE, TISSUES, GRID, options=CtAppearance(hu_overrides={"lnug": -700.0}))
    with pytest.raises(InputError, match="noise_hu"):
        CtAppearance(noise_hu=-1.0)
    with pytest.raises(InputError, match="contrast"):
        CtAppearance(contrast="venous")  # type: ignore[arg-type]


def test_options_travel_between_processes_and_can_be_replaced() -> None:
    options = typical_appearance(hu_overrides={"lung": -700.0})
    again = pickle.loads(pickle.dumps(options))  # noqa: S301 - our own bytes
    assert again == options
    assert replace(options, noise_hu=1.0).hu_overrides == options.hu_overrides

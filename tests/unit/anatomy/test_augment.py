from dataclasses import replace

import numpy as np
import pytest

from milligray.anatomy.augment import augment_ct, other_side
from milligray.anatomy.augmentation import Augmentation, AugmentRanges, draw_augmentation
from milligray.anatomy.deformation import deform_image, deform_labels, random_deformation
from milligray.errors import GeometryError, InputError
from milligray.read.series import CtSeries, LabelMap
from milligray.volume import Grid, Volume

GRID = Grid.from_spacing((50, 80, 100), (4.0, 3.0, 3.0))
NAMES = {
    1: "liver",
    2: "kidney_left",
    3: "kidney_right",
    4: "vertebra",
    5: "adrenal_left",
    9: "dot",
}
STILL = Augmentation(
    seed=1, deformation_mm=0.0, deformation_length_mm=60.0, bone_stiffness=0.8,
    scale_zyx=(1.0, 1.0, 1.0), is_mirrored=False, first_slice=0, n_slices=50, gain=1.0,
    noise_hu=0.0,
)  # fmt: skip


def _source() -> tuple[CtSeries, LabelMap]:
    z, y, x = np.meshgrid(*(GRID.axis_centers_mm(a) for a in range(3)), indexing="ij")
    hu = np.full(GRID.shape, -1000, dtype=np.int16)
    labels = np.zeros(GRID.shape, dtype=np.uint16)
    hu[(x / 140) ** 2 + (y / 110) ** 2 <= 1.0] = 50

    def ball(value: int, number: int, center: tuple[float, float, float], r: float) -> None:
        inside = (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2 <= r * r
        hu[inside], labels[inside] = value, number

    ball(110, 1, (-60, -20, 20), 45)
    ball(30, 2, (70, 40, 0), 25)
    ball(30, 3, (-75, 50, -50), 22)
    ball(700, 4, (0, 70, 0), 24)
    ball(10, 5, (50, 0, 40), 10)
    labels[25, 20, 50] = 9
    ct = CtSeries(volume=Volume(grid=GRID, values=hu), slice_thickness_mm=4.0)
    return ct, LabelMap(volume=Volume(grid=GRID, values=labels), names=NAMES)


CT, LABELS = _source()


def test_nothing_asked_nothing_done() -> None:
    made = augment_ct(CT, LABELS, STILL)
    assert made.ct.volume.values.dtype == np.int16
    assert np.array_equal(made.ct.volume.values, CT.volume.values)
    assert made.labels is not None
    assert np.array_equal(made.labels.volume.values, LABELS.volume.values)
    assert made.ct.volume.grid.is_same_as(GRID)


@pytest.mark.parametrize("rms_mm", [3.0, 8.0, 40.0])
def test_deformations_never_fold(rms_mm: float) -> None:
    deformation = random_deformation(GRID, 3, rms_mm=rms_mm, length_mm=60.0)
    jacobian = deformation.jacobian(GRID.shape)
    assert float(jacobian.min()) > 0.2
    assert deformation.least_jacobian >= 0.25
    assert float(jacobian.min()) >= deformation.least_jacobian - 1e-3
    assert float(jacobian.max()) <= deformation.greatest_jacobian + 1e-3
    assert deformation.rms_mm <= rms_mm * (1 + 1e-9)
    if rms_mm < 5:
        assert deformation.rms_mm == pytest.approx(rms_mm)


def test_volumes_change_as_the_jacobian_says() -> None:
    ratios: dict[int, list[float]] = {1: [], 2: [], 3: [], 4: []}
    liver = LABELS.volume.values == 1
    for seed in range(8):
        deformation = random_deformation(GRID, seed, rms_mm=6.0, length_mm=80.0)
        labels = deform_labels(LABELS.volume.values, deformation)
        jacobian = deformation.jacobian(GRID.shape)
        for number, found in ratios.items():
            before = np.count_nonzero(LABELS.volume.values == number)
            found.append(float(jacobian[labels == number].sum()) / before)
        image = deform_image(liver.astype(np.float32), deformation)
        assert float((image * jacobian).sum()) == pytest.approx(np.count_nonzero(liver), rel=0.015)
    for found in ratios.values():
        # whole voxels: a ball of 1600 is off by some percent, but to either side
        assert max(abs(ratio - 1.0) for ratio in found) < 0.08
        assert np.mean(found) == pytest.approx(1.0, abs=0.02)


def test_deformation_keeps_labels_and_their_ct_numbers() -> None:
    drawn = replace(STILL, deformation_mm=6.0)
    made = augment_ct(CT, LABELS, drawn)
    assert made.labels is not None
    assert made.labels.names == NAMES
    values = made.labels.volume.values
    assert set(np.unique(values)) == {0, *NAMES}
    for number, hu in ((1, 110), (2, 30), (3, 30), (4, 700)):
        assert float(np.median(made.ct.volume.values[values == number])) == hu
    assert not np.array_equal(values, LABELS.volume.values)


def test_bones_deform_less_than_the_rest() -> None:
    bone = np.zeros(GRID.shape, dtype=np.bool_)
    bone[:, 45:65, 40:60] = True
    strains = []
    for stiffness in (0.0, 1.0):
        spread = [
            float(np.abs(d.jacobian(GRID.shape)[bone] - 1.0).mean())
            for d in (
                random_deformation(
                    GRID, seed, rms_mm=5.0, length_mm=50.0, bone=bone, bone_stiffness=stiffness
                )
                for seed in range(6)
            )
        ]
        strains.append(np.mean(spread))
    assert strains[1] < 0.6 * strains[0]


def test_mirror_twice_is_the_identity() -> None:
    flipped = replace(STILL, is_mirrored=True)
    once = augment_ct(CT, LABELS, flipped)
    twice = augment_ct(once.ct, once.labels, flipped)
    assert np.array_equal(twice.ct.volume.values, CT.volume.values)
    assert twice.labels is not None
    assert once.labels is not None
    assert np.array_equal(twice.labels.volume.values, LABELS.volume.values)
    assert twice.labels.names == NAMES
    assert once.labels.names[5] == "adrenal_right"


def test_mirror_exchanges_left_and_right() -> None:
    made = augment_ct(CT, LABELS, replace(STILL, is_mirrored=True))
    assert made.labels is not None
    left = np.argwhere(made.labels.volume.values == 2)
    x = GRID.to_lps_mm(left)[:, 0].mean()
    assert x > 0  # patient's left
    assert left.shape[0] == np.count_nonzero(LABELS.volume.values == 3)


def test_scale_changes_volumes_and_not_one_ct_number() -> None:
    made = augment_ct(CT, LABELS, replace(STILL, scale_zyx=(1.1, 0.9, 1.2)))
    assert np.array_equal(made.ct.volume.values, CT.volume.values)
    assert made.ct.volume.grid.spacing_mm == pytest.approx((4.4, 2.7, 3.6))
    ratio = made.ct.volume.grid.voxel_volume_cm3 / GRID.voxel_volume_cm3
    assert ratio == pytest.approx(1.1 * 0.9 * 1.2)
    assert made.ct.volume.grid.is_axis_aligned
    assert made.ct.slice_thickness_mm == pytest.approx(4.4)


def test_crop_keeps_positions_and_drops_absent_names() -> None:
    made = augment_ct(CT, LABELS, replace(STILL, first_slice=30, n_slices=12))
    assert made.labels is not None
    assert made.ct.volume.grid.shape == (12, 80, 100)
    first = made.ct.volume.grid.to_lps_mm([0, 0, 0])
    assert first == pytest.approx(GRID.to_lps_mm([30, 0, 0]))
    assert "kidney_right" not in made.labels.names.values()
    assert set(np.unique(made.labels.volume.values)) - {0} == set(made.labels.names)


def test_noise_is_added_with_about_its_size() -> None:
    made = augment_ct(CT, LABELS, replace(STILL, noise_hu=20.0))
    difference = (made.ct.volume.values - CT.volume.values)[LABELS.volume.values == 1]
    assert 4.0 < float(difference.std()) < 25.0
    assert abs(float(difference.mean())) < 2.0


def test_same_record_same_bytes() -> None:
    ranges = AugmentRanges(mirror_probability=0.5, crop_share=0.5)
    drawn = [draw_augmentation(ranges, 50, seed=9, number=n) for n in range(3)]
    assert drawn[1] == draw_augmentation(ranges, 50, seed=9, number=1)
    assert len({a.seed for a in drawn}) == 3
    one, again = (augment_ct(CT, LABELS, drawn[1]) for _ in range(2))
    assert one.ct.volume.values.tobytes() == again.ct.volume.values.tobytes()
    assert one.labels is not None
    assert again.labels is not None
    assert one.labels.volume.values.tobytes() == again.labels.volume.values.tobytes()
    assert Augmentation(**one.augmentation.as_dict()) == drawn[1]


def test_draws_stay_in_their_ranges() -> None:
    ranges = AugmentRanges(crop_share=0.4, mirror_probability=0.5)
    drawn = [draw_augmentation(ranges, 50, seed=1, number=n) for n in range(200)]
    assert all(abs(s - 1.0) <= 0.08 for a in drawn for s in a.scale_zyx)
    assert all(20 <= a.n_slices <= 50 - a.first_slice for a in drawn)
    assert all(3.0 <= a.deformation_mm <= 6.0 for a in drawn)
    assert 60 < sum(a.is_mirrored for a in drawn) < 140


def test_wrong_input_is_refused() -> None:
    other = Grid.from_spacing((50, 80, 99), (4.0, 3.0, 3.0))
    labels = LabelMap(
        volume=Volume(grid=other, values=np.ones(other.shape, dtype=np.uint16)), names={1: "a"}
    )
    with pytest.raises(GeometryError):
        augment_ct(CT, labels, STILL)
    with pytest.raises(InputError, match="not in the CT"):
        augment_ct(CT, None, replace(STILL, first_slice=45, n_slices=10))
    with pytest.raises(InputError, match="scale_z"):
        AugmentRanges(scale_z=0.9)


@pytest.mark.parametrize(
    ("name", "other"),
    [("rib_left_7", "rib_right_7"), ("LeftParotid", "RightParotid"), ("spleen", "spleen")],
)
def test_other_side(name: str, other: str) -> None:
    assert other_side(name) == other
    assert other_side(other) == name

"""What the kinds put into a sample: laws that hold whatever the numbers are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from milligray.dataset import extras, scan_case
from milligray.dataset.kinds import Sample, find_kind, list_kinds, register
from milligray.dataset.storage import sample_document
from milligray.dataset.uncertainty import sigma_floor_mgy
from milligray.errors import InputError, MissingExtraError


def values(sample: Sample) -> dict[str, Any]:
    return {name: array.values for name, array in sample.arrays.items()}


def test_kinds_are_found_by_name_and_registered_once() -> None:
    names = [kind.name for kind in list_kinds()]
    assert names == [
        "dose-maps", "organ-features", "slice-features", "source-kernels", "source-positions",
    ]  # fmt: skip
    with pytest.raises(InputError, match="did you mean 'dose-maps'"):
        find_kind("dose-map")
    with pytest.raises(ValueError, match="twice"):
        register("dose-maps", title="", voxel_size_mm=1.0)(lambda *_: None)  # type: ignore[arg-type, return-value]


@pytest.fixture(scope="module")
def made() -> dict[str, Sample]:
    return {}


@pytest.fixture
def dose_maps(specs_of: Any, made: dict[str, Sample]) -> Sample:
    if "d" not in made:
        _, specs = specs_of("dose-maps", margin_mm=16.0)
        made["d"] = find_kind("dose-maps").build(specs[0], 2)
    return made["d"]


@pytest.fixture
def slice_features(specs_of: Any, made: dict[str, Sample]) -> Sample:
    if "b" not in made:
        _, specs = specs_of("slice-features")
        made["b"] = find_kind("slice-features").build(specs[0], 2)
    return made["b"]


def test_all_maps_of_a_sample_share_one_grid_of_cubes(dose_maps: Sample) -> None:
    a, about = values(dose_maps), dose_maps.attributes
    shapes = {a[n].shape for n in ("electron_density", "attenuation_map", "dose", "body", "labels",
                                   "relative_uncertainty")}  # fmt: skip
    assert len(shapes) == 1
    assert about["spacing_zyx_mm"] == [8.0, 8.0, 8.0]
    z = about["first_voxel_lps_mm"][2] + 8.0 * np.arange(a["dose"].shape[0])
    over = about["collimation_mm"] * (0.5 + about["pitch"]) / 2 + about["collimation_mm"]
    assert z[0] >= about["scan_low_mm"] - over - 16 - 8
    assert z[-1] <= about["scan_high_mm"] + over + 16 + 8


def test_dose_is_where_the_body_is_and_its_uncertainty_with_it(dose_maps: Sample) -> None:
    a = values(dose_maps)
    assert np.all(a["dose"][a["body"] == 0] == 0)
    assert np.all(a["relative_uncertainty"][a["dose"] > 0] > 0)
    assert dose_maps.statistics["mean_relative_uncertainty"] == pytest.approx(0.1, rel=0.15)
    assert (
        dose_maps.statistics["mean_relative_uncertainty"]
        <= dose_maps.statistics["p95_relative_uncertainty"]
        <= dose_maps.statistics["largest_relative_uncertainty"]
    )


def test_map_and_dose_have_one_scale(
    specs_of: Any, dose_maps: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the photons for the same CTDIvol: half the dose and half the kerma."""
    known = scan_case.simulate_ctdi(None, 320)  # type: ignore[arg-type]
    twice = replace(known, weighted_mgy=2.0 * known.weighted_mgy)
    monkeypatch.setattr(scan_case, "simulate_ctdi", lambda *_, **__: twice)
    _, specs = specs_of("dose-maps", margin_mm=16.0)
    half, a = values(find_kind("dose-maps").build(specs[0], 2)), values(dose_maps)
    for name in ("dose", "attenuation_map", "organ_dose"):
        assert np.allclose(2.0 * half[name], a[name], rtol=1e-6)
    assert np.array_equal(half["relative_uncertainty"], a["relative_uncertainty"])


def test_the_floor_of_the_loss_is_the_uncertainty_and_never_zero(dose_maps: Sample) -> None:
    a, reference = values(dose_maps), dose_maps.attributes["reference_dose_mgy"]
    floor = sigma_floor_mgy(a["dose"], a["relative_uncertainty"], reference)
    assert floor.min() == pytest.approx(1e-3 * reference)
    high = a["dose"] > reference
    assert np.allclose(floor[high], (a["dose"] * a["relative_uncertainty"])[high])


def test_labels_are_rows_of_the_organ_table(dose_maps: Sample) -> None:
    a = values(dose_maps)
    names = [n.decode() for n in a["organ_names"]]
    lung = a["labels"] == names.index("lung_left") + 1
    assert lung.any()
    assert a["electron_density"][lung].mean() < 0.4
    assert a["organ_dose"].min() > 0


def test_same_seed_same_bits_for_any_number_of_threads(specs_of: Any, dose_maps: Sample) -> None:
    _, specs = specs_of("dose-maps", margin_mm=16.0)
    again = find_kind("dose-maps").build(specs[0], 1)
    assert sample_document(again) == sample_document(dose_maps)


def test_slices_add_up_to_their_organ(slice_features: Sample) -> None:
    a = values(slice_features)
    for organ, dose in enumerate(a["organ_dose"]):
        rows = a["organ_index"] == organ
        mean = np.average(a["slice_dose"][rows], weights=a["slice_mass"][rows])
        assert mean == pytest.approx(dose, rel=1e-9)
        assert a["slice_mass"][rows].sum() == pytest.approx(a["organ_mass"][organ], rel=1e-9)


def test_slice_features_are_those_of_the_image(slice_features: Sample) -> None:
    a, about = values(slice_features), slice_features.attributes
    columns = [n.decode() for n in a["feature_names"]]
    f = {name: a["features"][:, i] for i, name in enumerate(columns)}
    names = [n.decode() for n in a["organ_names"]]
    lung = a["organ_index"] == names.index("lung_left")
    assert np.allclose(f["mean_hu"][lung], -800)
    assert np.allclose(f["sd_hu"][lung], 0)
    inside = (f["z_mm"] >= about["scan_low_mm"]) & (f["z_mm"] <= about["scan_high_mm"])
    assert np.array_equal(inside, (f["relative_z"] >= 0) & (f["relative_z"] <= 1))
    assert np.all(f["relative_current"][~inside] == 0)
    assert np.all(f["relative_current"][inside] > 0)
    volume = f["area_mm2"][lung].sum() * about["slice_thickness_mm"] / 1e3
    assert volume == pytest.approx(a["organ_volume"][names.index("lung_left")], rel=1e-5)
    # most dose where the beam is
    body = a["organ_index"] == 0
    assert a["slice_dose"][body & inside].mean() > 2 * a["slice_dose"][body & ~inside].mean()


def test_organ_features_are_107_and_geometry(specs_of: Any) -> None:
    pytest.importorskip("radiomics")
    _, specs = specs_of("organ-features")
    sample = find_kind("organ-features").build(specs[0], 2)
    a = values(sample)
    names = [n.decode() for n in a["feature_names"]]
    organs = [n.decode() for n in a["organ_names"]]
    assert sample.attributes["radiomics_features"] == 107
    lung = a["features"][organs.index("lung_left")]
    # its rim is mixed with water by the interpolation from 8 mm voxels
    assert -800 < lung[names.index("firstorder_Mean")] < -600
    assert lung[names.index("volume_ml")] == pytest.approx(
        a["organ_volume"][organs.index("lung_left")]
    )
    # the mesh of a small cylinder has less volume than its voxels
    ratio = lung[names.index("shape_VoxelVolume")] / 1e3 / lung[names.index("volume_ml")]
    assert ratio == pytest.approx(1.0, abs=0.1)
    assert np.allclose(
        a["organ_dose_per_ctdi"] * sample.attributes["ctdi_vol_mgy"], a["organ_dose"]
    )
    bone = a["features"][organs.index("humerus_left")]
    assert bone[names.index("middle_x_mm")] < 0 < lung[names.index("middle_x_mm")]


def test_without_radiomics_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "radiomics", None)
    with pytest.raises(MissingExtraError, match=r"milligray\[radiomics\]"):
        find_kind("organ-features").require()
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"milligray\[dataset\]"):
        extras.load_h5py()


def test_an_augmented_copy_is_another_anatomy_that_can_be_made_again(specs_of: Any) -> None:
    _, specs = specs_of("dose-maps", margin_mm=16.0)
    copy = replace(specs[0], augmented=1)
    first, again = (find_kind("dose-maps").build(copy, 2) for _ in range(2))
    assert sample_document(first) == sample_document(again)
    assert first.attributes["augmentation"]["deformation_mm"] > 0
    plain = find_kind("dose-maps").build(specs[0], 2)
    assert plain.attributes["augmentation"] == {}
    volumes = [values(s)["organ_volume"] for s in (first, plain)]
    assert not np.allclose(volumes[0], volumes[1], rtol=1e-3)


def test_a_number_of_histories_takes_the_place_of_the_precision(specs_of: Any) -> None:
    _, specs = specs_of("dose-maps", margin_mm=0.0)
    exam = replace(
        specs[0].exam, settings=replace(specs[0].exam.settings, histories=64_000, precision=None)
    )
    sample = find_kind("dose-maps").build(replace(specs[0], exam=exam), 2)
    assert 64_000 <= sample.statistics["histories"] < 65_000

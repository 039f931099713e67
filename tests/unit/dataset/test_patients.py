from collections import defaultdict
from pathlib import Path

import pytest

from milligray.dataset.patients import drawn_split, read_patient_list
from milligray.dataset.settings import SetSettings
from milligray.errors import InputError

from .conftest import PROTOCOLS, write_list

SETTINGS = SetSettings(kind="dose-maps", protocols_text=PROTOCOLS)


@pytest.fixture
def folder(cohort_folder: Path, tmp_path: Path) -> Path:
    for path in cohort_folder.glob("p*_*.nii.gz"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "names.json").symlink_to(cohort_folder / "names.json")
    return tmp_path


def test_no_patient_is_in_two_splits(folder: Path) -> None:
    lines = ["exam,input,patient,sample"]
    lines += [f"e{n},p1_ct.nii.gz,patient{n % 25},3" for n in range(100)]
    path = folder / "list.csv"
    path.write_text("\n".join(lines))
    splits = defaultdict(set)
    specs = read_patient_list(path, SETTINGS)
    for spec in specs:
        splits[spec.patient].add(spec.split)
    assert len(specs) == 300
    assert all(len(found) == 1 for found in splits.values())


def test_splits_have_their_shares_and_do_not_depend_on_the_list() -> None:
    found = [drawn_split(f"patient {n}", SETTINGS) for n in range(4000)]
    # binomial deviation of 0.7 x 4000 is 29, of 0.15 x 4000 is 23
    assert abs(found.count("train") - 2800) < 150
    assert abs(found.count("validation") - 600) < 120


def test_a_patient_who_is_given_two_splits_is_refused(folder: Path) -> None:
    path = folder / "list.csv"
    path.write_text("exam,input,patient,split\na,p1_ct.nii.gz,x,train\nb,p2_ct.nii.gz,x,test\n")
    with pytest.raises(InputError, match="one split"):
        read_patient_list(path, SETTINGS)


@pytest.mark.parametrize(
    ("column", "cell", "what"),
    [
        ("split", "learn", "split"),
        ("kind_of_anatomy", "robot", "kind_of_anatomy"),
        ("sample", "0", "sample"),
        ("sample", "many", "sample"),
        ("augment", "-1", "augment"),
        ("voxel_size_mm", "3", "whole set"),
        ("seed", "3", "whole set"),
        ("samples", "3", "did you mean 'sample'"),
    ],
)
def test_mistakes_in_the_list_are_named(folder: Path, column: str, cell: str, what: str) -> None:
    path = write_list(folder / "list.csv", [("p1", cell)], column)
    with pytest.raises(InputError, match=what):
        read_patient_list(path, SETTINGS)


def test_seeds_differ_by_exam_and_number_and_follow_the_set(folder: Path) -> None:
    path = write_list(folder / "list.csv", [("p1", "2"), ("p2", "2")], "sample")
    specs = read_patient_list(path, SETTINGS)
    assert [s.name for s in specs] == ["p1_000", "p1_001", "p2_000", "p2_001"]
    assert len({s.seed for s in specs}) == 4
    assert len({s.fingerprint for s in specs}) == 4
    again = read_patient_list(path, SETTINGS)
    assert [s.seed for s in again] == [s.seed for s in specs]
    other = SetSettings(kind="dose-maps", protocols_text=PROTOCOLS, seed=2)
    assert {s.seed for s in read_patient_list(path, other)}.isdisjoint(s.seed for s in specs)


def test_own_protocols_are_needed_where_none_is_drawn(folder: Path) -> None:
    path = write_list(folder / "list.csv", [("p1", "")])
    own = SetSettings(kind="dose-maps", protocols="own")
    with pytest.raises(InputError, match="protocol"):
        read_patient_list(path, own)


def test_augmented_copies_stay_with_their_patient_and_are_counted(folder: Path) -> None:
    path = write_list(folder / "list.csv", [("p1", "2"), ("p2", "0")], "augment")
    specs = read_patient_list(path, SETTINGS)
    assert [(s.name, s.augmented) for s in specs] == [
        ("p1_000", 0), ("p1_001", 1), ("p1_002", 2), ("p2_000", 0),
    ]  # fmt: skip
    assert len({(s.patient, s.split) for s in specs}) == 2

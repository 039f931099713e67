"""Labels keep their place, and find their names."""

import json

import nibabel as nib
import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.read import read_labels

AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])


@pytest.fixture
def label_file(tmp_path):
    def write(name="organs.nii.gz", values=None, text=""):
        if values is None:
            values = np.zeros((4, 5, 6), np.uint8)
            values[0, 0, 0], values[3, 4, 5] = 1, 5
        image = nib.Nifti1Image(values, AFFINE)
        if text:
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", text.encode()))
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        nib.save(image, path)
        return path

    return write


def test_labels_are_uint16_in_lps(label_file):
    labels = read_labels(label_file())
    values = labels.volume.values
    assert values.dtype == np.uint16
    assert values.shape == (6, 5, 4)
    assert labels.volume.grid.is_axis_aligned
    assert values[0, -1, 0] == 1
    assert values[-1, 0, -1] == 5


@pytest.mark.parametrize(
    "content",
    [
        {"1": "spleen", "5": "liver", "0": "background"},
        {"spleen": 1, "liver": 5, "background": 0},
        {"labels": {"background": 0, "spleen": 1, "liver": 5}, "numTraining": 7},
        ["background", "spleen", "b", "c", "d", "liver"],
        ["spleen", "b", "c", "d", "liver"],
        [{"label": 1, "name": "spleen"}, {"label": 5, "name": "liver"}],
        {"organs": {"labels": {"1": "spleen", "5": "liver"}, "volume_ml": {"liver": 3.0}}},
    ],
)
def test_forms_of_names(label_file, tmp_path, content):
    path = label_file()
    (tmp_path / "names.json").write_text(json.dumps(content))
    assert read_labels(path, names=tmp_path / "names.json").names == {1: "spleen", 5: "liver"}


def test_names_from_the_caller(label_file):
    assert read_labels(label_file(), names={1: "a", 5: "b", 9: "c"}).names == {1: "a", 5: "b"}


def test_order_in_which_names_are_looked_for(label_file, tmp_path):
    path = label_file("in/case_1_labels.nii.gz")
    labels = read_labels(path)
    assert labels.names == {1: "label_1", 5: "label_5"}
    assert any("no organ names" in note for note in labels.notes)
    (tmp_path / "labels.json").write_text('{"labels": {"1": "far", "5": "away"}}')
    assert read_labels(path).names == {1: "far", 5: "away"}
    (path.parent / "labels.json").write_text('{"case_1": {"labels": {"1": "near", "5": "by"}}}')
    assert read_labels(path).names == {1: "near", 5: "by"}
    xml = (
        '<CaretExtension><LabelTable><Label Key="1" Red="0.1"><![CDATA[kidney_left]]></Label>'
        '<Label Key="5">liver &amp; more</Label></LabelTable></CaretExtension>'
    )
    path = label_file("in/case_1_labels.nii.gz", text=xml)
    assert read_labels(path).names == {1: "kidney_left", 5: "liver & more"}
    (path.parent / "case_1_labels.json").write_text('{"1": "own", "5": "file"}')
    assert read_labels(path).names == {1: "own", 5: "file"}


def test_section_of_a_shared_file_follows_the_file_name(label_file, tmp_path):
    content = {"labels": {"1": "cord", "5": "brain"}, "targets": {"1": "PTV56", "5": "PTV70"}}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert read_labels(label_file("p1_labels.nii.gz")).names[1] == "cord"
    assert read_labels(label_file("p1_targets.nii.gz")).names[1] == "PTV56"
    content = {"p1": {"labels": {"1": "cord"}, "tissue_labels": {"1": "fat", "5": "muscle"}}}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    assert read_labels(label_file("p1_tissue.nii.gz")).names[5] == "muscle"
    assert read_labels(label_file("p1_body.nii.gz")).names[1] == "label_1"
    labels = read_labels(label_file("p1_labels.nii.gz"))
    assert labels.names == {1: "cord", 5: "label_5"}
    assert any("no name for label 5" in note for note in labels.notes)


def test_whole_floats_are_accepted(label_file):
    values = np.zeros((4, 5, 6), np.float32)
    values[1] = 300
    assert read_labels(label_file(values=values)).names == {300: "label_300"}


@pytest.mark.parametrize(
    ("value", "word"), [(-1.0, "-1"), (0.5, "broken"), (70000.0, "70000"), (0.0, "empty")]
)
def test_what_is_no_label_is_refused(label_file, value, word):
    with pytest.raises(InputError, match=word):
        read_labels(label_file(values=np.full((2, 2, 2), value, np.float32)))


def test_bad_names_are_refused(label_file, tmp_path):
    path = label_file()
    with pytest.raises(InputError, match="several labels are named 'liver'"):
        read_labels(path, names={1: "liver", 5: "liver"})
    (tmp_path / "names.json").write_text("{")
    with pytest.raises(FormatError, match=r"names\.json"):
        read_labels(path, names=tmp_path / "names.json")
    (tmp_path / "names.json").write_text('{"volume": {"x": [1.5]}}')
    with pytest.raises(InputError, match="does not name the labels"):
        read_labels(path, names=tmp_path / "names.json")

"""Lists are checked as a whole, before anything starts."""

import json

import pytest

from milligray.cohort import ExamDefaults, read_exam_list
from milligray.errors import FormatError, InputError
from milligray.exam import CtSettings


def test_rows_override_the_defaults(write_list):
    path = write_list(
        "exam,input,protocol,organs,seed,histories,voxel_size_mm,scanner",
        "b,b.nii.gz,p.toml,labels.nii.gz,,,,",
        "a,a.nii.gz,p.toml,,5,2e6,0,generic",
    )
    a, b = read_exam_list(path, ExamDefaults(settings=CtSettings(precision=0.05)))
    assert (a.exam, b.exam) == ("a", "b")  # sorted
    assert (a.settings.histories, a.settings.precision) == (2_000_000, None)
    assert (a.settings.seed, a.settings.voxel_size_mm, a.settings.scanner) == (5, None, "generic")
    assert (b.settings.histories, b.settings.precision) == (None, 0.05)
    assert b.organs == path.parent / "labels.nii.gz"
    assert b.settings.seed not in (1, 5)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_of_spreadsheets_and_a_byte_order_mark_are_read(write_list, separator):
    path = write_list(separator.join(("\ufeffexam", "input")), separator.join(("a", "folder")))
    assert [exam.exam for exam in read_exam_list(path)] == ["a"]


def test_json_lines_give_the_same_exams_as_a_table(write_list):
    table = write_list(
        "exam,input,protocol,seed,per_100_mas,extend_mm", "a,a.nii.gz,p.toml,3,true,150"
    )
    row = {"exam": "a", "input": "a.nii.gz", "protocol": "p.toml", "seed": 3, "per_100_mas": True,
           "extend_mm": 150, "organs": None}  # fmt: skip
    lines = write_list(json.dumps(row), name="list.jsonl")
    assert read_exam_list(lines) == read_exam_list(table)


def test_all_problems_are_told_at_once_with_their_lines(write_list):
    path = write_list(
        "exam,input,protocol,organs,seed,precision,histories,scanner,bowtie",
        "a,a.nii.gz,p.toml,,,,,,",
        "A,b.nii.gz,p.toml,,,,,,",
        "../up,absent,,,,,,,",
        "c,b.nii.gz,,,,,,,",
        "d,a.nii.gz,p.toml,nolabels.nii.gz,1.5,0.9,,,",
        "",
        "e,a.nii.gz,p.toml,,,0.01,1000,,",
        "f,a.nii.gz,p.toml,,,,,generik,,surplus",
        "nul,folder,,,,,,,",
        ",,,,,,,,x",
    )
    with pytest.raises(InputError) as caught:
        read_exam_list(path)
    text = str(caught.value)
    for part in (
        "line 3: exam 'A' stands in line 2 already",
        "line 4: exam '../up' cannot be a folder's name",
        "line 4: input absent does not exist",
        "line 5: a NIfTI image needs a protocol",
        "line 6: organs nolabels.nii.gz does not exist",
        "line 6: seed must be a whole number, got '1.5'",
        "line 6: precision must lie between",
        "line 8: give either a precision or a number of histories",
        "line 9: no scanner named 'generik'; did you mean generic",
        "line 9: 1 cells more than columns",
        "line 10: exam 'nul' is a reserved name",
        "line 11: exam is empty",
        "line 11: input is empty",
    ):
        assert part in text
    assert text.startswith("list.csv has 13 problems, nothing was started")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("exam,inptu", "unknown column 'inptu'; did you mean 'input'?"),
        ("exam,inptu", "column 'input' is missing"),
        ("exam,input,threads", "give --threads instead"),
        ("exam,input,input", "column 'input' stands twice"),
        ("exam,input,voxel_size", "did you mean 'voxel_size_mm'?"),
    ],
)
def test_columns_are_checked(write_list, header, part):
    with pytest.raises(InputError, match=r"has [0-9] problem") as caught:
        read_exam_list(write_list(header, "a,folder"))
    assert part in str(caught.value)


def test_a_broken_protocol_is_found_before_the_start(write_list):
    path = write_list("exam,input,protocol", "a,a.nii.gz,p.toml", "b,b.nii.gz,p.toml")
    (path.parent / "p.toml").write_text("[scan]\nvoltage = 3\n")
    with pytest.raises(InputError, match=r"2 problems[\s\S]*line 2: protocol p.toml"):
        read_exam_list(path)


def test_many_problems_do_not_flood_the_screen(write_list):
    path = write_list("exam,input", *(f"e{i},absent" for i in range(80)))
    with pytest.raises(InputError) as caught:
        read_exam_list(path)
    assert str(caught.value).endswith("and 30 more")
    assert len(str(caught.value).splitlines()) == 52


def test_absent_files_can_be_left_to_their_exam(write_list):
    path = write_list("exam,input", "a,absent", "b,folder")
    assert len(read_exam_list(path, check_files=False)) == 2


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("list.csv", "exam,input\n", InputError),
        ("list.csv", "", InputError),
        ("list.csv", 'exam,input\na,"b\n', FormatError),
        ("list.jsonl", "{", FormatError),
        ("list.jsonl", "[1]", FormatError),
    ],
)
def test_files_that_are_no_list_are_refused(tmp_path, name, content, error):
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=name):
        read_exam_list(tmp_path / name)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"exam,input\nM\xfcller,x\n")
    with pytest.raises(FormatError, match="UTF-8"):
        read_exam_list(tmp_path / "list.csv")
    with pytest.raises(InputError, match="cannot read the list"):
        read_exam_list(tmp_path / "none.csv")


def fingerprints(path, **settings):
    defaults = ExamDefaults(settings=CtSettings(**settings))
    return {exam.exam: exam.fingerprint for exam in read_exam_list(path, defaults)}


def test_fingerprints_change_with_what_the_dose_depends_on(write_list):
    header = "exam,input,protocol,organs"
    rows = ("a,a.nii.gz,p.toml,labels.nii.gz", "b,folder,,")
    path = write_list(header, *rows)
    before = fingerprints(path)
    assert fingerprints(write_list(header, *rows[::-1])) == before  # not with the order
    assert fingerprints(path, threads=3) == before  # not with the threads
    assert fingerprints(path, seed=2)["b"] != before["b"]
    (path.parent / "p.toml").write_text((path.parent / "p.toml").read_text() + "\n# other\n")
    changed = fingerprints(path)
    assert changed["a"] != before["a"]
    assert changed["b"] == before["b"]
    (path.parent / "labels.nii.gz").write_bytes(b"more")
    assert fingerprints(path)["a"] != changed["a"]

"""What `milligray predict` refuses: exit code 3, a reason, and nothing left behind."""

import json

import pytest

from milligray.learn.card import Validity


@pytest.fixture
def refused(milligray, case, tmp_path):
    """Run predict, which must refuse; returns what it said."""

    def call(*options, protocol=None, labels=None, code=3):
        out = tmp_path / "out"
        outcome = milligray(
            "predict", case.ct, "--protocol", protocol or case.protocol, "--organs",
            labels or case.labels, "--out", out, *options,
        )  # fmt: skip
        assert outcome.code == code, outcome.err
        assert not out.exists()
        assert [p.name for p in tmp_path.iterdir() if ".partial" in p.name] == []
        assert "Traceback" not in outcome.err
        return outcome.err

    return call


def test_another_tube_voltage(refused, make_network, case):
    protocol = case.changed_protocol("tube_voltage_kv = 120", "tube_voltage_kv = 100")
    text = refused("--model", make_network(), protocol=protocol)
    assert "tube_voltage_kv is 100; linear is made for 120" in text


def test_force_goes_on_and_says_so(milligray, make_network, case, tmp_path):
    protocol = case.changed_protocol("tube_voltage_kv = 120", "tube_voltage_kv = 100")
    outcome = milligray(
        "predict", case.ct, "--protocol", protocol, "--organs", case.labels, "--out",
        tmp_path / "out", "--model", make_network(), "--force",
    )  # fmt: skip
    assert outcome.code == 0
    warnings = json.loads((tmp_path / "out" / "result.json").read_text())["warnings"]
    assert any("tube_voltage_kv is 100" in text for text in warnings)
    assert "tube_voltage_kv is 100" in outcome.err.replace("\n", " ")


def test_labels_of_somebody_else(refused, milligray, make_network, case, moved_labels, tmp_path):
    folder = make_network()
    assert "the labels do not fit this CT" in refused("--model", folder, labels=moved_labels)
    outcome = milligray(
        "predict", case.ct, "--protocol", case.protocol, "--organs", moved_labels, "--out",
        tmp_path / "out", "--model", folder, "--force",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["settings"]["accept_labels"] is True
    assert document["warnings"][0].startswith("LABELS CONTRADICT THE CT")


def test_inputs_far_from_the_training(refused, make_network, case):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0", "ctdi_vol_mgy = 500.0")
    text = refused("--model", make_network(), protocol=protocol)
    assert "times as far from the training" in text
    assert "ctdi_vol_mgy" in text


def test_no_organ_that_the_network_knows(refused, make_network):
    text = refused("--model", make_network(normalization={"organs": ["liver"]}))
    assert "knows none of the organs of this patient (lung_left" in text


def test_an_organ_it_does_not_know_is_named_not_invented(milligray, make_network, case, tmp_path):
    folder = make_network(normalization={"organs": ["heart", "lung_left"]})
    outcome = milligray(
        "predict", case.ct, "--protocol", case.protocol, "--organs", case.labels, "--out",
        tmp_path / "out", "--model", folder,
    )  # fmt: skip
    assert outcome.code == 0
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [row["organ"] for row in document["organ_doses"]] == ["lung_left", "heart"]
    assert any("NOT PREDICTED" in t and "spinal_cord" in t for t in document["warnings"])


def test_a_damaged_network(refused, make_network):
    folder = make_network()
    path = folder / "member_1.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "SHA-256 differs" in refused("--model", folder).replace("\n", " ")


def test_a_scan_without_ctdivol(refused, make_network, case):
    protocol = case.changed_protocol("ctdi_vol_mgy = 10.0", "")
    text = refused("--model", make_network(), protocol=protocol)
    assert "no CTDIvol" in text
    assert "per-100-mas" not in text


def test_an_unknown_network_names_the_nearest(refused):
    assert "no network named 'liner'" in refused("--model", "liner")


def test_another_body_region(refused, make_network):
    folder = make_network(validity=Validity(allowed={"body_region": ("pelvis",)}))
    assert "made for pelvis" in refused("--model", folder)


def test_a_result_that_is_there_is_kept(milligray, make_network, case, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "organ_doses.csv").write_text("mine")
    call = ("predict", case.ct, "--protocol", case.protocol, "--organs", case.labels, "--out", out,
            "--model", make_network())  # fmt: skip
    assert milligray(*call).code == 3
    assert (out / "organ_doses.csv").read_text() == "mine"
    assert milligray(*call, "--overwrite").code == 0
    assert (out / "organ_doses.csv").read_text().startswith("organ,")


def test_usage_without_input_or_out(milligray, case):
    assert milligray("predict").code == 2
    assert milligray("predict", case.ct).code == 2

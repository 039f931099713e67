import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from milligray.errors import FormatError, InputError
from milligray.learn import shelf
from milligray.learn.card import CARD, ArraySpec, read_card
from milligray.learn.card_page import card_markdown
from milligray.learn.network import open_network
from milligray.learn.shelf import find_network, list_networks

X = np.array([[1.0, 10.0], [2.0, 20.0]], dtype=np.float32)


def test_a_network_gives_what_its_file_computes(make_network):
    network = open_network(make_network())
    assert network.run({"features": X})["dose"] == pytest.approx(np.array([[21.0], [42.0]]))
    assert network.run({"features": X.astype(np.float64)})["dose"].dtype == np.float32
    assert network.members == 1
    assert network.method == f"network:linear@{network.hash[:8]}"


def test_members_of_an_ensemble_run_one_by_one_or_together(make_network):
    network = open_network(make_network([[1.0], [0.0]], [[0.0], [1.0]]))
    assert network.members == 2
    assert network.run({"features": X}, member=1)["dose"][:, 0] == pytest.approx(X[:, 1])
    assert network.run_all({"features": X})["dose"][:, :, 0] == pytest.approx(X.T)
    with pytest.raises(InputError, match="members 0 to 1"):
        network.run({"features": X}, member=2)


def test_the_hash_is_that_of_the_files_not_of_the_card(make_network):
    first = open_network(make_network()).hash
    assert open_network(make_network(title="Another title")).hash == first
    assert open_network(make_network([[1.0], [2.5]])).hash != first


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "needs the input 'features'"),
        ({"feature": X}, "did you mean 'features'"),
        ({"features": X[:, :1]}, "must have shape"),
        ({"features": X[0]}, "must have shape"),
        ({"features": X * np.nan}, "not finite"),
        ({"features": np.full((1, 2), 3e38)}, "'dose' that is not finite"),
    ],
)
def test_wrong_inputs_are_named(make_network, inputs, message):
    network = open_network(make_network())
    with pytest.raises(InputError, match=message):
        network.run(inputs)


def test_a_file_that_is_not_the_one_of_the_card_is_refused(make_network):
    folder = make_network()
    file = folder / "member_0.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FormatError, match="SHA-256 differs"):
        open_network(folder)
    file.unlink()
    with pytest.raises(InputError, match=r"member_0\.onnx cannot be read"):
        open_network(folder)


def test_a_file_that_is_no_network_is_refused(make_network):
    import hashlib

    folder = make_network()
    (folder / "member_0.onnx").write_bytes(b"nothing")
    document = json.loads((folder / CARD).read_text(encoding="utf-8"))
    document["files"] = {"member_0.onnx": hashlib.sha256(b"nothing").hexdigest()}
    (folder / CARD).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FormatError, match="no network that onnxruntime reads"):
        open_network(folder)


def test_a_card_of_other_inputs_is_refused(make_network):
    spec = ArraySpec(name="image", shape=("batch", 2), unit="", description="")
    with pytest.raises(FormatError, match="has inputs"):
        open_network(make_network(inputs=(spec,)))


def test_networks_run_without_a_training_library(make_network):
    folder = make_network()
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'pytorch_lightning', 'sklearn', 'onnx')))\n"
        "import numpy as np\n"
        "from milligray.learn.network import open_network\n"
        "from milligray.learn.prediction import Prediction\n"
        f"print(open_network({str(folder)!r}).run({{'features': np.ones((1, 2))}})['dose'].item())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "3.0"
    assert done.stderr == ""


def test_networks_are_found_by_name_and_by_folder(make_network, monkeypatch, tmp_path):
    folder = make_network()
    monkeypatch.setattr(shelf, "_shelf", lambda: tmp_path)
    assert list_networks() == ("linear",)
    assert find_network("linear") == folder
    assert find_network(folder) == folder
    assert find_network(str(folder)) == folder
    with pytest.raises(InputError, match="did you mean 'linear'"):
        find_network("liner")
    with pytest.raises(InputError, match="holds no network"):
        find_network(tmp_path)


def test_every_shipped_network_is_whole():
    for name in list_networks():
        network = open_network(find_network(name))
        assert network.card.name == name
        assert network.card.license
        assert network.card.validity.limits, f"{name} must state its limits"


@pytest.mark.parametrize("name", list_networks())
def test_the_page_of_a_shipped_network_is_that_of_its_card(name):
    page = Path(__file__).parents[3] / "docs" / "networks" / f"{name}.md"
    assert page.is_file(), "run tools/write_network_pages.py"
    card = read_card(find_network(name))
    assert page.read_text(encoding="utf-8") == card_markdown(card), "tools/write_network_pages.py"

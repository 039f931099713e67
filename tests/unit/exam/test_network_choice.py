import numpy as np
import pytest

from milligray.errors import InputError
from milligray.exam import network_choice
from milligray.exam.network_choice import choose_network
from milligray.learn.card import ArraySpec, ModelCard, Validity
from milligray.read.series import CtProtocol

HEAD = ("brain", "mandible", "parotid_gland_left")


def card(name, system, **allowed):
    one = (ArraySpec(name="x", shape=(1,), unit="", description=""),)
    return ModelCard(
        name=name, version="1", system=system, title="t", license="l", inputs=one, outputs=one,
        files={"a.onnx": "0" * 64},
        validity=Validity(
            allowed={k: v for k, v in allowed.items() if k != "voxel_size_mm"},
            ranges={k: v for k, v in allowed.items() if k == "voxel_size_mm"},
        ),
    )  # fmt: skip


@pytest.fixture
def shelf(monkeypatch):
    def put(*cards):
        by_name = {c.name: c for c in cards}
        monkeypatch.setattr(network_choice, "list_networks", lambda: tuple(by_name))
        monkeypatch.setattr(network_choice, "find_network", lambda name: name)
        monkeypatch.setattr(network_choice, "read_card", lambda name: by_name[name])

    return put


@pytest.fixture
def protocol():
    return CtProtocol(
        tube_voltage_kv=120.0, slice_position_mm=np.arange(5.0), relative_current=np.ones(5),
        scan_mode="helical", pitch=1.0, collimation_mm=38.4, ctdi_vol_mgy=10.0,
        phantom_diameter_mm=160, scanner="siemens-definition",
    )  # fmt: skip


def test_physics_comes_before_features(shelf, protocol):
    shelf(card("a", "radiomics-fcn"), card("b", "scatter-net"), card("c", "dose-unet"))
    assert choose_network(protocol, HEAD) == "b"


def test_only_one_that_is_made_for_the_scan_is_taken(shelf, protocol):
    shelf(
        card("b", "scatter-net", tube_voltage_kv=(80.0,)),
        card("c", "dose-unet", body_region=("pelvis",)),
        card("a", "radiomics-fcn", body_region=("head_neck",), scanner=("siemens-definition",)),
    )
    assert choose_network(protocol, HEAD) == "a"


def test_limits_of_which_nothing_is_known_yet_wait(shelf, protocol):
    shelf(card("b", "scatter-net", voxel_size_mm=(3.5, 4.5)))
    assert choose_network(protocol, HEAD) == "b"


def test_none_that_fits_is_told_with_every_reason(shelf, protocol):
    shelf(
        card("b", "scatter-net", tube_voltage_kv=(80.0,)),
        card("c", "dose-unet", body_region=("pelvis",)),
    )
    with pytest.raises(InputError, match=r"b: tube_voltage_kv is 120.*c: body_region"):
        choose_network(protocol, HEAD)
    assert choose_network(protocol, HEAD, beyond_validity=True) == "b"


def test_an_empty_shelf_says_what_to_do(shelf, protocol):
    shelf()
    with pytest.raises(InputError, match="no network ships"):
        choose_network(protocol, HEAD)

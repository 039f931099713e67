import math
from dataclasses import replace

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.read.series import CtProtocol
from milligray.score.budget import STATISTICS, combine, ct_budget, organ_budget
from milligray.source.scanner import Bowtie, Scanner

PROTOCOL = CtProtocol(
    tube_voltage_kv=120.0,
    slice_position_mm=np.arange(4.0),
    relative_current=np.ones(4),
    scan_mode="helical",
    pitch=0.9,
    collimation_mm=40.0,
    ctdi_vol_mgy=10.0,
    phantom_diameter_mm=320,
)
BOWTIE = Bowtie(
    name="body", material="aluminum", fan_angle_rad=np.array([0.0, 0.4]),
    thickness_mm=np.array([0.0, 30.0]),
)  # fmt: skip
SCANNER = Scanner(
    name="a", label="A", focal_radius_mm=600.0, fan_fov_mm=500.0, anode_angle_deg=7.0,
    half_value_layer_mm_al={("body", 120): 7.0}, bowties={"body": BOWTIE},
)  # fmt: skip


def _budget(protocol=PROTOCOL, scanner=SCANNER, method="labels given", **options):
    entries = ct_budget(
        protocol, scanner, method, statistics=0.01, ctdi_statistics=0.002, **options
    )
    return {entry.component: entry for entry in entries}


def test_components_add_in_quadrature():
    entries = _budget().values()
    assert combine(entries) == pytest.approx(
        math.sqrt(sum(entry.relative_uncertainty**2 for entry in entries))
    )
    assert combine(()) == 0.0


def test_organ_statistics_replace_those_of_the_exam():
    entries = tuple(_budget().values())
    own = organ_budget(0.3, entries)
    assert len(own) == len(entries)
    assert [e.relative_uncertainty for e in own if e.component == STATISTICS] == [0.3]
    assert combine(own) > combine(entries)


def test_every_entry_says_on_what_it_rests():
    for entry in _budget().values():
        assert entry.kind in {"A", "B"}
        assert len(entry.basis) > 10
        assert entry.kind == "A" or entry.relative_uncertainty == 0 or entry.basis


def test_displayed_ctdi_has_the_triangular_tolerance_of_the_standard():
    entry = _budget()["CTDIvol of this exam"]
    assert entry.relative_uncertainty == pytest.approx(0.2 / math.sqrt(6))
    own = _budget(ctdi_vol=0.03, ctdi_vol_basis="measured 2026-01")["CTDIvol of this exam"]
    assert (own.relative_uncertainty, own.basis) == (0.03, "measured 2026-01")


def test_without_ctdi_the_tube_output_takes_its_place():
    entries = _budget(replace(PROTOCOL, ctdi_vol_mgy=None))
    assert "CTDIvol of this exam" not in entries
    assert entries["Tube output per mAs"].relative_uncertainty == 0.2


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({}, {"scanner": replace(SCANNER, is_generic=True)}),
        ({}, {"method": "threshold tissues, not organs"}),
        ({"method": "phantom"}, {"method": "labels given"}),
        ({}, {"protocol": replace(PROTOCOL, relative_current=np.array([1.0, 2.0, 1.0, 2.0]))}),
        ({}, {"protocol": replace(PROTOCOL, pitch=1.5)}),
        ({"protocol": replace(PROTOCOL, start_angle_rad=0.0)}, {}),
        ({"protocol": replace(PROTOCOL, scan_mode="axial")}, {}),
        ({"modulation": "angular-modelled"}, {"modulation": "angular-unknown"}),
        ({"scanner_model": 0.02}, {}),
        ({"scanner": replace(SCANNER, model_relative_uncertainty=0.04)}, {}),
    ],
)
def test_less_knowledge_gives_more_uncertainty(less, more):
    assert combine(_budget(**less).values()) < combine(_budget(**more).values())


def test_negative_or_unknown_uncertainty_is_refused():
    with pytest.raises(InputError, match="Scanner model"):
        _budget(scanner_model=-0.1)
    with pytest.raises(InputError):
        organ_budget(float("nan"), ())

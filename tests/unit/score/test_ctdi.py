"""The simulated CTDI. The batches are 40 times shorter than in use, for speed."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.score import ctdi
from milligray.score.ctdi import photons_per_scan, scan_photons, simulate_ctdi
from milligray.source.ct_scan import make_fan_field
from milligray.source.ct_source import CtSource
from milligray.source.scanner_library import load_scanner
from milligray.transport.monte_carlo.regions import transport_to_regions


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    monkeypatch.setattr(
        ctdi, "transport_to_regions", partial(transport_to_regions, batch_histories=2500)
    )
    monkeypatch.setattr(ctdi, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture(scope="module")
def field():
    return make_fan_field(
        load_scanner("generic"), "body", tube_voltage_kv=120.0, collimation_mm=40.0
    )


@pytest.fixture
def source(field) -> CtSource:
    return CtSource(
        field=field,
        isocenter_lps_mm=(10.0, -20.0),
        z_bins_mm=np.array([[0.0, 100.0]]),
        z_weights=np.ones(1),
        rotations=4.0,
        feed_mm=32.0,
        collimation_mm=40.0,
        start_angle_rad=None,
        mode="helical",
        ctdi_vol_mgy=12.0,
        phantom_diameter_mm=160,
    )


LOOSE = 0.02


def count_transports(monkeypatch) -> list[int]:
    calls = []
    real = ctdi.transport_to_regions

    def counted(*arguments, **options):
        calls.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(ctdi, "transport_to_regions", counted)
    return calls


@pytest.mark.parametrize(("diameter", "low", "high"), [(160, 0.75, 1.1), (320, 0.3, 0.65)])
def test_center_to_periphery_is_that_of_the_phantom(source, diameter, low, high):
    simulated = simulate_ctdi(source, diameter, precision=LOOSE)
    assert low < simulated.center_mgy / simulated.periphery_mgy < high
    expected = simulated.center_mgy / 3 + 2 * simulated.periphery_mgy / 3
    assert simulated.weighted_mgy == pytest.approx(expected, rel=1e-9, abs=0)
    assert 0 < simulated.relative_uncertainty <= LOOSE
    assert simulated.phantom_diameter_mm == diameter


def test_the_small_phantom_reads_more(source):
    small, large = (simulate_ctdi(source, d, precision=LOOSE).weighted_mgy for d in (160, 320))
    assert 1.5 < small / large < 2.8


def test_result_does_not_depend_on_the_threads(source):
    one, two = (simulate_ctdi(source, 160, precision=LOOSE, threads=n, cache=False) for n in (1, 2))
    assert one == two


def test_only_the_beam_counts(source):
    elsewhere = replace(
        source,
        isocenter_lps_mm=(99.0, 99.0),
        z_bins_mm=np.array([[500.0, 501.0]]),
        rotations=1.0,
        feed_mm=10.0,
        ctdi_vol_mgy=1.0,
    )
    assert simulate_ctdi(elsewhere, 160, precision=LOOSE) == simulate_ctdi(
        source, 160, precision=LOOSE
    )


def test_the_same_beam_called_half_as_wide_reads_twice_as_much(source):
    """CTDI_100 is the integral over the chamber divided by the nominal width."""
    one = simulate_ctdi(source, 160, precision=LOOSE, cache=False)
    narrower = replace(source, collimation_mm=20.0)
    other = simulate_ctdi(narrower, 160, precision=LOOSE, cache=False)
    assert other.weighted_mgy == pytest.approx(2 * one.weighted_mgy, rel=1e-9, abs=0)


def test_wide_beams_read_what_the_reference_beam_reads_per_width(source):
    """Above 40 mm the standard scales a 20 mm beam by the kerma integral in air per width."""
    over_beaming = 3.0
    wide = replace(
        source, collimation_mm=80.0, field=replace(source.field, height_mm=80.0 + over_beaming)
    )
    reference = replace(
        source, collimation_mm=20.0, field=replace(source.field, height_mm=20.0 + over_beaming)
    )
    one, other = (simulate_ctdi(s, 160, precision=LOOSE, cache=False) for s in (wide, reference))
    assert 4 * one.weighted_mgy == pytest.approx(other.weighted_mgy, rel=1e-9, abs=0)


def test_second_call_takes_the_stored_result(source, monkeypatch):
    calls = count_transports(monkeypatch)
    first = simulate_ctdi(source, 160, precision=LOOSE)
    assert simulate_ctdi(source, 160, precision=LOOSE) == first
    assert len(calls) == 1


def test_a_stored_result_that_is_too_coarse_is_made_anew(source, monkeypatch):
    calls = count_transports(monkeypatch)
    coarse = simulate_ctdi(source, 160, precision=0.05)
    finer = simulate_ctdi(source, 160, precision=0.5 * coarse.relative_uncertainty)
    assert len(calls) == 2
    assert finer.histories > coarse.histories
    assert finer.relative_uncertainty < coarse.relative_uncertainty
    # independent of the length of the run: 6 sigma of both
    sigma = np.hypot(coarse.relative_uncertainty, finer.relative_uncertainty)
    assert finer.weighted_mgy == pytest.approx(coarse.weighted_mgy, rel=6 * sigma, abs=0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[1, 2]",
        lambda _: "null",
        lambda text: json.dumps(json.loads(text) | {"surplus": 1.0}),
        lambda text: json.dumps(json.loads(text) | {"weighted_mgy": "much"}),
        lambda text: json.dumps(json.loads(text) | {"weighted_mgy": float("nan")}),
        lambda text: json.dumps(json.loads(text) | {"weighted_mgy": 0.0}),
        lambda text: json.dumps(json.loads(text) | {"relative_uncertainty": None}),
    ],
)
def test_a_damaged_cache_is_ignored_and_mended(source, damage, tmp_path):
    first = simulate_ctdi(source, 160, precision=LOOSE)
    (path,) = (tmp_path / "cache").glob("ctdi-*.json")
    intact = path.read_text()
    path.write_text(damage(intact))
    assert simulate_ctdi(source, 160, precision=LOOSE) == first
    assert path.read_text() == intact


def test_another_beam_has_another_place_in_the_cache(source, tmp_path):
    wider = replace(source, field=replace(source.field, height_mm=60.0))
    softer = replace(source, field=replace(source.field, filter_thickness_mm=np.zeros(26)))
    for beam in (source, wider, softer):
        simulate_ctdi(beam, 160, precision=0.1)
    simulate_ctdi(source, 320, precision=0.1)
    assert len(list((tmp_path / "cache").glob("ctdi-*.json"))) == 4


def test_a_cache_that_cannot_be_written_does_no_harm(source, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(ctdi, "cache_folder", lambda: tmp_path / "file")
    assert simulate_ctdi(source, 160, precision=0.1).weighted_mgy > 0


def test_photons_are_linear_in_ctdivol_and_rotations(source, monkeypatch):
    simulated = simulate_ctdi(source, 160, precision=0.1)
    one = photons_per_scan(source, simulated, 12.0)
    assert photons_per_scan(source, simulated, 36.0) == pytest.approx(3 * one)
    assert photons_per_scan(replace(source, rotations=8.0), simulated, 12.0) == 2 * one
    monkeypatch.setattr(ctdi, "simulate_ctdi", partial(simulate_ctdi, precision=0.1))
    assert scan_photons(source) == one
    assert scan_photons(replace(source, ctdi_vol_mgy=24.0)) == 2 * one


def test_photons_follow_from_the_definition_of_ctdivol(source):
    """CTDIvol = CTDIw / pitch, and CTDIw is that of one rotation."""
    simulated = simulate_ctdi(source, 160, precision=0.1)
    per_rotation = photons_per_scan(source, simulated, 12.0) / source.rotations
    pitch = 32.0 / 40.0
    assert per_rotation * simulated.weighted_mgy / pitch == pytest.approx(12.0)


@pytest.mark.parametrize("missing", ["ctdi_vol_mgy", "phantom_diameter_mm"])
def test_no_scale_without_ctdivol_and_its_phantom(source, missing):
    with pytest.raises(InputError, match="CTDIvol"):
        scan_photons(replace(source, **{missing: None}))


def test_phantoms_that_do_not_exist_are_refused(source):
    with pytest.raises(InputError, match="160 or 320"):
        simulate_ctdi(source, 200)

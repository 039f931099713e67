"""CTDI from the table of phantom responses."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from milligray.constants import AIR_DENSITY_G_CM3, CM3_PER_MM3, MGY_PER_KEV_PER_G
from milligray.data import load_csv
from milligray.errors import InputError, TableRangeError
from milligray.patient.phantoms.ctdi import CHAMBER_LENGTH_MM, chamber_slices, ctdi_phantom
from milligray.score import ctdi_response
from milligray.score.ctdi import simulate_ctdi
from milligray.score.ctdi_response import ctdi_from_response, ctdi_of_beam, phantom_response
from milligray.source.ct_scan import make_fan_field
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.scanner_library import list_scanners, load_scanner
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.regions import transport_to_regions


def rotation(name="siemens-definition", bowtie="head", kv=120.0, width=38.4, field=None):
    field = field or make_fan_field(
        load_scanner(name), bowtie, tube_voltage_kv=kv, collimation_mm=width
    )
    return CtSource(
        field=field, isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.zeros((1, 2)),
        z_weights=np.ones(1), rotations=1.0, feed_mm=width, collimation_mm=width,
        start_angle_rad=None, mode="axial",
    )  # fmt: skip


def thin_fan(energy_kev, *, width_mm=12.0, height_mm=10.0):
    """Photons of one energy through the middle of the phantom."""
    field = open_fan(
        focal_radius_mm=595.0, width_mm=width_mm, height_mm=height_mm,
        spectrum=Spectrum.monoenergetic(energy_kev),
    )  # fmt: skip
    return rotation(field=field, width=height_mm)


def test_the_table_is_whole():
    rows = load_csv("ctdi/response.csv")
    cells = {tuple(list(row.values())[:5]) for row in rows}
    assert len(cells) == len(rows) == 1280
    for diameter in (160, 320):
        response = phantom_response(diameter)
        assert response.edges_mm[0] == 0.0
        assert response.edges_mm[-1] == diameter / 2
        assert np.all(np.diff(response.edges_mm) > 0)
        for name in ("center_mgy_mm", "periphery_mgy_mm", "deviation_mgy_mm"):
            values = getattr(response, name)
            assert np.all(np.isfinite(values))
            assert np.all(values >= 0)


def test_a_ray_through_the_middle_hits_the_central_chamber_most():
    response = phantom_response(160)
    at_60 = int(np.flatnonzero(response.energy_kev == 60)[0])
    center = response.center_mgy_mm[0, :, at_60]
    assert center.argmax() == 0
    # without primary photons only scatter is left
    assert center[1] < 0.5 * center[0]


@pytest.mark.parametrize("diameter", [160, 320])
def test_a_cell_can_be_computed_again(diameter):
    """The fan of one bin of the table and one energy, simulated as a whole beam."""
    energy = 70.0
    response = phantom_response(diameter)
    high = float(response.edges_mm[1])
    source = thin_fan(energy, width_mm=2 * high / np.sqrt(1 - (high / 595.0) ** 2))
    phantom, chambers = ctdi_phantom(diameter)
    slices = chamber_slices(phantom.grid)
    whole = chambers > 0.999
    inside = [(slices[:, None, None] & r[None]).ravel() for r in (whole[0], whole[1:].any(axis=0))]
    membership = scipy.sparse.csr_matrix(np.stack(inside).astype(np.float64))
    mass = membership.sum(axis=1).A1 * np.prod(phantom.grid.spacing_mm) * CM3_PER_MM3
    weights = MGY_PER_KEV_PER_G / (mass * AIR_DENSITY_G_CM3) * CHAMBER_LENGTH_MM
    weights = weights * np.array([1.0, 2.0]) / 3.0
    found = transport_to_regions(
        phantom, source, membership, precision=0.02, combine=weights, batch_histories=2000,
        max_histories=200_000, seed=7,
    )  # fmt: skip
    batches = found.batches_kev @ weights
    mean, sigma = batches.mean(), batches.std(ddof=1) / np.sqrt(batches.size)
    at = int(np.flatnonzero(response.energy_kev == energy)[0])
    center, periphery, deviation = (
        values[0, 0, at] for values in
        (response.center_mgy_mm, response.periphery_mgy_mm, response.deviation_mgy_mm)
    )  # fmt: skip
    assert abs(mean - (center + 2 * periphery) / 3) < 5 * np.hypot(sigma, deviation)
    # and the same through the interface
    ctdi = ctdi_from_response(source, diameter)
    assert ctdi.weighted_mgy * 10.0 == pytest.approx((center + 2 * periphery) / 3, rel=0.02)


def test_a_whole_beam_agrees_with_its_simulation():
    source = rotation()
    table = ctdi_from_response(source, 160)
    direct = simulate_ctdi(source, 160, precision=0.03, cache=False)
    sigma = np.hypot(direct.relative_uncertainty, table.relative_uncertainty)
    assert abs(direct.weighted_mgy / table.weighted_mgy - 1.0) < 5 * sigma


def test_every_scanner_of_the_library_is_in_it():
    for name in list_scanners():
        scanner = load_scanner(name)
        for bowtie in scanner.bowties:
            for kv in (70.0, 140.0):
                for diameter in (160, 320):
                    ctdi = ctdi_from_response(rotation(name, bowtie, kv), diameter)
                    ratio = ctdi.center_mgy / ctdi.periphery_mgy
                    low, high = (0.85, 1.15) if diameter == 160 else (0.25, 0.8)
                    if bowtie != "body" or diameter == 320:
                        assert low < ratio < high, (name, bowtie, kv, diameter)
                    assert ctdi.relative_uncertainty < 0.006


def test_ctdi_times_width_hardly_depends_on_the_width():
    one = ctdi_from_response(rotation(width=10.0), 160).weighted_mgy * 10.0
    two = ctdi_from_response(rotation(width=40.0), 160).weighted_mgy * 40.0
    assert two / one == pytest.approx(1.0, abs=0.02)
    assert two < one  # scatter leaves the chamber at its ends


def test_a_wide_beam_is_measured_with_the_reference_beam_of_the_standard():
    wide = ctdi_from_response(rotation("ge-revolution-ct", "body", width=80.0), 320)
    reference = ctdi_from_response(rotation("ge-revolution-ct", "body", width=20.0), 320)
    assert wide.weighted_mgy == pytest.approx(reference.weighted_mgy * 20.0 / 80.0, rel=1e-9)


def test_photons_that_miss_the_phantom_give_nothing():
    narrow = thin_fan(60.0, width_mm=160.0)
    field = replace(narrow.field, width_mm=320.0)
    wide = replace(narrow, field=field)
    one, two = (ctdi_from_response(s, 160).weighted_mgy for s in (narrow, wide))
    assert two == pytest.approx(one * 160.0 / 320.0, rel=0.07)


def test_energies_outside_are_refused():
    for energy in (8.0, 200.0):
        with pytest.raises(TableRangeError):
            ctdi_from_response(thin_fan(energy), 160)
    with pytest.raises(InputError, match="160 or 320"):
        ctdi_from_response(rotation(), 200)


def test_what_the_table_does_not_hold_is_simulated_and_said(monkeypatch):
    made = ctdi_from_response(rotation(), 160)
    monkeypatch.setattr(ctdi_response, "simulate_ctdi", lambda *_a, **_k: made)
    assert ctdi_of_beam(rotation(), 160)[1].startswith("CTDI from the table")
    assert "does not hold it" in ctdi_of_beam(thin_fan(200.0), 160)[1]
    assert ctdi_of_beam(rotation(), 160, prefer="simulation")[1] == "CTDI simulated for this beam"

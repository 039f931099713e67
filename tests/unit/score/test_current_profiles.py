"""Other tube currents from one transport."""

from dataclasses import replace

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.patient.phantoms import water_cylinder
from milligray.score.current_profiles import score_current_profiles, segment_ratios
from milligray.score.dose_scoring import score_dose, score_organ_dose
from milligray.segment.organs import OrganMap
from milligray.source.ct_source import CtSource, open_fan
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons

CYLINDER = water_cylinder(200.0, 200.0, 10.0)
EDGES_MM = np.linspace(-100.0, 100.0, 41)
PHOTONS = 1e9


def scan(current) -> CtSource:
    return CtSource(
        field=open_fan(
            focal_radius_mm=500.0, width_mm=260.0, height_mm=20.0,
            spectrum=Spectrum.monoenergetic(60.0),
        ),
        isocenter_lps_mm=(0.0, 0.0), z_bins_mm=np.stack([EDGES_MM[:-1], EDGES_MM[1:]], axis=1),
        z_weights=np.broadcast_to(current, 40).astype(float), rotations=10.0, feed_mm=20.0,
        collimation_mm=20.0, start_angle_rad=None, mode="helical",
    )  # fmt: skip


def thirds() -> OrganMap:
    labels = np.zeros(CYLINDER.grid.shape, dtype=np.uint16)
    z = CYLINDER.grid.axis_centers_mm(0)
    labels[CYLINDER.body & (z < -33.0)[:, None, None]] = 1
    labels[CYLINDER.body & (np.abs(z) <= 33.0)[:, None, None]] = 2
    labels[CYLINDER.body & (z > 33.0)[:, None, None]] = 3
    return OrganMap(
        grid=CYLINDER.grid, labels=labels, names={1: "low", 2: "middle", 3: "high"},
        method="test", fraction_in_image={},
    )  # fmt: skip


ORGANS = thirds()
FLAT = scan(1.0)
DEPOSIT = transport_photons(
    CYLINDER, FLAT, histories=400_000, organs=ORGANS, segments=20, seed=3
)  # fmt: skip
STEEP = np.linspace(0.2, 1.8, 40) ** 2


def doses(table) -> np.ndarray:
    return np.array([row.mean_dose_mgy for row in table.rows])


def sigmas(table) -> np.ndarray:
    return np.array([row.mean_dose_mgy * row.relative_uncertainty for row in table.rows])


def test_its_own_current_gives_the_same_doses():
    plain = score_organ_dose(score_dose(DEPOSIT, CYLINDER, photons=PHOTONS), ORGANS)
    (same,) = score_current_profiles(DEPOSIT, ORGANS, FLAT, [FLAT.z_weights], photons=PHOTONS)
    for a, b in zip(plain.rows, same.rows, strict=True):
        assert b.mean_dose_mgy == pytest.approx(a.mean_dose_mgy, rel=1e-12)
        assert b.relative_uncertainty == pytest.approx(a.relative_uncertainty, rel=1e-9)


def test_another_current_gives_what_its_own_transport_gives():
    """20 segments of 1 cm resolve this profile: what is left is statistics."""
    steep = scan(STEEP)
    deposit = transport_photons(CYLINDER, steep, histories=400_000, organs=ORGANS, seed=4)
    photons = PHOTONS * STEEP.sum() / 40.0
    direct = score_organ_dose(score_dose(deposit, CYLINDER, photons=photons), ORGANS)
    (told,) = score_current_profiles(DEPOSIT, ORGANS, FLAT, [STEEP], photons=PHOTONS)
    difference = np.abs(doses(told) - doses(direct))
    assert np.all(difference < 6.0 * np.hypot(sigmas(told), sigmas(direct)))
    assert np.all(sigmas(told) < 0.01 * doses(told))


def test_ratios_of_profiles_are_more_certain_than_the_profiles():
    seeds = range(12)
    ratios, alone = [], []
    for seed in seeds:
        deposit = transport_photons(
            CYLINDER, FLAT, histories=20_000, organs=ORGANS, segments=20, seed=seed
        )
        tables = score_current_profiles(
            deposit, ORGANS, FLAT, [FLAT.z_weights, np.linspace(0.8, 1.2, 40)], photons=PHOTONS
        )
        ratios.append(doses(tables[1]) / doses(tables[0]))
        alone.append(doses(tables[0]))
    spread = np.std(ratios, axis=0) / np.mean(ratios, axis=0)
    assert np.all(spread < 0.4 * np.std(alone, axis=0) / np.mean(alone, axis=0))


def test_segments_of_a_modulated_scan_hold_equal_photons():
    """Doubling the current of a bin doubles what its own segment emits, wherever its edges lie."""
    source = scan(STEEP)
    assert segment_ratios(source, STEEP, 7) == pytest.approx(np.ones(7))
    assert segment_ratios(source, 3.0 * STEEP, 7) == pytest.approx(3.0 * np.ones(7))
    only = np.where(np.arange(40) < 13, STEEP, 0.0)
    ratio = segment_ratios(source, only, 50)
    assert ratio.mean() == pytest.approx(only.sum() / STEEP.sum())
    assert np.all(np.diff(ratio) <= 1e-12)


def test_the_same_bits_with_any_number_of_threads():
    one, two = (
        transport_photons(
            CYLINDER, FLAT, histories=40_000, organs=ORGANS, segments=8, threads=n
        )
        for n in (1, 2)
    )  # fmt: skip
    assert np.array_equal(one.organ_segments_kev_g, two.organ_segments_kev_g)
    assert np.array_equal(one.energy_kev, two.energy_kev)
    assert one.organ_segments_kev_g.shape == (one.batches, 8, 3)
    total = one.organ_segments_kev_g.sum(axis=1)
    assert np.allclose(total, one.organ_batches_kev_g, rtol=1e-12)


def test_profiles_that_make_no_sense_are_refused():
    def told(profile, source=FLAT):
        return score_current_profiles(DEPOSIT, ORGANS, source, [profile], photons=PHOTONS)

    with pytest.raises(InputError, match="40 bins"):
        told(np.ones(39))
    with pytest.raises(InputError, match=">= 0"):
        told(-np.ones(40))
    gap = scan(np.where(np.arange(40) == 5, 0.0, 1.0))
    with pytest.raises(InputError, match="has none"):
        told(np.ones(40), gap)
    plain = replace(DEPOSIT, organ_segments_kev_g=np.empty(0))
    with pytest.raises(InputError, match="segments="):
        score_current_profiles(plain, ORGANS, FLAT, [np.ones(40)], photons=PHOTONS)
    with pytest.raises(InputError, match="segments"):
        transport_photons(CYLINDER, FLAT, histories=1000, segments=0)

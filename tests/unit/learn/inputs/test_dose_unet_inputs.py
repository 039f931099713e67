"""Inputs of the dose U-Net: exactly homogeneous, and what they say."""

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.learn.inputs.dose_unet_inputs import (
    CHANNELS,
    LEAST_GUESS,
    TISSUE_KNOTS,
    DoseUnetInputs,
    GuessOptions,
    blurred_maps,
    domain_features,
    dose_unet_inputs,
    guess_options,
)

SHAPE = (12, 20, 24)


def fields() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    body = np.zeros(SHAPE, dtype=bool)
    body[:, 3:17, 4:20] = True
    density = np.where(body, 1.0 + 0.1 * random.random(SHAPE), 0.0).astype(np.float32)
    kerma = (5.0 + random.random(SHAPE)).astype(np.float32)
    kerma[:2] = 0.0
    scanned = np.ones(SHAPE[0], dtype=bool)
    scanned[:2] = False
    return density, kerma, body, scanned


def made(factor: float = 1.0, guess: GuessOptions | None = None) -> DoseUnetInputs:
    density, kerma, body, scanned = fields()
    return dose_unet_inputs(
        density, np.float32(factor) * kerma, body, scanned, voxel_mm=4.0,
        half_value_layer_mm_al=7.7, guess=guess or GuessOptions(),
    )  # fmt: skip


def test_twice_the_dose_is_the_very_same_input() -> None:
    one, two = made(), made(2.0)
    assert two.scale_mgy == 2.0 * one.scale_mgy
    np.testing.assert_array_equal(one.channels, two.channels)
    np.testing.assert_array_equal(one.guess, two.guess)


def test_any_other_factor_is_the_same_input_to_rounding() -> None:
    one, other = made(), made(0.37)
    assert other.scale_mgy == pytest.approx(0.37 * one.scale_mgy, rel=1e-6)
    np.testing.assert_allclose(one.channels, other.channels, rtol=1e-5, atol=1e-6)


def test_the_scale_is_the_mean_over_the_body_in_the_range() -> None:
    density, kerma, body, scanned = fields()
    found = made()
    assert found.scale_mgy == pytest.approx(kerma[2:][body[2:]].mean(), rel=1e-6)
    inside = found.channels[CHANNELS.index("attenuation_map")][2:][body[2:]]
    assert inside.mean() == pytest.approx(1.0, rel=1e-5)
    assert not found.channels[:, ~body].any()
    assert (found.guess >= np.float32(LEAST_GUESS)).all()
    with pytest.raises(InputError, match="no primary beam"):
        dose_unet_inputs(
            density, np.zeros_like(kerma), body, scanned, voxel_mm=4.0, half_value_layer_mm_al=7.0,
            guess=GuessOptions(),
        )  # fmt: skip


def test_scattered_photons_reach_beyond_the_beam() -> None:
    found = made()
    assert found.channels[1, 0, 10, 12] == 0.0
    assert found.guess[0, 10, 12] > 0.1 * found.guess[6, 10, 12]


def test_blurs_keep_what_they_blur() -> None:
    density = np.zeros((61, 61, 61), dtype=np.float32)
    density[30, 30, 30] = 1.0
    body = np.ones(density.shape, dtype=bool)
    parts = blurred_maps(density, 2.0 * np.ones_like(density), body, 8.0)
    assert parts[0].mean() == pytest.approx(2.0)
    assert parts[1].sum() == pytest.approx(2.0, rel=1e-3)
    assert parts[2].sum() == pytest.approx(2.0, rel=1e-3)


def test_the_tissue_factor_is_read_at_the_density() -> None:
    log_tissue = np.where(np.array(TISSUE_KNOTS) >= 0.9, np.log(3.0), 0.0)
    plain, more = made(), made(guess=GuessOptions(log_tissue=tuple(log_tissue)))
    body = fields()[2]
    np.testing.assert_allclose(more.guess[body], 3.0 * plain.guess[body], rtol=1e-5)
    with pytest.raises(InputError, match="tissue"):
        GuessOptions(log_tissue=(1.0,))
    with pytest.raises(InputError, match="weights"):
        GuessOptions(weights=(1.0, -1.0, 1.0))


def test_a_card_names_a_map_that_is_known() -> None:
    given = {"map": "fitted", "guess_weights": [1, 2, 3], "log_tissue": [0] * len(TISSUE_KNOTS)}
    which, guess = guess_options(given)
    assert (which, guess.weights) == ("fitted", (1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="asks for a map"):
        guess_options(given | {"map": "sphere"})


def test_features_of_the_domain() -> None:
    density, _, body, scanned = fields()
    names, values = domain_features(
        density, body, scanned, voxel_mm=4.0, half_value_layer_mm_al=7.0, map_per_ctdi=0.5
    )
    found = dict(zip(names, values, strict=True))
    assert found["effective_diameter_mm"] == pytest.approx(2 * np.sqrt(14 * 16 * 16 / np.pi))
    assert found["scan_length_mm"] == 40.0
    assert found["bone_share"] == found["gas_share"] == 0.0

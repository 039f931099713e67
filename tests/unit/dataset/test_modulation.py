import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from milligray.dataset.modulation import modulated_current

Z = np.arange(60.0) * 5.0
WIDE = (1e-6, 1e6)


def current(diameter: np.ndarray, strength: float, **more: object) -> np.ndarray:
    options = {"mu_per_mm": 0.02, "window_mm": 0.0, "limits": WIDE} | more
    return modulated_current(Z, diameter, strength=strength, **options)  # type: ignore[arg-type]


def test_without_strength_the_current_is_fixed() -> None:
    assert np.allclose(current(np.linspace(150, 350, Z.size), 0.0), 1.0)


def test_full_strength_keeps_the_noise_constant() -> None:
    diameter = 250 + 60 * np.sin(Z / 40)
    photons = current(diameter, 1.0) * np.exp(-0.02 * diameter)
    assert np.allclose(photons, photons[0])


def test_half_strength_gives_least_noise_for_the_total_current() -> None:
    diameter = 250 + 60 * np.sin(Z / 40)

    def noise(strength: float) -> float:
        return float(np.sum(np.exp(0.02 * diameter) / current(diameter, strength)))

    assert noise(0.5) < min(noise(0.45), noise(0.55))


@given(st.lists(st.floats(100, 450), min_size=60, max_size=60), st.floats(0, 1.5))
def test_mean_is_one_and_limits_hold(diameter: list[float], strength: float) -> None:
    found = current(np.array(diameter), strength, limits=(0.3, 3.0), window_mm=20.0)
    assert abs(found.mean() - 1.0) < 1e-9
    assert found.min() > 0.29
    assert found.max() < 3.1

"""What electrons and positrons do, one function at a time."""

import numpy as np
import pytest

from milligray.physics import charged
from milligray.physics.interactions import ELECTRON_REST_KEV

LEVELS = (np.arange(20000) + 0.5) / 20000


@pytest.mark.parametrize(("mean", "variance"), [(30.0, 20.0), (5.0, 60.0), (1.0, 0.3)])
def test_soft_losses_have_their_mean_and_variance(mean, variance):
    losses = np.array([charged.sample_soft_loss_kev(mean, variance, x) for x in LEVELS])
    assert losses.mean() == pytest.approx(mean, rel=1e-3)
    assert losses.var() == pytest.approx(variance, rel=5e-3)
    assert losses.min() >= 0


@pytest.mark.parametrize(("path", "inverse_1", "inverse_2"), [(0.01, 5.0, 14.0), (0.1, 5.0, 13.0)])
def test_soft_deflections_have_their_first_two_moments(path, inverse_1, inverse_2):
    rng = np.random.default_rng(3)
    xi = rng.random((40000, 2))
    cosines = np.array(
        [charged.sample_soft_deflection(path, inverse_1, inverse_2, a, b) for a, b in xi]
    )
    legendre_2 = 1.5 * cosines**2 - 0.5
    assert cosines.mean() == pytest.approx(np.exp(-path * inverse_1), abs=3e-3)
    assert legendre_2.mean() == pytest.approx(np.exp(-path * inverse_2), abs=6e-3)
    assert np.abs(cosines).max() <= 1


def test_hard_collisions_follow_their_cross_section():
    energy, cutoff = 800.0, 20.0
    rng = np.random.default_rng(5)
    for particle, largest in ((0, 400.0), (1, 800.0)):
        xi = rng.random((60000, 2))
        losses = np.array(
            [charged.hard_collision_kev(particle, energy, cutoff, a, b) for a, b in xi]
        )
        losses = losses[losses > 0]
        fine = np.geomspace(cutoff, largest, 4001)
        shape = np.array([charged.collision_shape(particle, energy, w / energy) for w in fine])
        density = shape / fine**2
        expected = np.trapezoid(density * fine, fine) / np.trapezoid(density, fine)
        assert losses.mean() == pytest.approx(expected, rel=0.02)
        assert losses.min() >= cutoff
        assert losses.max() <= largest


@pytest.mark.parametrize("loss", [25.0, 200.0, 390.0])
def test_collisions_conserve_momentum(loss):
    def momentum(kinetic):
        return np.sqrt(kinetic * (kinetic + 2 * ELECTRON_REST_KEV))

    cos_primary, cos_other = charged.collision_cosines(800.0, loss)
    along = momentum(800.0 - loss) * cos_primary + momentum(loss) * cos_other
    across = momentum(800.0 - loss) * np.sqrt(1 - cos_primary**2)
    assert along == pytest.approx(momentum(800.0), rel=1e-9)
    assert across == pytest.approx(momentum(loss) * np.sqrt(1 - cos_other**2), rel=1e-6)


@pytest.mark.parametrize("energy", [15.0, 300.0, 2000.0])
def test_annihilation_in_flight_conserves_energy_and_momentum(energy):
    rng = np.random.default_rng(7)
    n = 0
    for xi_share, xi_accept in rng.random((2000, 2)):
        e1, e2, cos1, cos2 = charged.annihilation_photons(energy, xi_share, xi_accept)
        if e1 == 0:
            continue
        n += 1
        assert e1 + e2 == pytest.approx(energy + 2 * ELECTRON_REST_KEV, rel=1e-12)
        momentum = np.sqrt(energy * (energy + 2 * ELECTRON_REST_KEV))
        assert e1 * cos1 + e2 * cos2 == pytest.approx(momentum, rel=1e-6)
        assert e1 * np.sqrt(1 - cos1**2) == pytest.approx(
            e2 * np.sqrt(1 - cos2**2), rel=1e-5, abs=0.05
        )
    assert n > 1000  # most trials are accepted

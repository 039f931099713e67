"""Batches computed elsewhere, finished in any order: the same bits."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from milligray.patient.phantoms import water_box
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo.engine import transport_photons

BOX = water_box((120.0, 120.0, 120.0), voxel_size_mm=20.0)
BEAM = FieldBeam(
    focal_spot_lps_mm=(0.0, -300.0, 0.0),
    field_center_lps_mm=(0.0, 0.0, 0.0),
    field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    field_size_mm=(100.0, 100.0),
    spectrum=Spectrum.monoenergetic(60.0),
)


class Elsewhere(ThreadPoolExecutor):
    """Runs the batches on copies of its own and fills the tally at the end."""

    slots = 5

    def __init__(self, fails_at=None):
        super().__init__(max_workers=3)
        self.started = 0
        self.is_closed = False
        self.fails_at = fails_at

    def __exit__(self, *exception):
        self.is_closed = True
        return super().__exit__(*exception)

    def submit(self, function, /, *arguments) -> Future:
        self.started += 1
        if self.started == self.fails_at:
            raise RuntimeError("the cluster is gone")

        def compute():
            *rest, tally = arguments
            own = np.zeros_like(tally)
            function(*rest, own)
            tally[:] = own

        return super().submit(compute)


def test_a_pool_gives_the_bits_of_this_process():
    alone = transport_photons(BOX, BEAM, histories=50_000, seed=3, threads=1)
    pool = Elsewhere()
    shared = transport_photons(BOX, BEAM, histories=50_000, seed=3, pool=pool)
    assert pool.started == alone.batches
    assert pool.is_closed
    assert np.array_equal(alone.energy_kev, shared.energy_kev)
    assert np.array_equal(alone.relative_uncertainty, shared.relative_uncertainty)


def test_a_pool_is_ended_when_it_fails():
    pool = Elsewhere(fails_at=7)
    with pytest.raises(RuntimeError, match="the cluster is gone"):
        transport_photons(BOX, BEAM, histories=50_000, seed=3, pool=pool)
    assert pool.is_closed

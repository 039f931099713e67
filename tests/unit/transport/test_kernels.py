"""Voxel kernels: their symmetry, their store, and what superposition makes of them."""

from functools import lru_cache

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.source.decay_source import DecaySource
from milligray.source.nuclide import load_nuclide
from milligray.transport.kernels.kernel_store import (
    kernel_key,
    shipped_kernel,
    voxel_kernel,
    write_kernel,
)
from milligray.transport.kernels.make_kernel import compute_voxel_kernel, symmetrized
from milligray.transport.kernels.superposition import (
    convolve_kernel,
    superpose,
    tissue_media,
    water_medium,
)
from milligray.transport.kernels.voxel_kernel import VoxelKernel
from milligray.transport.local_deposition import deposit_locally, local_kev_per_decay
from milligray.transport.monte_carlo.decay_engine import transport_decays
from milligray.volume import Grid

WATER, LUNG = load_material("water"), load_material("lung")
SPACING = (5.0, 5.0, 5.0)


@lru_cache
def kernel(name="F-18", medium="water", density=1.0) -> VoxelKernel:
    return compute_voxel_kernel(
        load_nuclide(name), load_material(medium), SPACING, density_g_cm3=density,
        histories=200_000,
    )  # fmt: skip


def uniform(shape=(24, 24, 24), density=1.0, material=WATER, spacing=SPACING):
    grid = Grid.from_spacing(shape, spacing)
    return Patient(
        grid=grid, density_g_cm3=np.full(shape, density),
        material_index=np.zeros(shape, dtype=np.uint8), materials=(material,),
        body=np.ones(shape, dtype=bool),
    )  # fmt: skip


def test_symmetrized_values_are_symmetric_and_keep_their_sum():
    values = np.random.default_rng(1).random((5, 5, 5))
    result = symmetrized(values, SPACING)
    assert result == pytest.approx(result.transpose(1, 2, 0))
    assert result == pytest.approx(result[::-1, :, ::-1])
    assert result.sum() == pytest.approx(values.sum())
    flat = symmetrized(values, (5.0, 5.0, 3.0))
    assert flat == pytest.approx(flat.transpose(1, 0, 2))
    assert not np.allclose(flat, flat.transpose(2, 1, 0))


def test_tail_continues_the_near_part():
    k = kernel()
    r = np.array([70.0, 75.0])
    near = [k.near_kev_g[15, 15, 15 + 14], k.near_kev_g[15, 15 + 15, 15]]
    assert k.tail(r) == pytest.approx(near, rel=0.1)
    assert np.all(np.diff(k.tail(np.linspace(70.0, 500.0, 50))) < 0)


def test_kernel_on_offsets_joins_both_parts():
    k = kernel()
    values = k.on_offsets((20, 3, 17))
    assert values.shape == (41, 7, 35)
    assert values[20, 3, 17] == k.near_kev_g[15, 15, 15]
    assert values[0, 3, 17] == pytest.approx(k.tail(np.array([100.0]))[0])


def test_one_kernel_in_uniform_water_gives_the_monte_carlo_dose():
    patient = uniform()
    nuclide = load_nuclide("F-18")
    decays = np.zeros(patient.grid.shape)
    decays[11:13, 11:13, 9:15] = 1.0
    dose, used = superpose(
        patient, nuclide, decays, water_medium(), lambda *_: kernel("F-18", "water", 1.0)
    )
    assert set(used) == {"water"}
    deposit = transport_decays(
        patient, DecaySource(nuclide=nuclide, grid=patient.grid, decays=decays),
        histories=400_000, electrons="all",
    )  # fmt: skip
    truth = deposit.energy_kev * decays.sum() / patient.mass_g
    inside = decays > 0
    assert dose[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.01)
    ring = np.s_[9:15, 9:15, 18:20]
    # the kernel has water all around, this box has vacuum 2 cm behind: 5 % of backscatter
    assert dose[ring].mean() == pytest.approx(truth[ring].mean(), rel=0.07)


def test_convolution_is_linear_and_shift_invariant():
    k = kernel()
    decays = np.zeros((9, 10, 11))
    decays[2, 3, 4] = 2.0
    once = convolve_kernel(decays, k)
    moved = convolve_kernel(np.roll(decays, (1, 2, 3), axis=(0, 1, 2)), k)
    assert once[2, 3, 4] == pytest.approx(2.0 * k.near_kev_g[15, 15, 15], rel=1e-6)
    assert moved[3:6, 5:8, 7:10] == pytest.approx(once[2:5, 3:6, 4:7], rel=1e-4)


def test_every_target_takes_the_kernel_of_its_own_medium():
    patient = uniform((12, 12, 12))
    density = np.ones(patient.grid.shape)
    density[:, :, 6:] = 0.26
    patient = Patient(
        grid=patient.grid, density_g_cm3=density,
        material_index=(density < 0.5).astype(np.uint8), materials=(WATER, LUNG),
        body=patient.body,
    )  # fmt: skip
    asked = []

    def kernel_of(_nuclide, material, _spacing_mm, density_g_cm3):
        asked.append((material.name, density_g_cm3))
        return kernel("Lu-177", material.name, density_g_cm3)

    decays = np.ones(patient.grid.shape)
    dose, _ = superpose(patient, load_nuclide("Lu-177"), decays, tissue_media(), kernel_of)
    assert {name for name, _ in asked} == {"lung", "soft_tissue"}
    # as many decays in a quarter of the mass: nearly four times the dose
    assert dose[6, 6, 10] / dose[6, 6, 1] == pytest.approx(1.06 / 0.26, rel=0.1)


def test_kernels_survive_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MILLIGRAY_CACHE", str(tmp_path))
    nuclide = load_nuclide("Lu-177")
    made = voxel_kernel(nuclide, WATER, (20.0, 20.0, 20.0), histories=2000)
    (file,) = (tmp_path / "kernels").iterdir()
    again = voxel_kernel(nuclide, WATER, (20.0, 20.0, 20.0), histories=2000)
    assert again.near_kev_g == pytest.approx(made.near_kev_g, rel=1e-6)
    assert again.spacing_mm == made.spacing_mm
    file.write_bytes(b"damaged")
    assert voxel_kernel(nuclide, WATER, (20.0, 20.0, 20.0), histories=2000).near_kev_g == (
        pytest.approx(made.near_kev_g, rel=1e-6)
    )
    write_kernel(made, file)


def test_a_kernel_is_known_by_all_that_decides_it():
    f18, lu177 = load_nuclide("F-18"), load_nuclide("Lu-177")
    keys = {
        kernel_key(f18, WATER, SPACING, 1.0), kernel_key(lu177, WATER, SPACING, 1.0),
        kernel_key(f18, LUNG, SPACING, 1.0), kernel_key(f18, WATER, (5.0, 5.0, 4.0), 1.0),
        kernel_key(f18, WATER, SPACING, 0.9),
    }  # fmt: skip
    assert len(keys) == 5


@pytest.mark.parametrize("name", ["F-18", "Lu-177", "Y-90", "I-131"])
@pytest.mark.parametrize("spacing", [3.0, 4.42])
@pytest.mark.parametrize("medium", [*water_medium(), *tissue_media()])
def test_kernels_of_common_nuclides_ship(name, spacing, medium):
    """At most the energy of the decay, and at least that of the electrons, is in the near part."""
    nuclide = load_nuclide(name)
    shipped = shipped_kernel(nuclide, medium.material, (spacing,) * 3, medium.density_g_cm3)
    assert shipped is not None
    whole = shipped.near_kev_g.sum() * medium.density_g_cm3 * (0.1 * spacing) ** 3
    positrons = nuclide.lines("positron")
    pairs = 0.0 if positrons is None else positrons.total_yield
    emitted = nuclide.energy_per_decay_kev() + 1022.0 * pairs
    assert whole < emitted
    charged = nuclide.energy_per_decay_kev("electron") + nuclide.energy_per_decay_kev("positron")
    assert whole > 0.97 * charged
    assert shipped.relative_uncertainty < 0.005


def test_local_deposition_keeps_charged_energy_and_scales_with_density():
    nuclide = load_nuclide("Lu-177")
    assert local_kev_per_decay(nuclide) == pytest.approx(147.9, abs=3.0)
    thin = deposit_locally(uniform((3, 3, 3), density=0.26), nuclide, np.ones((3, 3, 3)))
    dense = deposit_locally(uniform((3, 3, 3)), nuclide, np.ones((3, 3, 3)))
    assert thin / dense == pytest.approx(1 / 0.26)
    assert dense[0, 0, 0] * 0.125 == pytest.approx(local_kev_per_decay(nuclide))


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"0\.1 to 50 mm"):
        compute_voxel_kernel(load_nuclide("F-18"), WATER, (0.01, 3.0, 3.0))
    with pytest.raises(InputError, match="no decay"):
        convolve_kernel(np.zeros((4, 4, 4)), kernel())
    with pytest.raises(InputError, match="shape"):
        deposit_locally(uniform((3, 3, 3)), load_nuclide("F-18"), np.ones((2, 2, 2)))

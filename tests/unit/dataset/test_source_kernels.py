"""Kernels in patches: those of a uniform medium where it is uniform, energy within its bounds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from milligray.cli.main import app
from milligray.dataset import KernelPairs, open_set
from milligray.dataset.kernel_precision import (
    SourceKernel,
    emitted_kev_per_decay,
    judged_shell,
    transport_kernel,
)
from milligray.dataset.kinds import Sample, find_kind
from milligray.dataset.patients import SampleSpec, read_patient_list
from milligray.dataset.recompute import recompute_sample, verify_set
from milligray.dataset.run import SetSummary, make_set
from milligray.dataset.settings import SetSettings
from milligray.dataset.show import set_table, text_of, write_page
from milligray.dataset.source_voxels import STRATA
from milligray.dataset.storage import sample_document
from milligray.errors import InputError
from milligray.exam.settings import CtSettings
from milligray.learn.inputs.kernel_patch import cut_patch
from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.source.nuclide import load_nuclide
from milligray.transport.kernels.make_kernel import compute_voxel_kernel
from milligray.volume import Grid

from .conftest import Here

KIND = "source-kernels"
SPACING = 8.0


def uniform(material: str, n: int = 40, density_g_cm3: float | None = None) -> Patient:
    medium = load_material(material)
    density = density_g_cm3 or medium.reference_density_g_cm3
    shape = (n, n, n)
    return Patient(
        grid=Grid.from_spacing(shape, (SPACING,) * 3), body=np.ones(shape, dtype=bool),
        density_g_cm3=np.full(shape, density, dtype=np.float32),
        material_index=np.zeros(shape, dtype=np.uint8), materials=(medium,),
    )  # fmt: skip


def kernel_of(patient: Patient, **values: Any) -> SourceKernel:
    n = patient.grid.shape[0]
    box = cut_patch(patient, (n // 2,) * 3, n)
    options: dict[str, Any] = {
        "judged": box.body, "precision": 0.1, "electrons": "primaries", "annihilation_copies": 8,
        "key": (1,), "threads": 2, "histories": 60_000,
    } | values  # fmt: skip
    return transport_kernel(box, load_nuclide("F-18"), **options)


@pytest.fixture(scope="module")
def soft() -> SourceKernel:
    return kernel_of(uniform("soft_tissue"))


def test_a_uniform_patch_has_the_voxel_kernel_of_its_medium(soft: SourceKernel) -> None:
    medium = load_material("soft_tissue")
    kernel = compute_voxel_kernel(
        load_nuclide("F-18"), medium, (SPACING,) * 3, histories=200_000, electrons="primaries",
        seed=9, threads=2,
    )  # fmt: skip
    near = slice(20 - 5, 20 + 6)
    middle = kernel.near_kev_g.shape[0] // 2
    expected = kernel.near_kev_g[(slice(middle - 5, middle + 6),) * 3]
    mass = medium.reference_density_g_cm3 * (SPACING / 10.0) ** 3
    found = soft.energy_kev[near, near, near] / mass
    relative = soft.relative_uncertainty[near, near, near]
    # the reference is a mean over the 48 symmetries of 3 times as many histories
    pull = (found / expected - 1.0) / relative
    pull[5, 5, 5] = 0.0  # its own voxel has no mirror images: compared below
    assert abs(float(pull.mean())) < 0.5  # neighbors share photons
    assert 0.8 < float(np.sqrt((pull**2).mean())) < 1.25
    # the box of the patch misses backscatter from beyond 16 cm only
    assert found.sum() == pytest.approx(expected.sum(), rel=0.005)
    assert found[5, 5, 5] == pytest.approx(expected[5, 5, 5], rel=0.01)


def test_no_more_energy_comes_in_than_is_emitted(soft: SourceKernel) -> None:
    emitted = emitted_kev_per_decay(load_nuclide("F-18"))
    # 0.967 positrons of 250 keV and two photons of 511 keV each (ICRP 107)
    assert emitted == pytest.approx(0.967 * (249.8 + 1022.0), rel=0.003)
    total = float(soft.energy_kev.sum())
    assert 0.5 * emitted < total < emitted
    assert float(soft.energy_kev.min()) >= 0.0


def test_kernels_are_wider_in_lung(soft: SourceKernel) -> None:
    lung = kernel_of(uniform("lung", density_g_cm3=0.26), histories=20_000)

    near = (slice(19, 22),) * 3
    own = [float(k.energy_kev[20, 20, 20]) for k in (soft, lung)]
    beside = [float(k.energy_kev[near].sum()) - o for k, o in zip((soft, lung), own, strict=True)]
    # positrons of F-18 go up to 2.4 mm in water: four times as far in lung, out of the voxel
    assert own[1] < 0.9 * own[0]
    assert beside[1] > 1.1 * beside[0]


def test_runs_go_on_until_the_goal_is_reached() -> None:
    patient = uniform("soft_tissue", 16)
    shell, at_mm = judged_shell(patient.body, SPACING, 40.0)
    assert at_mm == 40.0
    kernel = kernel_of(patient, judged=shell, precision=0.03, histories=None)
    assert kernel.converged
    assert 0.02 < kernel.reached <= 0.03
    relative = kernel.relative_uncertainty[shell]
    assert kernel.reached == pytest.approx(float(relative.mean()))
    # what is said of the voxels holds: two independent kernels differ as much
    other = kernel_of(patient, judged=shell, precision=0.03, histories=None, key=(2,))
    pull = (kernel.energy_kev - other.energy_kev)[shell] / np.hypot(
        kernel.energy_kev * kernel.relative_uncertainty,
        other.energy_kev * other.relative_uncertainty,
    )[shell]
    assert 0.85 < float(np.sqrt((pull**2).mean())) < 1.15


def test_the_shell_moves_in_where_the_body_ends() -> None:
    body = np.zeros((64, 64, 64), dtype=bool)
    body[20:45, 20:45, 20:45] = True
    shell, at_mm = judged_shell(body, 3.0, 100.0)
    assert at_mm < 70.0
    assert shell.sum() >= 50
    assert not np.any(shell & ~body)
    whole, at_mm = judged_shell(np.ones_like(body), 3.0, 100.0)
    assert at_mm == 100.0
    distance = 3.0 * np.sqrt(((np.argwhere(whole) - 32) ** 2).sum(axis=1))
    assert distance.min() >= 95.0
    assert distance.max() <= 105.0


def settings_for(**values: Any) -> SetSettings:
    given = {
        "kind": KIND, "protocols": "none", "positions": 3, "patch_voxels": 8,
        "surroundings_mm": 16.0, "voxel_precision": 0.2, "precision_at_mm": 25.0,
        "annihilation_copies": 4, "nuclides": ("18F",),
    } | values  # fmt: skip
    return find_kind(KIND).check(SetSettings(**given))


def specs_for(folder: Path, settings: SetSettings, **exam: Any) -> tuple[SampleSpec, ...]:
    defaults = CtSettings(**{"voxel_size_mm": SPACING} | exam)
    return read_patient_list(folder / "list.csv", settings, defaults)


def make(folder: Path, out: Path, **values: Any) -> SetSummary:
    settings = settings_for(**values)
    return make_set(
        specs_for(folder, settings), settings, out, Here(), list_file=folder / "list.csv"
    )


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return {}


@pytest.fixture
def ready(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory, made: Any) -> Path:
    """A finished set that tests only look at."""
    if "set" not in made:
        made["set"] = tmp_path_factory.mktemp("kernels") / "set"
        assert make(cohort_folder, made["set"]).done == 2
    path: Path = made["set"]
    return path


def test_samples_hold_matter_and_kernel_of_the_same_voxels(ready: Path) -> None:
    sample: Sample = open_set(ready).read("p1_000")
    a = {name: array.values for name, array in sample.arrays.items()}
    assert a["kernel_F-18"].shape == a["density"].shape == (3, 8, 8, 8)
    assert np.all(a["body"][:, 4, 4, 4] == 1)
    # the source voxel receives most
    assert np.all(a["kernel_F-18"].reshape(3, -1).argmax(axis=1) == 4 * 64 + 4 * 8 + 4)
    emitted = sample.attributes["nuclides"]["F-18"]["emitted_kev_per_decay"]
    assert np.all(a["kernel_F-18"].sum(axis=(1, 2, 3)) < emitted)
    assert np.all(a["reached_F-18"] <= 0.2)
    names = sample.attributes["materials"]
    assert a["material_index"].max() < len(names)
    assert np.all(a["density"][a["material_index"] == names.index("air")] < 0.1)
    assert sample.attributes["electrons"] == "primaries"
    assert sample.attributes["annihilation_copies"] == 4


def test_the_reader_gives_pairs_with_s_values(ready: Path) -> None:
    pairs = KernelPairs(open_set(ready))
    assert len(pairs) == 6
    pair = pairs[4]
    assert (pair.sample, pair.number, pair.nuclide) == ("p2_000", 1, "F-18")
    assert pair.stratum in STRATA
    place = (4, 4, 4)
    mass_kg = pair.density_g_cm3[place] * 0.8**3 * 1e-3
    gray = pair.energy_kev[place] * 1.602176634e-16 / mass_kg
    assert pair.s_value_mgy_per_mbq_s[place] == pytest.approx(gray * 1e3 * 1e6, rel=1e-5)
    assert [p.number for p in pairs[:3]] == [0, 1, 2]
    with pytest.raises(InputError, match="not of Lu-177"):
        KernelPairs(open_set(ready), nuclide="Lu-177")
    counts = [len(KernelPairs(open_set(ready), s)) for s in ("train", "validation", "test")]
    assert sum(counts) == 6


def test_made_again_bit_for_bit_and_verified(ready: Path) -> None:
    _, difference = recompute_sample(ready, "p1_000", threads=1)
    assert difference.is_same, difference
    assert verify_set(ready) == {}


def test_an_interrupted_set_goes_on(ready: Path, cohort_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"

    class Dying(Here):
        def run(self, tasks: Any) -> Any:
            yield tasks[0].run()
            raise KeyboardInterrupt

    settings = settings_for()
    specs = specs_for(cohort_folder, settings)
    with pytest.raises(KeyboardInterrupt):
        make_set(specs, settings, out, Dying(), list_file=cohort_folder / "list.csv")
    first = (out / "samples" / "p1_000.h5").stat().st_mtime_ns
    summary = make(cohort_folder, out)
    assert (summary.done, summary.computed) == (2, 1)
    assert (out / "samples" / "p1_000.h5").stat().st_mtime_ns == first
    for name in ("p1_000.h5", "p2_000.h5"):
        assert (out / "samples" / name).read_bytes() == (ready / "samples" / name).read_bytes()
    with pytest.raises(InputError, match="nuclides"):
        make(cohort_folder, out, nuclides=("Lu-177",))


def test_several_nuclides_and_a_deformed_copy(cohort_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        f"exam,input,augment\np1,{cohort_folder / 'p1_ct.nii.gz'},1\n"
    )
    settings = settings_for(nuclides=("F-18", "Lu-177"), positions=1)
    specs = specs_for(tmp_path, settings, histories=2000, precision=None)
    assert [spec.augmented for spec in specs] == [0, 1]
    samples = [find_kind(KIND).build(spec, 2) for spec in specs]
    plain, deformed = (s.arrays["density"].values for s in samples)
    assert not np.array_equal(plain, deformed)
    for sample in samples:
        kernels = [sample.arrays[f"kernel_{n}"].values for n in ("F-18", "Lu-177")]
        # betas of Lu-177 (133 keV on average) stay; of F-18 more energy goes with the photons
        assert kernels[1][0, 4, 4, 4] > 0.8 * kernels[1][0].sum()
        assert kernels[0][0, 4, 4, 4] < 0.9 * kernels[0][0].sum()
        assert sample.statistics["pairs"] == 2
        sample_document(sample)


def test_show_draws_kernels(ready: Path) -> None:
    training = open_set(ready)
    table = set_table(training.manifest)
    text = text_of(table)
    assert "nuclide: F-18 x 2" in text
    assert sum(table["protocols"]["source voxels"].values()) == 6
    page = write_page(ready, training.manifest, table, samples=1)
    assert page.read_text().count("<img") == 2


@pytest.mark.parametrize(
    "arguments",
    [("--nuclide", "Xx-99"), ("--nuclide", "F-18,18F"), ("--nuclide", ""),
     ("--source-weights", "lungs=1"), ("--protocols", "own"), ("--electrons", "some"),
     ("--annihilation-copies", "17"), ("--patch", "7"), ("--precision-at-mm", "1")],
)  # fmt: skip
def test_the_command_line_refuses_before_anything_is_written(
    arguments: tuple[str, str], cohort_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    result = CliRunner().invoke(
        app, ["dataset", "make", "--kind", KIND, "--patients", str(cohort_folder / "list.csv"),
              "--out", str(out), *arguments],
    )  # fmt: skip
    assert isinstance(result.exception, InputError)
    assert not out.exists()


def test_a_patient_without_such_voxels_fails_as_input(cohort_folder: Path, tmp_path: Path) -> None:
    summary = make(cohort_folder, tmp_path / "set", source_weights=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert summary.kinds == {"input": 2}
    assert "no voxel of gas" in summary.failures[0][2]


def test_no_gpu_is_pretended(cohort_folder: Path) -> None:
    spec = specs_for(cohort_folder, settings_for(), device="cuda")[0]
    with pytest.raises(InputError, match="--device cpu"):
        find_kind(KIND).build(spec, 1)

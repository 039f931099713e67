"""The CUDA loop: the CPU's histories in Numba's simulator, machine code, and a real GPU."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from milligray.materials.tissues import load_material
from milligray.patient.patient import Patient
from milligray.segment.organs import OrganMap
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo import history
from milligray.transport.monte_carlo.devices import why_no_cuda
from milligray.transport.monte_carlo.engine import transport_photons
from milligray.transport.monte_carlo.regions import transport_to_regions
from milligray.volume import Grid

REPOSITORY = Path(__file__).parents[3]
GRID = Grid.from_spacing((4, 4, 4), (20.0, 20.0, 20.0))
INDEX = np.arange(64).reshape(4, 4, 4) % 2
PATIENT = Patient(
    grid=GRID, density_g_cm3=1.0 + 0.9 * INDEX, material_index=INDEX, body=INDEX >= 0,
    materials=(load_material("water"), load_material("cortical_bone")),
)  # fmt: skip
LABELS = np.ones(GRID.shape, dtype=np.uint16)
LABELS[:, 2:] = 2
ORGANS = OrganMap(
    grid=GRID, labels=LABELS, names={1: "front", 2: "back"}, method="test", fraction_in_image={}
)
BEAM = FieldBeam(
    focal_spot_lps_mm=(0.0, -100.0, 0.0), field_center_lps_mm=(0.0, 0.0, 0.0),
    field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), field_size_mm=(70.0, 70.0),
    spectrum=Spectrum.monoenergetic(60.0),
)  # fmt: skip
REGIONS = scipy.sparse.csr_matrix(
    np.stack([np.arange(64) < 20, np.where(np.arange(64) > 10, 0.5, 0.0)]).astype(float)
)


def outcomes(device: str, histories: int) -> dict[str, np.ndarray]:
    """All that the engine returns, for both estimators, and for regions that overlap."""
    found: dict[str, np.ndarray] = {}
    for estimator in ("track-length", "analogue"):
        deposit = transport_photons(
            PATIENT, BEAM, histories=histories, seed=3, estimator=estimator, organs=ORGANS,
            ambient="air", device=device,
        )  # fmt: skip
        assert deposit.device == device
        found[f"{estimator} energy"] = deposit.energy_kev
        found[f"{estimator} uncertainty"] = deposit.relative_uncertainty
        found[f"{estimator} organs"] = deposit.organ_batches_kev_g
    regions = transport_to_regions(
        PATIENT, BEAM, REGIONS, precision=0.9, max_histories=histories,
        batch_histories=histories // 32, device=device,
    )  # fmt: skip
    found["regions"] = regions.batches_kev
    return found


def agree(one: dict[str, np.ndarray], other: dict[str, np.ndarray], tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.shape == other[name].shape
        assert np.abs(values).max() > 0
        assert np.abs(values - other[name]).max() <= tolerance * np.abs(values).max(), name


def simulated(text: str, *arguments: str) -> None:
    """Run a script where Numba plays the GPU and all code is interpreted."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", text, *arguments], env=environment, capture_output=True, text=True,
        check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_simulated_gpu_runs_the_histories_of_the_cpu(tmp_path):
    """Up to the interpreter's single precision of table values, which it adds in float32."""
    file = tmp_path / "gpu.npz"
    simulated(
        "import sys, numpy, test_cuda; numpy.savez(sys.argv[1], **test_cuda.outcomes('cuda', 320))",
        str(file),
    )
    with np.load(file) as stored:
        agree(outcomes("cpu", 320), dict(stored), 1e-5)


def test_launches_of_few_batches_give_the_bits_of_one_launch():
    """However batches are spread over launches and threads; and a stop in mid-launch loses none."""
    simulated("""
import numpy as np, test_cuda
from milligray.transport.monte_carlo import cuda_batches
def run(launch_histories, **limit):
    cuda_batches.LAUNCH_HISTORIES = launch_histories
    return test_cuda.transport_photons(
        test_cuda.PATIENT, test_cuda.BEAM, seed=3, organs=test_cuda.ORGANS, device="cuda", **limit
    )
whole, parts = run(2**20, histories=64), run(10, histories=64)
assert np.array_equal(whole.energy_kev, parts.energy_kev)
assert np.array_equal(whole.relative_uncertainty, parts.relative_uncertainty)
assert np.array_equal(whole.organ_batches_kev_g, parts.organ_batches_kev_g)
from milligray.transport.monte_carlo.matter import pack_matter
matter, tables = pack_matter(test_cuda.PATIENT, max_energy_kev=60.0)
emission = test_cuda.BEAM.emission_tables(test_cuda.GRID.corner_lps_mm)
def sums(launch_histories, batches):
    cuda_batches.LAUNCH_HISTORIES = launch_histories
    return cuda_batches.run_batches_on_gpu(
        emission, matter, tables, estimator=1, seed=3, batch_histories=3, max_energy_kev=60.0,
        n_bins=max(map(np.size, matter)), regions=None, keep_bins=True,
        on_batch=lambda b, s: b + 1 < 5,
        max_batches=batches,
    )
stopped, asked = sums(24, 99), sums(3, 5)
assert stopped.batches == asked.batches == 5
assert np.array_equal(stopped.total, asked.total) and stopped.total.sum() > 0
assert np.array_equal(stopped.total_squared, asked.total_squared)
""")


def test_an_overflow_is_an_error():
    simulated("""
import pytest, test_cuda
from milligray.errors import TransportError
from milligray.transport.monte_carlo import cuda_batches
cuda_batches.quanta_per_kev = lambda *_: 2.0**62
with pytest.raises(TransportError, match="overflow"):
    test_cuda.transport_photons(test_cuda.PATIENT, test_cuda.BEAM, histories=96, device="cuda")
""")


def test_kernels_compile_to_machine_code_without_spilling():
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("numba-cuda is not installed: pip install 'milligray[cuda]'")
    done = subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, REPOSITORY / "tools" / "compile_for_gpu.py", "--arch", "8.0", "9.0"],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "0", "NUMBA_DISABLE_JIT": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 4:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    kernels = json.loads(done.stdout)
    assert len(kernels) == 8
    # sine and cosine keep 40 bytes for huge angles; a stack of waiting photons is meant to be there
    stack = 64 + 8 * math.prod(getattr(history, "STACK_SHAPE", (0,)))
    for kernel in kernels:
        assert 0 < kernel["registers"] <= 128
        assert kernel["stack_bytes"] <= (stack if kernel["kernel"] == "transport_batches" else 0)


def test_the_benchmark_without_a_gpu_says_so():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], cwd=REPOSITORY, capture_output=True, text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "cannot compute on a GPU" in done.stderr


@pytest.fixture
def gpu() -> None:
    reason = why_no_cuda()
    if reason is not None:
        pytest.skip(f"no GPU: {reason}")


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
def test_gpu_gives_the_result_of_the_cpu():
    agree(outcomes("cpu", 320_000), outcomes("cuda", 320_000), 1e-7)


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
def test_gpu_gives_the_same_bits_every_time():
    one, other = outcomes("cuda", 320_000), outcomes("cuda", 320_000)
    for name, values in one.items():
        assert np.array_equal(values, other[name])


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
def test_gpu_stops_where_the_cpu_stops():
    one, other = (
        transport_photons(PATIENT, BEAM, precision=0.004, organs=ORGANS, device=device)
        for device in ("cpu", "cuda")
    )
    assert one.batches == other.batches
    assert other.gpu

"""Which device is taken, and what is said where there is no GPU."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError

import pytest

from milligray.errors import DeviceError, InputError
from milligray.transport.monte_carlo import devices
from milligray.transport.monte_carlo.devices import choose_device, why_no_cuda


class Driver:
    """The driver's library, as far as it is asked."""

    def __init__(self, *, init: int = 0, version: int = 13000, count: int = 1) -> None:
        self.init, self.version, self.count = init, version, count

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - the driver's name
        return self.init

    def cuDriverGetVersion(self, number) -> int:  # noqa: N802
        number._obj.value = self.version
        return 0

    def cuDeviceGetCount(self, number) -> int:  # noqa: N802
        number._obj.value = self.count
        return 0


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    why_no_cuda.cache_clear()
    yield
    why_no_cuda.cache_clear()


def installed(versions: dict[str, str]):
    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    return version


CU13 = {"numba-cuda": "0.30.4", "cuda-bindings": "13.0.0"}


@pytest.mark.parametrize(
    ("driver", "packages", "words"),
    [
        (None, CU13, ["no NVIDIA driver", "install one"]),
        (Driver(init=100), CU13, ["no NVIDIA GPU"]),
        (Driver(count=0), CU13, ["no NVIDIA GPU"]),
        (Driver(init=803), CU13, ["does not fit", "update it"]),
        (Driver(init=999), CU13, ["999", "nvidia-smi"]),
        (Driver(version=12040), CU13, ["too old", "12.4", "13.0", "update it"]),
        (Driver(), {}, ["numba-cuda is not installed", "pip install 'milligray[cuda]'"]),
        (Driver(), CU13, ["a trial computation failed", "pip install 'milligray[cuda]'"]),
    ],
    ids=["no driver", "none", "count", "mismatch", "broken", "old", "package", "trial"],
)
def test_the_reason_and_its_cure_are_named(monkeypatch, driver, packages, words):
    def fail(*_):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(devices, "_load_driver", lambda: driver)
    monkeypatch.setattr(devices, "version", installed(packages))
    monkeypatch.setattr("numba.cuda.to_device", fail)
    with pytest.raises(DeviceError, match="cannot compute on a GPU") as caught:
        choose_device("cuda")
    for word in (*words, "--device"):
        assert word in str(caught.value)
    assert choose_device("auto").kind == "cpu"


def test_hidden_devices_are_told(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(devices, "_load_driver", lambda: Driver(init=100))
    assert "CUDA_VISIBLE_DEVICES is ''" in (why_no_cuda() or "")


def test_a_working_gpu_is_taken_and_named(monkeypatch):
    monkeypatch.setattr(devices, "_load_driver", Driver)
    monkeypatch.setattr(devices, "version", installed(CU13))
    monkeypatch.setattr(devices, "_trial_fault", lambda: None)
    monkeypatch.setattr(devices, "gpu_name", lambda: "NVIDIA Test")
    for name in ("auto", "cuda"):
        assert choose_device(name) == devices.ComputeDevice(kind="cuda", name="NVIDIA Test")
    assert choose_device("cpu") == devices.ComputeDevice(kind="cpu")


def test_other_devices_are_refused():
    with pytest.raises(InputError, match="auto, cpu or cuda"):
        choose_device("tpu")


def test_faults_of_the_gpu_are_device_errors_and_others_are_not():
    fault = type("CudaAPIError", (RuntimeError,), {})
    with (
        pytest.raises(DeviceError, match="out of memory"),
        devices.told_as_device_errors(),
    ):
        raise fault("CUDA_ERROR:\n out of memory")
    with pytest.raises(KeyError), devices.told_as_device_errors():
        raise KeyError


def test_asking_for_the_cpu_imports_no_cuda():
    text = (
        "import sys; from milligray.transport.monte_carlo.engine import transport_photons;"
        "from milligray.transport.monte_carlo.devices import choose_device; choose_device('cpu');"
        "assert 'numba.cuda' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", text], check=True)  # noqa: S603 - our own text

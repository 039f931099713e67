"""Which device computes: the processor, or a CUDA GPU that was tried and works.

The driver is asked through its own library, before any package is imported, so that the first
thing that is missing can be named, and how to mend it.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from milligray.errors import DeviceError, InputError

DeviceName = Literal["auto", "cpu", "cuda"]

INSTALL = "pip install 'milligray[cuda]'"
NO_DEVICE_CODES = (100, 101)
TOO_OLD_CODES = (35, 803)
_CPU_ADVICE = "or leave --device at auto or cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeDevice:
    """Where histories are computed.

    Parameters
    ----------
    kind : {"cpu", "cuda"}
    name : str
        Name of the GPU; "" for a CPU.
    """

    kind: Literal["cpu", "cuda"]
    name: str = ""


def choose_device(name: str) -> ComputeDevice:
    """Device of that name; ``"auto"`` is CUDA where it works, else the CPU.

    Raises
    ------
    InputError
        For any other name.
    DeviceError
        For ``"cuda"`` where it does not work; the message says why and how to mend it.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cpu" or (name == "auto" and is_simulated()):
        return ComputeDevice(kind="cpu")
    reason = why_no_cuda()
    if reason is None:
        return ComputeDevice(kind="cuda", name=gpu_name())
    if name == "auto":
        return ComputeDevice(kind="cpu")
    raise DeviceError(f"cannot compute on a GPU: {reason}; {_CPU_ADVICE}")


def is_simulated() -> bool:
    """True if Numba plays the GPU (``NUMBA_ENABLE_CUDASIM=1``): for tests."""
    from numba.core import config  # noqa: PLC0415 - import time

    return bool(config.ENABLE_CUDASIM)


@cache
def why_no_cuda() -> str | None:
    """Why no GPU can be used, and how to mend it; None if one can."""
    if is_simulated():
        return None
    return _driver_fault(_load_driver()) or _package_fault() or _trial_fault()


def gpu_name() -> str:
    """Name of the GPU that Numba uses."""
    if is_simulated():
        return "CUDA simulator"
    from numba import cuda  # noqa: PLC0415 - only where there is a GPU

    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


@contextmanager
def told_as_device_errors() -> Iterator[None]:
    """Turn faults of the GPU during a run (memory, lost device) into `DeviceError`."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in ("CudaAPIError", "CudaSupportError", "LinkerError"):
            raise
        raise DeviceError(
            f"the GPU failed: {' '.join(str(error).split())}; if its memory is too small, choose"
            " larger voxels or --device cpu"
        ) from error


def _load_driver() -> Any:  # noqa: ANN401 - a foreign library
    """Library of the NVIDIA driver; None if there is none."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def _driver_fault(driver: Any) -> str | None:  # noqa: ANN401 - a foreign library
    if driver is None:
        return "no NVIDIA driver is installed (its library libcuda was not found); install one"
    code = int(driver.cuInit(0))
    number, count = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(number))
    known = f"{number.value // 1000}.{number.value % 1000 // 10}"
    if code in TOO_OLD_CODES:
        return f"the NVIDIA driver (CUDA {known}) does not fit the system or the GPU; update it"
    if code in NO_DEVICE_CODES or (
        code == 0 and (driver.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0)
    ):
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = f" (CUDA_VISIBLE_DEVICES is {hidden!r})" if hidden is not None else ""
        return f"there is a driver but no NVIDIA GPU that this process may use{hint}"
    if code != 0:
        return f"the NVIDIA driver does not start (cuInit gave {code}); see nvidia-smi"
    needed = needed_cuda_major()
    if needed is not None and number.value < 1000 * needed:
        return (
            f"the NVIDIA driver is too old: it speaks CUDA {known}, the installed packages need"
            f" {needed}.0; update it, or pip install 'numba-cuda[cu12]' for drivers of CUDA 12"
        )
    return None


def needed_cuda_major() -> int | None:
    """Major version of CUDA that the installed packages were built for; None if absent."""
    try:
        return int(version("cuda-bindings").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return None


def _package_fault() -> str | None:
    try:
        version("numba-cuda")
    except PackageNotFoundError:
        return f"the package numba-cuda is not installed; {INSTALL}"
    return None


def _trial_fault() -> str | None:
    """Let the GPU flush one batch of nothing: compiler, linker and memory must all be there."""
    try:
        import numpy as np  # noqa: PLC0415 - only where there is a GPU
        from numba import cuda  # noqa: PLC0415

        from milligray.transport.monte_carlo.cuda_kernels import (  # noqa: PLC0415
            launch,
            sum_parts,
        )

        parts, sums = cuda.to_device(np.ones((1, 1, 3))), cuda.to_device(np.zeros((1, 1)))
        launch(sum_parts, 1, 1, parts, sums)
        works = float(sums.copy_to_host()[0, 0]) == 3.0
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it does not work
        text = " ".join(str(error).split())[:200]
        return f"a trial computation failed ({type(error).__name__}: {text}); {INSTALL}"
    return None if works else "a trial computation gave a wrong number; see nvidia-smi"

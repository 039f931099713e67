"""Compile the CUDA kernels for real GPUs on a machine that has none.

Needs numba-cuda with its compiler (``pip install 'milligray[cuda]'``), no driver. Prints, per
kernel and compute capability, what a thread takes: registers and bytes of stack (40 belong to
sine and cosine; more means that registers spill). Exit code 4 where the compiler is missing.
"""

import argparse
import importlib.metadata
import json
import struct
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import typeof
from numba.cuda import dispatcher
from numba.cuda.cudadrv import devices, nvvm

from milligray.patient.phantoms import water_box
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.transport.monte_carlo import cuda_kernels as kernels
from milligray.transport.monte_carlo.matter import pack_matter

_REGISTERS, _STACK = 0x2F, 0x12
"""Attributes of the ``.nv.info`` section: registers a thread; least bytes of stack."""


def main() -> None:
    """Compile all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", nargs="+", default=["8.0", "9.0"], help="compute capabilities")
    arguments = parser.parse_args()
    try:
        importlib.metadata.version("numba-cuda")
        if not nvvm.is_available():
            raise ImportError("libNVVM was not found")  # noqa: TRY301 - told below
    except ImportError as error:
        sys.stderr.write(f"no CUDA compiler here: {error}; pip install 'milligray[cuda]'\n")
        sys.exit(4)
    rows = []
    for arch in arguments.arch:
        major, minor = (int(part) for part in arch.split("."))
        rows += compile_kernels((major, minor))
    json.dump(rows, sys.stdout, indent=1)
    sys.stdout.write("\n")


def compile_kernels(capability: tuple[int, int]) -> list[dict[str, Any]]:
    """Machine code of every kernel: its size and what a thread takes."""
    # Numba asks the present GPU for its capability
    device = SimpleNamespace(compute_capability=capability, id=0)
    dispatcher.get_current_device = lambda: device
    devices.get_context = lambda *_: SimpleNamespace(device=device)
    kernels.compiled.cache_clear()
    rows = []
    for function, arguments in _examples():
        started = time.perf_counter()
        jitted = kernels.compiled(function)
        compiled = dispatcher._Kernel(
            jitted.py_func, tuple(typeof(a) for a in arguments), **jitted.targetoptions
        )
        code = compiled._codelibrary.get_cubin(cc=capability)
        registers, stack = resources(bytes(getattr(code, "code", code)))
        rows.append({
            "kernel": function.__name__,
            "compute_capability": f"{capability[0]}.{capability[1]}",
            "registers": registers, "stack_bytes": stack,
            "seconds": round(time.perf_counter() - started, 1),
        })  # fmt: skip
    return rows


def _examples() -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
    """Every kernel with arguments of the types that it is launched with."""
    box = water_box((20.0, 20.0, 20.0), voxel_size_mm=10.0)
    beam = FieldBeam(
        focal_spot_lps_mm=(0.0, -300.0, 0.0), field_center_lps_mm=(0.0, 0.0, 0.0),
        field_axes=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), field_size_mm=(10.0, 10.0),
        spectrum=Spectrum.monoenergetic(60.0),
    )  # fmt: skip
    matter, tables = pack_matter(box, max_energy_kev=60.0)
    emission = beam.emission_tables(box.grid.corner_lps_mm)
    bins, floats = np.zeros(8, np.int64), np.zeros(8)
    rows, flags = np.zeros(2, np.int64), np.zeros(1, np.int32)
    parts, sums = np.zeros((1, 1, 1)), np.zeros((1, 1))
    return [
        (kernels.transport_batches, (1, 1, 0, 1, emission, matter, tables, bins, 8, 1.0)),
        (kernels.sum_regions, (bins, 8, 1.0, rows, flags, floats, parts)),
        (kernels.sum_parts, (parts, sums)),
        (kernels.flush_batches, (bins, 1, 1, 1.0, floats, floats, flags)),
    ]


def resources(cubin: bytes) -> tuple[int, int]:
    """Registers and bytes of stack a thread takes, from the machine code's ELF sections."""
    table, size, count = (
        struct.unpack_from("<Q", cubin, 0x28)[0],
        *struct.unpack_from("<HH", cubin, 0x3A),
    )
    registers = stack = 0
    for section in range(count):
        kind = struct.unpack_from("<I", cubin, table + section * size + 4)[0]
        start, length = struct.unpack_from("<QQ", cubin, table + section * size + 0x18)
        if kind != 0x70000000:  # .nv.info
            continue
        at = start
        while at < start + length:
            form, attribute, value = struct.unpack_from("<BBH", cubin, at)
            at += 4
            if form == 4:  # sized values; otherwise the value is in the head
                if attribute == _REGISTERS:
                    registers = max(registers, struct.unpack_from("<I", cubin, at + 4)[0])
                elif attribute == _STACK:
                    stack = max(stack, struct.unpack_from("<I", cubin, at + 4)[0])
                at += value
    return registers, stack


if __name__ == "__main__":
    main()

"""Run by the peer's own Python, in its own environment: ompMC on a box of water.

It calls ompMC by its documented interface and shares no code with it. Reads one JSON object from
the command line, writes doses to an NPZ file and times to stdout.
"""

import contextlib
import importlib.metadata
import json
import os
import sys
import time

import numpy as np
import ompmc  # type: ignore[import-not-found]

WATER = "H2O700ICRU"


def main() -> None:
    """One run."""
    task = json.loads(sys.argv[1])
    n, size_cm, field_cm = task["n"], task["size_cm"], task["field_cm"]
    edges = np.linspace(-0.5 * size_cm, 0.5 * size_cm, n + 1)
    depth = np.linspace(0.0, size_cm, n + 1)
    geometry = ompmc.Geometry(
        edges, edges, depth, [WATER], np.ones((n, n, n), order="F"),
        np.ones((n, n, n), dtype=np.int32, order="F"),
    )  # fmt: skip
    half = 0.5 * field_cm
    source = ompmc.CollimatedSource(task["distance_cm"], -half, half, -half, half)
    spectrum = ompmc.Spectrum.monoenergetic(task["energy_mev"])
    rows = []
    for histories in (100, task["histories"]):  # the first is all setup
        physics = ompmc.Physics(
            global_ecut=0.7, global_pcut=0.01, n_split=task["n_split"],
            seeds=(task["seed"], task["seed"] + 1000),
        )  # fmt: skip
        wall, core = time.perf_counter(), time.process_time()
        with _quiet():
            energy, relative = ompmc.calc_cube(
                geometry, source, spectrum, physics, n_histories=histories,
                n_batches=task["batches"], output_dose=False,
            )  # fmt: skip
        rows.append((time.perf_counter() - wall, time.process_time() - core))
    np.savez(task["out"], energy_kev=1e3 * energy.transpose(2, 1, 0), relative=relative.T)
    seconds, core_seconds = (rows[1][i] - rows[0][i] for i in range(2))
    json.dump(
        {"seconds": seconds, "core_seconds": core_seconds, "setup_seconds": rows[0][0],
         "version": importlib.metadata.version("ompmc")},
        sys.stdout,
    )  # fmt: skip


@contextlib.contextmanager
def _quiet():  # noqa: ANN202
    """Keep what the engine prints from its compiled part out of stdout."""
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    main()

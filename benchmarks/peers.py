"""A peer on the same problem in the same run: ompMC (GPL-3), in an environment of its own.

It is installed from the package index into a folder of the user's cache when this theme runs, is
no dependency, and nothing of it is in this repository.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.problems import Problem, water
from benchmarks.speed import Turn, judged_voxels, rate, timed, voxel_variance
from milligray.source.beams import FieldBeam
from milligray.source.spectrum import Spectrum
from milligray.source.tube import cache_folder
from milligray.typing import FloatArray

PEER = "ompmc==0.4.0"
SCRIPT = Path(__file__).parent / "peer_ompmc.py"
DISTANCE_CM = 1000.0
"""Source to surface: parallel to 0.3 degrees, in both codes alike."""
DIFFERENCES = (
    "water 30 x 30 x 30 cm3 in 5 mm voxels, 60 keV photons from a point 10 m away through"
    " 10 x 10 cm2, vacuum around, one thread, electrons deposited where they are made (ompMC:"
    " ECUT 0.7 MeV). ompMC stops photons at 10 keV (the limit of its PEGS4 data) and deposits"
    " them on the spot, ours goes to 1 keV. Photon data: XCOM there, xraylib here. ompMC describes"
    " itself as EGSnrc's algorithms, restricted to what matters for megavoltage beams; it does not"
    " say that electrons are bound in Compton scattering, and its smaller energy at depth fits free"
    " ones; ours has scattering functions. `n_split` splits the source photons; histories as passed"
    " to it."
    " Voxels judged: above 20 % of the largest dose. Time of ompMC: processor time of the run less"
    " that of one with 100 histories"
)


def run(*, quick: bool) -> dict[str, Any]:
    """In turn: ours (both estimators), ompMC plain and with its default splitting."""
    try:
        python = _environment()
    except (OSError, subprocess.CalledProcessError) as error:
        return {"skipped": f"{PEER} could not be installed: {type(error).__name__}"}
    problem = _same_water()
    rounds = 2 if quick else 6
    plain = 400_000 if quick else 1_500_000
    sizes = {1: plain, 20: plain // 12}
    ours: dict[str, list[Turn]] = {"analogue": [], "track-length": []}
    for name in ours:  # compiled and tables made before
        timed(problem, name, 1000, 1)
    theirs: dict[int, list[dict[str, Any]]] = {split: [] for split in sizes}
    for number in range(rounds):
        for name, found in ours.items():
            found.append(timed(problem, name, 640_000, 500 + number))
        for split, runs in theirs.items():
            runs.append(_ompmc(python, split, sizes[split], 1 + number))
    judged = judged_voxels(problem, ours["track-length"])
    rows = []
    for name, found in ours.items():
        energy = [turn.deposit.energy_kev for turn in found]
        variance = voxel_variance(found, judged)
        rows.append(_row(f"milligray, {name}", rate(found), variance, energy))
        rows[-1]["kev_per_history_sigma"] = _sigma_kev(found)
    for split, runs in theirs.items():
        speed = float(np.percentile([r["histories"] / r["core_seconds"] for r in runs], 90))
        variance = float(
            np.mean([r["histories"] * np.mean(r["relative"][judged] ** 2) for r in runs])
        )
        name = "ompMC" if split == 1 else f"ompMC, n_split {split} (its default)"
        rows.append(_row(name, speed, variance, [r["energy_kev"] for r in runs]))
        # histories alike, so their spread is that of ours
        of_ours = sum(turn.histories for turn in ours["analogue"])
        of_theirs = sum(r["histories"] for r in runs)
        rows[-1]["kev_per_history_sigma"] = _sigma_kev(ours["analogue"]) * float(
            np.sqrt(of_ours / of_theirs)
        )
    maps = {row["code"]: row.pop("map") for row in rows}
    reference = maps["milligray, track-length"]
    return {
        "peer": PEER, "version": theirs[1][0]["version"], "how": DIFFERENCES, "rows": rows,
        "dose": {name: _compare(found, reference, judged) for name, found in maps.items()},
        "depth_kev": {name: found.sum(axis=(1, 2)).tolist() for name, found in maps.items()},
    }  # fmt: skip


def _same_water() -> Problem:
    """The water box with the peer's source: a point far away."""
    box = water()
    beam = FieldBeam(
        focal_spot_lps_mm=(0.0, 0.0, -150.0 - 10.0 * DISTANCE_CM),
        field_center_lps_mm=(0.0, 0.0, -150.0), field_axes=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        field_size_mm=(100.0, 100.0), spectrum=Spectrum.monoenergetic(60.0),
    )  # fmt: skip
    return Problem(name="water, point source", patient=box.patient, source=beam, organs=box.organs)


def _environment() -> Path:
    """Python of the peer's own environment; made if need be."""
    folder = cache_folder() / "benchmarks" / PEER.replace("==", "-")
    python = folder / "bin" / "python"
    ready = folder / "installed"
    if not ready.is_file():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(  # noqa: S603 - our own command
            [str(python), "-m", "pip", "install", "--quiet", PEER], check=True,
            stdout=sys.stderr,
        )  # fmt: skip
        ready.touch()
    return python


def _ompmc(python: Path, split: int, histories: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "energy.npz"
        task = {
            "n": 60, "size_cm": 30.0, "field_cm": 10.0, "distance_cm": DISTANCE_CM,
            "energy_mev": 0.060, "histories": histories, "batches": 32, "n_split": split,
            "seed": seed, "out": str(out),
        }  # fmt: skip
        done = subprocess.run(  # noqa: S603 - our own command
            [str(python), str(SCRIPT), json.dumps(task)], check=True, capture_output=True,
            text=True, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        with np.load(out) as arrays:
            found: dict[str, Any] = {name: arrays[name] for name in arrays}
    answer = done.stdout[done.stdout.rindex("{") :]
    return found | json.loads(answer) | {"histories": histories}


def _row(code: str, speed: float, variance: float, energy: list[FloatArray]) -> dict[str, Any]:
    totals = [float(e.sum()) for e in energy]
    return {
        "code": code, "mh_s": speed / 1e6, "voxel_merit": speed / variance,
        "kev_per_history": float(np.mean(totals)),
        "map": np.mean(energy, axis=0),
    }  # fmt: skip


def _sigma_kev(turns: list[Turn]) -> float:
    """Standard deviation of the mean energy per history, from the batches of all turns."""
    dose = np.concatenate([turn.deposit.organ_batches_kev_g[:, 0] for turn in turns])
    mass_g = float(turns[0].deposit.organ_mass_g[0])
    return float(mass_g * dose.std(ddof=1) / np.sqrt(dose.size))


def _compare(found: FloatArray, reference: FloatArray, judged: FloatArray) -> dict[str, float]:
    """Energy in and beside the beam, relative to the reference [%]."""
    parts = {
        "all": np.ones(found.shape, dtype=bool), "voxels > 20 %": judged,
        "first 5 cm": np.arange(60)[:, None, None] < np.full(found.shape, 10),
        "beyond 20 cm": np.arange(60)[:, None, None] >= np.full(found.shape, 40),
        "outside the beam": ~judged,
    }  # fmt: skip
    return {
        name: 100 * float(found[part].sum() / reference[part].sum() - 1)
        for name, part in parts.items()
    }

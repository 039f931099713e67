"""What the steepness of the weight window costs in a long body: time by halving length.

A 1 m long PMMA cylinder (AAPM TG-195 case 4.1) under a beam of 10 mm: far more body beyond the
beam than in it, and nothing scored there.

    python tools/compare_weight_windows.py
"""

import sys
import time

import numpy as np

from milligray.transport.monte_carlo.cpu import run_batch
from milligray.transport.monte_carlo.history import STACK_SHAPE, TRACK_LENGTH
from milligray.transport.monte_carlo.matter import pack_matter
from milligray.validate.tg195_cases import case_4_1

HALVING_CM = (None, 2.0, 3.0, 4.0, 5.0, 6.0)
ROUNDS, HISTORIES = 6, 10_000


def main() -> None:
    """Take turns, and print the best time of each."""
    case = case_4_1("120 kVp", "10 mm")
    seconds: dict[float | None, list[float]] = {h: [] for h in HALVING_CM}
    packed = {
        h: pack_matter(
            case.patient, max_energy_kev=case.beam.max_energy_kev, ambient="air",
            window_z_mm=None if h is None else case.beam.irradiated_z_mm,
            **({} if h is None else {"window_halving_cm": h}),
        )
        for h in HALVING_CM
    }  # fmt: skip
    emission = case.beam.emission_tables(case.patient.grid.corner_lps_mm)
    emission = emission._replace(batch_histories=HISTORIES)
    for number in range(-1, ROUNDS):
        for h, (matter, tables) in packed.items():
            tally = np.zeros(matter.words.size)
            started = time.thread_time()
            run_batch(
                TRACK_LENGTH, 1, max(number, 0) * HISTORIES, HISTORIES, emission, matter, tables,
                np.zeros(STACK_SHAPE), tally,
            )  # fmt: skip
            if number >= 0:  # compiled before
                seconds[h].append(time.thread_time() - started)
    base = min(seconds[None])
    for h, values in seconds.items():
        name = "no window" if h is None else f"halving over {h:g} cm"
        sys.stdout.write(f"{name:22s} x{min(values) / base:.2f} the time\n")


if __name__ == "__main__":
    main()

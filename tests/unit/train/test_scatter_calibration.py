"""The factor of scatter-net's uncertainty, and what its study says of tissues."""

import numpy as np
import pytest

from milligray.train.scatter_net.calibration import LEVEL, covered, temperature_of
from milligray.train.scatter_net.tissue_bias import CLASSES, tissue_table


def rows(
    n: int, *, error: float, claimed: float, patients: int = 20, seed: int = 1
) -> list[dict[str, object]]:
    draw = np.random.default_rng(seed)
    return [
        {
            "patient": f"p{i % patients}", "truth_mgy": 10.0, "truth_sigma": 0.0,
            "dose_mgy": 10.0 * (1.0 + error * draw.normal()), "total": claimed,
        }
        for i in range(n)
    ]  # fmt: skip


def test_normal_errors_of_the_claimed_size_need_about_no_factor() -> None:
    assert temperature_of(rows(4000, error=0.02, claimed=0.02)) == pytest.approx(0.98, abs=0.04)


def test_a_claim_twice_too_large_is_halved_and_one_too_small_widened() -> None:
    assert temperature_of(rows(4000, error=0.01, claimed=0.02)) == pytest.approx(0.49, abs=0.02)
    assert temperature_of(rows(4000, error=0.03, claimed=0.01)) == pytest.approx(2.94, abs=0.15)


def test_the_factor_covers_and_a_smaller_one_does_not() -> None:
    few = rows(60, error=0.02, claimed=0.03, patients=6)
    found = temperature_of(few)
    assert covered(few, found) >= LEVEL > covered(few, found * 0.999)


def test_the_noise_of_the_truth_counts() -> None:
    one = {"patient": "p", "truth_mgy": 10.0, "truth_sigma": 0.02, "dose_mgy": 10.3, "total": 0.0}
    assert covered([one], 1.0) == 1.0
    assert covered([one | {"truth_sigma": 0.01}], 1.0) == 0.0


def test_patients_count_alike_however_many_organs_they_have() -> None:
    good = {"patient": "a", "truth_mgy": 1.0, "truth_sigma": 0.0, "dose_mgy": 1.0, "total": 0.01}
    bad = good | {"patient": "b", "dose_mgy": 2.0}
    assert covered([good] * 9 + [bad], 1.0) == 0.5


def test_the_table_of_tissues_adds_up_scans() -> None:
    scans = [
        dict.fromkeys(CLASSES, (10, 11.0, 10.0)), dict.fromkeys(CLASSES, (10, 9.0, 10.0))
    ]  # fmt: skip
    found = tissue_table(scans)
    assert [row["voxels"] for row in found.rows] == [20, 20, 20]
    assert [row["bias"] for row in found.rows] == pytest.approx([0.0, 0.0, 0.0])

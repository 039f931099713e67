import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from milligray.physics.random import philox4x32, uniform4

FALSE_ALARM = 1e-7
WORD = st.integers(0, 2**32 - 1)
ALL_ONES = "ffffffff"


def philox_in_integers(counter: list[int], key: list[int], rounds: int) -> list[int]:
    """Philox 4x32 with Python's integers, from the definition in the paper."""
    x, k = list(counter), list(key)
    for _ in range(rounds):
        high_0, low_0 = divmod(0xD2511F53 * x[0], 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * x[2], 2**32)
        x = [high_1 ^ x[1] ^ k[0], low_1, high_0 ^ x[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return x


def philox(counter: list[int], key: list[int], rounds: int) -> list[int]:
    words = [np.uint64(word) for word in (*counter, *key)]
    return [int(word) for word in philox4x32(*words, rounds)]


@njit
def draws(seed, first, n, draw):
    out = np.empty((n, 4))
    for i in range(n):
        a, b, c, d = uniform4(np.uint64(seed), np.uint64(first + i), draw)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = a, b, c, d
    return out


@pytest.mark.parametrize(
    ("counter", "key", "rounds", "words"),
    [
        ("0 0 0 0", "0 0", 10, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (
            " ".join([ALL_ONES] * 4),
            " ".join([ALL_ONES] * 2),
            10,
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            10,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
        ("0 0 0 0", "0 0", 7, "5f6fb709 0d893f64 4f121f81 4f730a48"),
    ],
)
def test_published_test_vectors_of_philox(counter, key, rounds, words):
    def numbers(text: str) -> list[int]:
        return [int(word, 16) for word in text.split()]

    assert philox(numbers(counter), numbers(key), rounds) == numbers(words)


@given(
    st.lists(WORD, min_size=4, max_size=4),
    st.lists(WORD, min_size=2, max_size=2),
    st.integers(1, 10),
)
def test_philox_equals_its_slow_twin(counter, key, rounds):
    assert philox(counter, key, rounds) == philox_in_integers(counter, key, rounds)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1))
def test_compiled_and_interpreted_numbers_are_the_same_bits(seed, history, draw):
    arguments = np.uint64(seed), np.uint64(history), draw
    assert uniform4(*arguments) == uniform4.py_func(*arguments)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_numbers_are_never_zero_nor_one(seed, history, draw):
    for xi in uniform4(np.uint64(seed), np.uint64(history), draw):
        assert 2.0**-33 <= xi <= 1.0 - 2.0**-33


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_seed_history_and_draw_each_change_the_numbers(seed, history, draw):
    numbers = uniform4(np.uint64(seed), np.uint64(history), draw)
    assert numbers != uniform4(np.uint64(seed + 1), np.uint64(history), draw)
    assert numbers != uniform4(np.uint64(seed), np.uint64((history + 1) % 2**64), draw)
    assert numbers != uniform4(np.uint64(seed), np.uint64(history), (draw + 1) % 2**32)


def test_a_history_does_not_depend_on_those_before():
    together = draws(5, 1000, 64, 2)
    alone = [uniform4(np.uint64(5), np.uint64(1000 + i), 2) for i in reversed(range(64))]
    assert np.array_equal(together[::-1], alone)


@pytest.mark.parametrize("first", [0, 2**32 - 100_000])  # the counter's words change over
def test_numbers_are_uniform(first):
    n = 200_000
    sample = draws(1, first, n, 0)
    for column in sample.T:
        assert stats.kstest(column, "uniform").pvalue > FALSE_ALARM
        counts = np.histogram(column, bins=1000, range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > FALSE_ALARM
    for power in (1, 2, 3, 4):
        expected = 1.0 / (power + 1)
        sigma = np.sqrt((1.0 / (2 * power + 1) - expected**2) / sample.size)
        assert abs((sample**power).mean() - expected) < 5.4 * sigma


@pytest.mark.parametrize("pair", ["words", "histories", "draws", "seeds"])
def test_neighbouring_numbers_are_independent(pair):
    n = 200_000
    first = draws(7, 0, n, 3)
    x, y = {
        "words": (first[:, 0], first[:, 1]),
        "histories": (first[:-1, 0], first[1:, 0]),
        "draws": (first[:, 0], draws(7, 0, n, 4)[:, 0]),
        "seeds": (first[:, 0], draws(8, 0, n, 3)[:, 0]),
    }[pair]
    counts = np.histogram2d(x, y, bins=32, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > FALSE_ALARM
    assert abs(np.corrcoef(x, y)[0, 1]) < 5.4 / np.sqrt(n)


def test_the_lower_bits_that_choose_the_angle_row_are_independent_of_the_azimuth():
    xi = draws(11, 0, 200_000, 1)[:, 3]
    counts = np.histogram2d(xi, 65536.0 * xi % 1.0, bins=32, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > FALSE_ALARM

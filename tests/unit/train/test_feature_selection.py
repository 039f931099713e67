"""Choice of features: F statistics, and what is never chosen."""

import numpy as np
import pytest

from milligray.errors import InputError
from milligray.train.radiomics_fcn.feature_selection import f_regression, select_best

DRAWS = np.random.default_rng(5)


def test_f_statistics_are_those_of_scikit_learn() -> None:
    selection = pytest.importorskip("sklearn.feature_selection")
    x = DRAWS.normal(size=(30, 6)) * [1, 10, 1e6, 1, 1, 1]
    y = x[:, 0] + 0.1 * x[:, 1] + DRAWS.normal(size=30)
    assert f_regression(x, y) == pytest.approx(selection.f_regression(x, y)[0], rel=1e-9)


def test_the_choice_is_blind_to_units_and_offsets() -> None:
    x = np.linalg.qr(DRAWS.normal(size=(40, 6)))[0][:, 1:]
    x = x - x.mean(axis=0)
    y = 2.0 * x[:, 3] - x[:, 1]
    names = tuple("abcde")
    assert select_best(x, y, names, 2) == ("d", "b")
    assert select_best(1e4 * x + 7.0, -3.0 * y + 1.0, names, 2) == ("d", "b")


def test_a_constant_feature_is_never_chosen() -> None:
    x = np.stack([np.full(10, 3.0), np.arange(10.0)], axis=1)
    assert select_best(x, np.arange(10.0) ** 2, ("flat", "steep"), 2) == ("steep",)


def test_rows_must_fit() -> None:
    with pytest.raises(InputError, match="do not fit"):
        f_regression(np.zeros((4, 2)), np.zeros(5))

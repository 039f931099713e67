import math

import pytest

from milligray.errors import InputError
from milligray.score.budget import STATISTICS, combine, organ_budget
from milligray.score.dose import BudgetEntry
from milligray.score.network_budget import network_budget

SHARED = (
    BudgetEntry(component=STATISTICS, relative_uncertainty=0.01, kind="A", basis="batches"),
    BudgetEntry(component="CTDIvol", relative_uncertainty=0.08, kind="B", basis="standard"),
)


def test_parts_add_up_to_the_total():
    own = network_budget(SHARED, aleatoric=0.03, epistemic=0.04, total=0.2)
    assert combine(e for e in own if e.component.startswith("Network: ")) == pytest.approx(0.2)
    assert combine(own) == pytest.approx(math.hypot(0.2, 0.08))
    assert STATISTICS not in {entry.component for entry in own}


def test_an_organ_puts_its_own_total_in_place_of_all_parts():
    budget = network_budget(SHARED, aleatoric=0.03, epistemic=0.04, total=0.2)
    of_organ = organ_budget(0.06, budget)
    assert combine(of_organ) == pytest.approx(math.hypot(0.06, 0.08))
    assert [e.component for e in of_organ] == ["Network: prediction of the organ", "CTDIvol"]


@pytest.mark.parametrize("total", [0.04, float("nan")])
def test_a_total_below_its_parts_is_refused(total):
    with pytest.raises(InputError, match="sum of its parts"):
        network_budget(SHARED, aleatoric=0.03, epistemic=0.04, total=total)

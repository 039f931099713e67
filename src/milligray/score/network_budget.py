"""The uncertainty budget of an organ dose that a network predicted."""

import math
from collections.abc import Iterable

from milligray.errors import InputError
from milligray.score.budget import NETWORK, STATISTICS
from milligray.score.dose import BudgetEntry


def network_budget(
    entries: Iterable[BudgetEntry], *, aleatoric: float, epistemic: float, total: float
) -> tuple[BudgetEntry, ...]:
    """Put the parts of a prediction's uncertainty in place of the Monte Carlo statistics.

    Parameters
    ----------
    entries : iterable of BudgetEntry
        As `milligray.score.budget.ct_budget` gives them: what network and Monte Carlo share.
    aleatoric, epistemic, total : float
        Relative, k = 1, of one organ; total >= the quadratic sum of the others.

    Returns
    -------
    tuple of BudgetEntry
        ``total^2 = aleatoric^2 + epistemic^2 + rest^2``; the rest is calibration on patients that
        the network never saw, and widening where the input is unusual.

    Examples
    --------
    >>> from milligray.score.network_budget import network_budget
    >>> own = network_budget((), aleatoric=0.03, epistemic=0.04, total=0.13)
    >>> [round(entry.relative_uncertainty, 6) for entry in own]
    [0.03, 0.04, 0.12]
    """
    parts = math.hypot(aleatoric, epistemic)
    if not (math.isfinite(total) and total >= parts * (1.0 - 1e-6)):
        raise InputError(f"total {total:g} must be at least {parts:g}, the sum of its parts")
    rest = math.sqrt(max(total**2 - parts**2, 0.0))
    own = (
        ("aleatoric", aleatoric, "what the inputs leave open, learned from Monte Carlo doses"),
        ("epistemic", epistemic, "spread of the ensemble's members"),
        (
            "calibration and distance",
            rest,
            "errors on patients not trained with, beyond the two parts; widened if unusual",
        ),
    )
    return (
        *(
            BudgetEntry(
                component=f"{NETWORK}{name}", relative_uncertainty=value, kind="A",
                basis=f"{basis}; each organ's own total is in the organ table",
            )
            for name, value, basis in own
        ),
        *(entry for entry in entries if entry.component != STATISTICS),
    )  # fmt: skip

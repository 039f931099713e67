"""One line of a validation table: our value beside the reference, both uncertainties, verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """A comparison with a published or independent value.

    Parameters
    ----------
    case : str
    entry : str
    ours, ours_sigma : float
        Our value and its standard uncertainty (k = 1; 0 for a computed coefficient).
    reference, reference_sigma : float
        Reference and its standard uncertainty (spread of the codes, or as published).
    tolerance_percent : float
        What the deviation may be, beside statistics.
    unit : str
    """

    case: str
    entry: str
    ours: float
    ours_sigma: float
    reference: float
    reference_sigma: float
    tolerance_percent: float
    unit: str

    @property
    def deviation_percent(self) -> float:
        """(ours - reference) / reference [%]."""
        return 100.0 * (self.ours / self.reference - 1.0)

    @property
    def allowed_percent(self) -> float:
        """Tolerance, widened by three standard deviations where statistics exceed 0.3 %."""
        sigma = 100.0 * self.ours_sigma / abs(self.ours) if self.ours else 0.0
        reference = 100.0 * self.reference_sigma / abs(self.reference)
        if sigma <= MAX_SIGMA_PERCENT:
            return self.tolerance_percent
        return self.tolerance_percent + 3.0 * float(np.hypot(sigma, reference))

    @property
    def holds(self) -> bool:
        """True if the deviation is within what is allowed."""
        return abs(self.deviation_percent) <= self.allowed_percent

    def as_dict(self) -> dict[str, Any]:
        """Fields and verdict, for JSON."""
        return {
            **asdict(self),
            "deviation_percent": self.deviation_percent,
            "allowed_percent": self.allowed_percent,
            "holds": self.holds,
        }


MAX_SIGMA_PERCENT = 0.3


def summarize(rows: Sequence[ValidationRow]) -> dict[str, dict[str, float]]:
    """Per case: number of rows, of those that hold, mean, RMS and largest deviation [%]."""
    summary: dict[str, dict[str, float]] = {}
    for case in dict.fromkeys(row.case for row in rows):
        part = [row for row in rows if row.case == case]
        deviation = np.array([row.deviation_percent for row in part])
        summary[case] = {
            "rows": len(part),
            "hold": sum(row.holds for row in part),
            "mean_percent": float(deviation.mean()),
            "rms_percent": float(np.sqrt(np.mean(deviation**2))),
            "max_percent": float(np.max(np.abs(deviation))),
        }
    return summary

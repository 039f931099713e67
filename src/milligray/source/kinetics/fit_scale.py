"""Curves in units of their own size, and where a fit begins."""

from itertools import product

import numpy as np

from milligray.source.kinetics.exponential_models import ExponentialModel
from milligray.source.kinetics.time_activity import TimeActivityCurve
from milligray.typing import FloatArray

RELATIVE_FLOOR = 0.05
"""Points of unknown uncertainty: alike in proportion to the curve, but never less than this share
of its highest value."""
FASTEST = 40.0
"""Largest rate, in units of 1 / the shortest interval of time."""


class CurveScale:
    """The curve in units of its own height and duration, so that numbers are near 1."""

    def __init__(self, curve: TimeActivityCurve) -> None:
        self.activity_mbq = float(curve.activity_mbq.max())
        self.time_s = float(curve.times_s.mean()) or curve.half_life_s
        self.times = curve.times_s / self.time_s
        self.values = curve.activity_mbq / self.activity_mbq
        self.decay = curve.decay_constant_per_s * self.time_s
        self.sigma = (
            None
            if curve.standard_uncertainty_mbq is None
            else curve.standard_uncertainty_mbq / self.activity_mbq
        )
        positive = np.diff(np.concatenate(([0.0], self.times)))
        self.fastest = (
            FASTEST / float(positive[positive > 0].min()) if np.any(positive > 0) else 1.0
        )

    def spread_of(self, curve: FloatArray) -> FloatArray:
        """Standard deviation of the points, in proportion if it is not known."""
        if self.sigma is not None:
            return self.sigma
        return np.maximum(np.abs(curve), RELATIVE_FLOOR * max(float(curve.max()), RELATIVE_FLOOR))

    def unit_of(self, model: ExponentialModel) -> FloatArray:
        """Units that bring the scaled parameters back."""
        n_rates = model.n_phases + int(model.has_uptake)
        unit = np.ones(model.n_parameters)
        unit[0] = self.activity_mbq
        unit[1 : 1 + n_rates] = 1.0 / self.time_s
        return unit


def starting_points(model: ExponentialModel, scale: CurveScale) -> list[FloatArray]:
    """Starting points: slow, middle and fast washout; faster phases well above it."""
    n_rates = model.n_phases + int(model.has_uptake)
    starts = []
    for slow, ratio, share in product((0.03, 0.2, 0.6, 2.0), (4.0, 25.0), (0.3, 0.7)):
        if n_rates == 1 and (ratio, share) != (4.0, 0.3):
            continue
        if model.n_phases == 1 and share != 0.3:
            continue
        rates = [slow] + [max(slow, 0.3) * ratio ** (k + 1) for k in range(n_rates - 1)]
        start = np.concatenate(([1.0], rates, [share] * (model.n_phases - 1)))
        shape = model.activity_mbq(start, scale.decay, scale.times)
        start[0] = max(float(shape @ scale.values) / max(float(shape @ shape), 1e-12), 1e-6)
        starts.append(start)
    return starts

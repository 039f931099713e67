"""Sums of exponentials whose rates are physical plus biological."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from milligray.errors import InputError
from milligray.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialModel:
    """A sum of exponentials ``A(t) = sum_i a_i exp(-(lambda + k_i) t)``.

    Its free parameters are the amplitude, the biological rate of the slowest washout, by how much
    each next rate exceeds the one before, and how the amplitude divides over the washout phases;
    within `bounds` every curve is physical: no rate below physical decay, no negative phase.

    Parameters
    ----------
    name : str
    n_phases : int
        Washout phases.
    has_uptake : bool
        Begins at 0 at administration.
    text : str
        Equation, for the report.
    """

    name: str
    n_phases: int
    has_uptake: bool
    text: str

    @property
    def n_parameters(self) -> int:
        """Amplitude, one rate per exponential, one share per washout phase but the first."""
        return 1 + self.n_phases + int(self.has_uptake) + (self.n_phases - 1)

    def terms(
        self, parameters: FloatArray, decay_constant_per_s: float
    ) -> tuple[FloatArray, FloatArray]:
        """Amplitudes [MBq] and effective rates [1/s] of the exponentials, slowest washout first.

        Parameters
        ----------
        parameters : ndarray, shape (n_parameters,)
            Amplitude ``A``; ``k_1``; ``k_i - k_{i-1}`` of each faster phase, the uptake last; for
            each washout phase but the last the share it leaves to the faster ones.
        decay_constant_per_s : float [1/s]
        """
        n_rates = self.n_phases + int(self.has_uptake)
        rates = np.cumsum(parameters[1 : 1 + n_rates]) + decay_constant_per_s
        left = np.concatenate(([1.0], np.cumprod(parameters[1 + n_rates :])))
        amplitudes = parameters[0] * (left - np.append(left[1:], 0.0))
        if self.has_uptake:
            amplitudes = np.append(amplitudes, -parameters[0])
        return amplitudes, rates

    def bounds(self, largest_rate_per_s: float) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest value of each parameter."""
        n_rates = self.n_phases + int(self.has_uptake)
        low = np.zeros(self.n_parameters)
        high = np.ones(self.n_parameters)
        high[0] = np.inf
        high[1 : 1 + n_rates] = largest_rate_per_s
        low[2 : 1 + n_rates] = 1e-6 * largest_rate_per_s
        return low, high

    def activity_mbq(
        self, parameters: FloatArray, decay_constant_per_s: float, times_s: FloatArray
    ) -> FloatArray:
        """Activity at the times [MBq]."""
        amplitudes, rates = self.terms(parameters, decay_constant_per_s)
        values: FloatArray = np.exp(-np.outer(times_s, rates)) @ amplitudes
        return values

    def tia_mbq_s(
        self, parameters: FloatArray, decay_constant_per_s: float, *, after_s: float = 0.0
    ) -> float:
        """Integral from `after_s` to infinity, ``sum a_i exp(-r_i after) / r_i`` [MBq s]."""
        amplitudes, rates = self.terms(parameters, decay_constant_per_s)
        return float(np.sum(amplitudes * np.exp(-rates * after_s) / rates))


_MODELS = (
    ExponentialModel(
        name="mono", n_phases=1, has_uptake=False, text="A exp(-(lambda + k1) t), k1 >= 0"
    ),
    ExponentialModel(
        name="mono-uptake",
        n_phases=1,
        has_uptake=True,
        text="A (exp(-(lambda + k1) t) - exp(-(lambda + ku) t)), ku > k1 >= 0",
    ),
    ExponentialModel(
        name="bi",
        n_phases=2,
        has_uptake=False,
        text="A (f1 exp(-(lambda + k1) t) + f2 exp(-(lambda + k2) t)), f1 + f2 = 1, k2 > k1 >= 0",
    ),
    ExponentialModel(
        name="bi-uptake",
        n_phases=2,
        has_uptake=True,
        text="A (f1 exp(-(lambda + k1) t) + f2 exp(-(lambda + k2) t) - exp(-(lambda + ku) t))",
    ),
    ExponentialModel(
        name="tri",
        n_phases=3,
        has_uptake=False,
        text="A (f1 exp(-(lambda + k1) t) + f2 exp(-(lambda + k2) t) + f3 exp(-(lambda + k3) t))",
    ),
)


def list_models() -> tuple[str, ...]:
    """Names of the models, fewest parameters first."""
    return tuple(model.name for model in _MODELS)


def find_model(name: str) -> ExponentialModel:
    """Model of this name."""
    for model in _MODELS:
        if model.name == name:
            return model
    raise InputError(f"unknown model {name!r}; there are {', '.join(list_models())}")


def central_differences(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, steps: FloatArray
) -> FloatArray:
    """Derivatives by each parameter, shape (n_values, n_parameters)."""
    columns = []
    for k, step in enumerate(steps):
        shift = np.zeros_like(at)
        shift[k] = step
        columns.append((function(at + shift) - function(at - shift)) / (2.0 * step))
    return np.stack(columns, axis=-1)

"""What a fit makes small: errors of the dose, with the noise of the truth where it is known."""

import math

import torch
from torch import Tensor

from milligray.errors import InputError

LOG_VARIANCE_MIN, LOG_VARIANCE_MAX = -20.0, 20.0


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the elements of a mask; 0 (with gradient 0) for a mask without any.

    Parameters
    ----------
    values : Tensor
    mask : Tensor or None
        Weights >= 0 or truth values that broadcast to `values`; None: all.
    """
    if mask is None:
        return values.mean()
    weights = torch.broadcast_to(mask, values.shape).to(values.dtype)
    return (weights * values).sum() / weights.sum().clamp_min(torch.finfo(values.dtype).tiny)


def _inside(values: Tensor, mask: Tensor | None, fill: float) -> Tensor:
    """Values of a truth with a fixed one outside the mask, where it may be NaN."""
    if mask is None:
        return values
    return torch.where(mask > 0, values, torch.full_like(values, fill))


def heteroscedastic_loss(
    dose: Tensor,
    log_variance: Tensor,
    truth: Tensor,
    *,
    sigma_floor: Tensor | float = 0.0,
    mask: Tensor | None = None,
) -> Tensor:
    """Gaussian likelihood of a truth with its own noise.

    Parameters
    ----------
    dose : Tensor
        Predicted, in any unit.
    log_variance : Tensor
        Predicted: ln(s2), in that unit squared; clamped to -20 ... 20.
    truth : Tensor
        Monte Carlo.
    sigma_floor : Tensor or float
        Standard deviation of `truth`; broadcasts.
    mask : Tensor, optional
        Body: 1 or True where the loss counts.

    Returns
    -------
    Tensor, scalar

    Notes
    -----
    ``v = s2 + sigma_floor^2``, ``loss = mean over the mask of (truth - dose)^2 / v + ln v``.

    Least for ``dose`` = mean of the truth and ``v`` = its mean squared error: the network learns
    the part s2 of the variance that is not the Monte Carlo's own. ``ln v`` is computed as
    logaddexp of both logarithms, in float32 for any precision, so neither the least nor the
    largest values overflow.

    References
    ----------
    Nix and Weigend, Proc. IEEE ICNN (1994) 55; Kendall and Gal, NeurIPS (2017).
    """
    dose, log_variance = dose.float(), log_variance.float()
    truth = _inside(truth.float(), mask, 0.0)
    log_v = log_variance.clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX)
    floor = torch.as_tensor(sigma_floor, dtype=torch.float32, device=dose.device)
    if not isinstance(sigma_floor, Tensor) and not 0 <= sigma_floor < math.inf:
        raise InputError(f"sigma_floor must be >= 0, got {sigma_floor}")
    if isinstance(sigma_floor, Tensor):
        floor = _inside(torch.broadcast_to(floor, truth.shape), mask, 1.0)
    log_floor = 2.0 * floor.clamp_min(math.exp(LOG_VARIANCE_MIN)).log()
    log_v = torch.logaddexp(log_v, log_floor)
    return masked_mean((truth - dose) ** 2 * torch.exp(-log_v) + log_v, mask)


def l1_loss(dose: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute error over a mask."""
    return masked_mean((_inside(truth, mask, 0.0) - dose).abs(), mask)


def squared_loss(
    dose: Tensor, truth: Tensor, mask: Tensor | None = None, *, sigma: Tensor | None = None
) -> Tensor:
    """Mean squared error over a mask; with the deviations of the truth, in units of these."""
    error = _inside(truth, mask, 0.0) - dose
    if sigma is not None:
        error = error / _inside(sigma, mask, 1.0)
    return masked_mean(error**2, mask)


def log_dose_loss(dose: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared error of ln(dose): relative errors count alike for high and low doses.

    Parameters
    ----------
    dose, truth : Tensor
        > 0 where the mask is.
    mask : Tensor, optional
    """
    tiny = torch.finfo(torch.float32).tiny
    inside = _inside(truth.float(), mask, 1.0)
    error = inside.clamp_min(tiny).log() - dose.float().clamp_min(tiny).log()
    return masked_mean(error**2, mask)

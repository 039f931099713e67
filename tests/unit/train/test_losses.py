import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from milligray.errors import InputError
from milligray.train.losses import (
    heteroscedastic_loss,
    l1_loss,
    log_dose_loss,
    masked_mean,
    squared_loss,
)

LOSSES = [
    lambda dose, truth, mask: heteroscedastic_loss(
        dose, torch.zeros_like(dose), truth, sigma_floor=0.1, mask=mask
    ),
    l1_loss,
    squared_loss,
    lambda dose, truth, mask: squared_loss(dose, truth, mask, sigma=0.1 * torch.ones_like(truth)),
    log_dose_loss,
]
number = st.floats(0.5, 20.0)


def drawn(seed: int, n: int = 500) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("loss", LOSSES)
@given(truth=number, dose=number)
def test_losses_are_least_at_the_truth(loss, truth, dose):
    t, d = (torch.full((5,), value) for value in (truth, dose))
    assert loss(t, t, None) <= loss(d, t, None)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_outside_the_mask_counts_for_nothing_even_if_it_is_no_number(loss):
    truth = drawn(1).abs() + 1.0
    dose = (truth * 1.1).requires_grad_()
    mask = (drawn(2) > 0).float()
    inside = loss(dose[mask > 0], truth[mask > 0], None)
    truth[mask == 0] = math.nan
    masked = loss(dose, truth, mask)
    masked.backward()
    assert masked.item() == pytest.approx(inside.item(), rel=1e-5)
    assert torch.isfinite(dose.grad).all()
    assert (dose.grad[mask == 0] == 0).all()
    assert (dose.grad[mask > 0] != 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_an_empty_mask_gives_zero_and_no_gradient(loss):
    dose = torch.ones(4, requires_grad=True)
    value = loss(dose, torch.full((4,), 2.0), torch.zeros(4))
    value.backward()
    assert value.item() == 0.0
    assert (dose.grad == 0).all()


def test_masks_broadcast_and_weigh():
    values = torch.tensor([[1.0, 3.0], [5.0, 9.0]])
    assert masked_mean(values, torch.tensor([True, False])).item() == 3.0
    assert masked_mean(values, torch.tensor([3.0, 1.0])).item() == pytest.approx(30.0 / 8.0)


@given(spread=st.floats(0.05, 5.0), floor=st.floats(0.0, 3.0))
def test_the_variance_learnt_is_what_the_floor_leaves(spread, floor):
    """The best s2 is spread^2 - floor^2, and 0 where the floor explains all."""
    errors = drawn(3)
    errors = spread * errors / errors.square().mean().sqrt()
    candidates = torch.linspace(-12.0, 4.0, 641)
    losses = torch.stack([
        heteroscedastic_loss(torch.zeros_like(errors), s.expand_as(errors), errors,
                             sigma_floor=floor) for s in candidates
    ])  # fmt: skip
    best = candidates[losses.argmin()].exp().item()
    wanted = spread**2 - floor**2
    # a small difference of large squares is known no better than they are: near its least the
    # loss is flat, and float32 tells sums apart to some 1e-3 only
    slack = 0.03 * max(wanted, 0.0) + 3e-3 * (spread**2 + floor**2)
    assert abs(best - max(wanted, 0.0)) < slack


def test_the_floor_is_respected_where_the_network_claims_certainty():
    truth, dose = torch.ones(3), torch.full((3,), 1.3)
    certain = heteroscedastic_loss(dose, torch.full((3,), -50.0), truth, sigma_floor=0.1)
    assert certain.item() == pytest.approx(0.3**2 / 0.1**2 + math.log(0.1**2), rel=1e-4)
    by_voxel = heteroscedastic_loss(
        dose, torch.full((3,), -50.0), truth, sigma_floor=torch.tensor([0.1, 0.1, math.nan]),
        mask=torch.tensor([1.0, 1.0, 0.0]),
    )  # fmt: skip
    assert by_voxel.item() == pytest.approx(certain.item(), rel=1e-6)
    with pytest.raises(InputError, match="sigma_floor"):
        heteroscedastic_loss(dose, truth, truth, sigma_floor=-1.0)


@given(
    log_variance=st.floats(-1e4, 1e4), error=st.floats(0.0, 1e4),
    floor=st.sampled_from([0.0, 1e-6, 0.1, 1e3]),
)  # fmt: skip
def test_gradients_are_finite_for_any_output_in_any_precision(log_variance, error, floor):
    dose = torch.zeros(2, requires_grad=True)
    s = torch.full((2,), log_variance, requires_grad=True)
    value = heteroscedastic_loss(
        dose.to(torch.bfloat16), s.to(torch.bfloat16), torch.full((2,), error), sigma_floor=floor
    )
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(dose.grad).all()
    assert torch.isfinite(s.grad).all()


@given(scale=st.floats(0.01, 100.0))
def test_log_dose_errors_are_relative(scale):
    truth = drawn(1).abs() + 0.5
    dose = truth * 1.2
    assert log_dose_loss(scale * dose, scale * truth).item() == pytest.approx(
        math.log(1.2) ** 2, rel=1e-3
    )

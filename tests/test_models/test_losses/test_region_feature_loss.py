"""Distance of region features against its definition, vector by vector."""

from __future__ import annotations

import math

import pytest
import torch

from mmpixcon.models.losses import RegionFeatureLoss


def reference(predicted, target, weight, divisor):
    """Python floats, channel by channel."""
    actual = 0.0
    for p, t in zip(predicted.tolist(), target.tolist()):
        length_p, length_t = math.hypot(*p), math.hypot(*t)
        actual += sum((a / length_p - b / length_t) ** 2 for a, b in zip(p, t))
    return weight * actual / divisor


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_value_and_gradient(dtype, limit):
    predicted = torch.randn(7, 5, dtype=dtype, requires_grad=True)
    target = torch.randn(7, 5, dtype=dtype)
    loss = RegionFeatureLoss(3.0)(predicted, target, 9.0)
    expected = reference(predicted.detach().double(), target.double(), 3.0, 9.0)
    assert abs(loss.item() - expected) < limit
    loss.backward()
    # d/dp of 2 - 2 cos, in closed form.
    p, t = predicted.detach().double(), target.double()
    length = p.norm(dim=1, keepdim=True)
    unit, other = p / length, t / t.norm(dim=1, keepdim=True)
    cosine = (unit * other).sum(1, keepdim=True)
    by_hand = 3.0 / 9.0 * -2 * (other - cosine * unit) / length
    torch.testing.assert_close(predicted.grad.double(), by_hand, atol=limit, rtol=limit)


def test_the_target_gets_no_gradient():
    target = torch.randn(2, 3, requires_grad=True)
    RegionFeatureLoss()(torch.randn(2, 3, requires_grad=True), target, 2.0).backward()
    assert target.grad is None


def test_no_regions():
    predicted = torch.zeros(0, 5, requires_grad=True)
    loss = RegionFeatureLoss()(predicted, torch.zeros(0, 5), 1.0)
    loss.backward()
    assert loss.item() == 0 and predicted.grad.shape == (0, 5)


def test_range_and_bad_weight():
    x = torch.tensor([[3.0, 4.0]])
    assert RegionFeatureLoss()(x, x * 7, 1.0).item() == pytest.approx(0, abs=1e-6)
    assert RegionFeatureLoss()(x, -x, 1.0).item() == pytest.approx(4)
    with pytest.raises(ValueError, match=r'region_weight = -1\.0 must not be negative'):
        RegionFeatureLoss(-1.0)

"""InfoNCE against its equation, and against PyTorch's cross entropy."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.models.losses import InfoNCELoss
from mmpixcon.models.losses.reference import info_nce

pytestmark = pytest.mark.torch_versions


def unit(*shape, dtype=torch.float64):
    return F.normalize(torch.randn(*shape, dtype=dtype), dim=-1)


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=['f64', 'f32']
)
@pytest.mark.parametrize('temperature', [0.07, 0.2, 1.0])
@pytest.mark.parametrize('shape', [(5, 17, 8), (1, 1, 4), (3, 40, 2)])
def test_value_and_gradient(shape, temperature, dtype, tolerance):
    n, size, channels = shape
    raw = torch.randn(n, channels, dtype=dtype, requires_grad=True)
    key, bank = unit(n, channels, dtype=dtype), unit(size, channels, dtype=dtype)
    ours = InfoNCELoss(temperature)(F.normalize(raw, dim=1), key, bank)
    expected = info_nce(F.normalize(raw, dim=1), key, bank, temperature)
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
    (a,) = torch.autograd.grad(3 * ours, raw)
    (b,) = torch.autograd.grad(3 * expected, raw)
    torch.testing.assert_close(a, b, rtol=tolerance, atol=10 * tolerance)


def test_equals_cross_entropy_at_a_small_temperature():
    """Where exp overflows in the equation as written."""
    query, key, bank = unit(4, 8), unit(4, 8), unit(9, 8)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ bank.T], 1) / 1e-3
    expected = F.cross_entropy(logits, torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(InfoNCELoss(1e-3)(query, key, bank), expected)


def test_negatives_may_change_before_the_backward_pass():
    query = unit(4, 8).requires_grad_()
    key, bank = unit(4, 8), unit(9, 8)
    (expected,) = torch.autograd.grad(InfoNCELoss()(query, key, bank), query)
    loss = InfoNCELoss()(query, key, bank)
    bank.zero_()
    (actual,) = torch.autograd.grad(loss, query)
    assert torch.equal(actual, expected)


def test_full_precision_under_autocast():
    query, key, bank = (unit(n, 8, dtype=torch.float32) for n in (4, 4, 9))
    plain = InfoNCELoss()(query, key, bank)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = InfoNCELoss()(query, key, bank)
        rounded = InfoNCELoss()(query.bfloat16(), key, bank)
    assert torch.equal(plain, half) and rounded.dtype == torch.float32
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        InfoNCELoss(0)

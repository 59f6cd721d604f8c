"""Unit vectors equal torch's, and so do their gradients."""

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.models.unit import unit_vectors


@pytest.mark.parametrize(('dtype', 'bound'), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_values_and_gradients(dtype, bound):
    torch.manual_seed(0)
    rows = torch.randn(3, 5, 7, dtype=dtype)
    # A zero stays one.
    rows[1, 2] = 0
    weight = torch.randn_like(rows)
    results = []
    for function in (unit_vectors, lambda x: F.normalize(x, dim=-1)):
        leaf = rows.clone().requires_grad_()
        unit = function(leaf)
        (unit * weight).sum().backward()
        results.append((unit.detach(), leaf.grad))
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs, atol=bound, rtol=bound)
    assert unit_vectors(rows[:0]).shape == (0, 5, 7)

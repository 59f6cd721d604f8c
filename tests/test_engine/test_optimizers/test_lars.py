"""LARS against its equations, parameter by parameter."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mmpixcon.engine.optimizers import LARS


def reference(model, buffers, lr, momentum, weight_decay, eta):
    for name, p in model.named_parameters():
        g = p.grad.clone()
        if p.dim() > 1:
            g = g + weight_decay * p.data
            if p.data.norm() > 0 and g.norm() > 0:
                g = g * eta * p.data.norm() / g.norm()
        buffers[name] = momentum * buffers.get(name, torch.zeros_like(g)) + g
        p.data = p.data - lr * buffers[name]


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def loss(net, step):
    torch.manual_seed(step)
    return net(torch.randn(5, 2, 4, 4, dtype=next(net.parameters()).dtype)).square().mean()


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=['f64', 'f32']
)
def test_steps_with_a_changing_rate(dtype, tolerance):
    ours = model().to(dtype)
    theirs = copy.deepcopy(ours)
    # A layer that is 0 is not scaled.
    for net in (ours, theirs):
        nn.init.zeros_(net[3].weight)
    optimizer = LARS(ours.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, eta=0.02)
    buffers = {}
    for step in range(6):
        rate = 0.1 * (step + 1)
        for net in (ours, theirs):
            net.zero_grad()
            loss(net, step).backward()
        optimizer.param_groups[0]['lr'] = rate
        optimizer.step()
        reference(theirs, buffers, rate, 0.9, 0.01, 0.02)
        for a, b in zip(ours.parameters(), theirs.parameters()):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_resumes_exactly():
    whole, parts = model(), model()
    optimizer = LARS(whole.parameters(), lr=1.0, weight_decay=1e-6)
    for step in range(4):
        optimizer.zero_grad()
        optimizer.step(lambda step=step: backward(whole, step))
    state = None
    for steps in (range(2), range(2, 4)):
        optimizer = LARS(parts.parameters(), lr=1.0, weight_decay=1e-6)
        if state is not None:
            optimizer.load_state_dict(state)
        for step in steps:
            optimizer.zero_grad()
            optimizer.step(lambda step=step: backward(parts, step))
        state = copy.deepcopy(optimizer.state_dict())
    for a, b in zip(whole.parameters(), parts.parameters()):
        assert torch.equal(a, b)


def backward(net, step):
    value = loss(net, step)
    value.backward()
    return value


def test_bad_settings():
    with pytest.raises(ValueError, match=r'optimizer: lr = -1.0, eta = -2.0 must not be negative'):
        LARS([nn.Parameter(torch.zeros(1))], lr=-1.0, eta=-2.0)

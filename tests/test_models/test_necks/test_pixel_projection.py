"""The paper's projection as a neck."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmpixcon.registry import MODELS


def build(**options):
    settings = dict(type='mmpixcon.PixelProjection', in_channels=[6, 8], out_channels=4)
    neck = MODELS.build(settings | options)
    neck.init_weights()
    return neck


def by_hand(part, x, stride=1, padding=0):
    """Convolution, batch norm by the batch's own statistics, ReLU, convolution."""
    x = F.conv2d(x, part[0].conv.weight, stride=stride, padding=padding)
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = x.var((0, 2, 3), unbiased=False, keepdim=True)
    x = ((x - mean) / (variance + 1e-5).sqrt()).clamp(min=0)
    return F.conv2d(x, part[1].weight, part[1].bias)


def test_two_convolutions_with_norm_and_relu_between():
    neck = build(num_outs=4, hidden_channels=5).double()
    maps = [torch.randn(2, 6, 8, 10).double(), torch.randn(2, 8, 4, 5).double()]
    outputs = neck(maps)
    assert [tuple(o.shape) for o in outputs] == [
        (2, 4, 8, 10),
        (2, 4, 4, 5),
        (2, 4, 2, 3),
        (2, 4, 1, 2),
    ]
    for output, part, x in zip(outputs, neck.projections, maps):
        torch.testing.assert_close(output, by_hand(part, x), rtol=1e-9, atol=1e-9)
    first, second = neck.extra_projections
    coarse = by_hand(first, maps[1], stride=2, padding=1)
    torch.testing.assert_close(outputs[2], coarse, rtol=1e-9, atol=1e-9)
    coarser = by_hand(second, coarse, stride=2, padding=1)
    torch.testing.assert_close(outputs[3], coarser, rtol=1e-9, atol=1e-9)
    # Negative values: no activation at the end.
    assert all((output < 0).any() for output in outputs)


def test_hidden_channels_default_to_the_outputs():
    neck = build()
    assert [part[0].conv.out_channels for part in neck.projections] == [4, 4]
    assert len(neck.extra_projections) == 0


def test_fewer_outputs_than_maps_are_refused():
    with pytest.raises(ValueError, match=r'neck.num_outs = 1 is less than the 2 maps'):
        build(num_outs=1)

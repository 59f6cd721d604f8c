"""A pyramid from one map: shapes, and values against the layers written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpixcon.models.necks import SimpleFPN


def norm(x: Tensor, layer: nn.LayerNorm) -> Tensor:
    """Over the channels, as LayerNorm's formula says."""
    mean, var = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
    weight, bias = (p[None, :, None, None] for p in (layer.weight, layer.bias))
    return (x - mean) / (var + layer.eps).sqrt() * weight + bias


def upsampled(x: Tensor, conv: nn.ConvTranspose2d) -> Tensor:
    """Each cell becomes 2 x 2, by four matrices."""
    cells = torch.einsum('nchw,coij->nohiwj', x, conv.weight)
    return cells.flatten(4).flatten(2, 3) + conv.bias[None, :, None, None]


def test_values():
    torch.manual_seed(0)
    neck = SimpleFPN(8, 4, num_outs=5).double()
    for p in neck.parameters():
        nn.init.normal_(p)
    x = torch.randn(2, 8, 6, 10, dtype=torch.float64)
    four, two = neck.levels[:2]
    hidden = F.gelu(norm(upsampled(x, four[0]), four[1]))
    starts = [upsampled(hidden, four[3]), upsampled(x, two[0]), x]
    starts.append(x.unflatten(2, (3, 2)).unflatten(4, (5, 2)).amax((3, 5)))
    expected = []
    for level, start in zip(neck.levels, starts):
        first, first_norm, second, second_norm = level[-4:]
        mixed = norm(torch.einsum('nchw,oc->nohw', start, first.weight[..., 0, 0]), first_norm)
        expected.append(norm(F.conv2d(mixed, second.weight, padding=1), second_norm))
    expected.append(expected[-1][:, :, ::2, ::2])
    actual = neck((x,))
    assert [level.shape[2:] for level in actual] == [(24, 40), (12, 20), (6, 10), (3, 5), (2, 3)]
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r'among 4, 2, 1 and 0\.5, got \(3,\)'):
        SimpleFPN(8, 4, scales=(3,))
    with pytest.raises(ValueError, match='num_outs=1 is less than the 2 scales'):
        SimpleFPN(8, 4, scales=(2, 1), num_outs=1)
    with pytest.raises(ValueError, match=r'one map, got 2: set backbone\.out_indices'):
        SimpleFPN(8, 4)((torch.zeros(1, 8, 2, 2),) * 2)

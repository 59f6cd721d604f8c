r"""Compares the Triton kernels' values and gradients with PyTorch's, on the card at hand.

    python tools/benchmarks/check_kernels.py

Both pixel losses at random, rotated and disjoint views, and deformable attention in float32,
bfloat16 and float16. Ends with an error if they differ, or if attention waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

import mmpixcon  # noqa: F401  (registers)
from deformable_attention import TYPES, make_inputs
from deformable_attention import check as check_attention
from measuring import describe
from mmpixcon.models.geometry import PairBatch, PixelPairs, ViewGrid
from mmpixcon.models.losses import PixelCosineLoss, PixelNCELoss, pixel_cosine_loss, pixel_nce_loss
from mmpixcon.models.losses.pixel_kernels import kernels_for

# Largest difference, as a share of the largest value: what rounding in float32 makes.
TOLERANCE = 1e-4
LOSSES: dict[str, Callable[[], torch.nn.Module]] = {
    'L_Cos': PixelCosineLoss,
    'L_NCE': lambda: PixelNCELoss(0.3),
    'L_NCE at 0.02': lambda: PixelNCELoss(0.02),
}


def make_views(cells: tuple[int, int], device: str) -> PairBatch:
    """Three images of 200 x 160: a flipped crop, a rotated view, and views that never meet."""
    size = (160, 200)
    crop = np.array([[1.25, 0, -30], [0, 1.25, -20], [0, 0, 1]])
    flip = np.array([[-1, 0, 200], [0, 1, 0], [0, 0, 1]])
    cos, sin = np.cos(0.4), np.sin(0.4)
    turn = np.array([[cos, -sin, 9], [sin, cos, -7], [1e-4, -2e-4, 1]])
    far = np.array([[1, 0, 900], [0, 1, 900], [0, 0, 1]])
    query = ViewGrid(torch.eye(3), cells, size, size)
    keys = (ViewGrid(matrix, cells, size, size) for matrix in (flip @ crop, turn, far))
    return PairBatch([PixelPairs(query, key, device=device) for key in keys])


def value_and_gradient(loss: torch.nn.Module, query: Tensor, key: Tensor, pairs: PairBatch) -> list:
    """A loss and what it gives the query."""
    leaf = query.detach().requires_grad_()
    value = loss(leaf, key, pairs)
    return [value.detach(), *torch.autograd.grad(value, leaf)]


def differences(cells: tuple[int, int], channels: int, device: str) -> dict[str, float]:
    """Largest differences of the losses and their gradients, as a share of the largest value."""
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(3, channels, *cells, generator=generator).to(device) for _ in 'qk')
    found = {}
    for name, make in LOSSES.items():
        loss = make()
        actual = value_and_gradient(loss, query, key, make_views(cells, device))
        with (
            patch.object(pixel_cosine_loss, 'kernels_for', lambda features: None),
            patch.object(pixel_nce_loss, 'kernels_for', lambda features: None),
        ):
            expected = value_and_gradient(loss, query, key, make_views(cells, device))
        for part, ours, other in zip(('value', 'gradient'), actual, expected):
            error = (ours - other).abs().max() / other.abs().max().clamp(min=1e-12)
            found[f'{name}, {part}'] = error.item()
    return found


def check(shares: dict[str, float]) -> None:
    """Stop with an error where a share, by name, is above ``TOLERANCE``, or is not a number."""
    for name, share in shares.items():
        if not share <= TOLERANCE:
            raise SystemExit(f'{name}: kernels and PyTorch differ by {share:.1e} of the largest')


def main() -> None:
    """Compare."""
    if not torch.cuda.is_available():
        raise SystemExit('the kernels run on a GPU, and torch finds none')
    print(describe('cuda'))
    if kernels_for(torch.zeros(1, device='cuda')) is None:
        raise SystemExit('the Triton kernels of the pixel losses do not work here')
    worst = 0.0
    # Channels and cells that fill no block of a kernel, and some that do.
    for cells, channels in (((7, 9), 7), ((20, 25), 256), ((32, 32), 64)):
        shares = differences(cells, channels, 'cuda')
        check({f'{cells} cells, {channels} channels, {name}': s for name, s in shares.items()})
        worst = max(worst, *shares.values())
    print(f'pixel losses: kernels and PyTorch differ by at most {worst:.1e} of the largest value')
    for places in ('near', 'anywhere'):
        inputs = make_inputs(((20, 30), (10, 15)), places, 'cuda')
        gradient = torch.randn(*inputs[0].shape[:2], inputs[0].shape[2:].numel(), device='cuda')
        for dtype in TYPES.values():
            check_attention(inputs, gradient, dtype)
    print('deformable attention: output and gradients of the kernels agree with PyTorch')


if __name__ == '__main__':
    main()

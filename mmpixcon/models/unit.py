"""Unit vectors, with a gradient of few operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# Least length to divide by, that of F.normalize.
EPS = 1e-12


def unit_vectors(rows: Tensor) -> Tensor:
    """Divide rows by their lengths: ``F.normalize(rows, dim=-1)``.

    Autograd forms the gradient of that by 14 operators, this by four.

    Args:
        rows (Tensor): (..., C).

    Returns:
        Tensor: (..., C); zeros stay zeros.
    """
    return _Unit.apply(rows)


class _Unit(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_(min=EPS)
        unit = rows / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_unit: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        # Without what would make a row longer.
        along = (grad_unit * unit).sum(-1, keepdim=True)
        return torch.addcmul(grad_unit, unit, along, value=-1).div_(length)

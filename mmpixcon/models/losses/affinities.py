"""Point affinities of PLRC, equation (3), reduced without being held whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..geometry.correspondence import BLOCK_ELEMENTS
from ..precision import full_precision


def affinities(
    points: Tensor,
    keys: Tensor,
    valid: Tensor,
    temperature: float,
    left_out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""What the losses need of the affinities of points to keys.

    .. math::
        A_{ik} = \exp(p_i \cdot k_k / \tau) / Z_i, \quad
        Z_i = \sum_j \exp(p_i \cdot k_j / \tau)

    Blocks of rows of A are formed one after another, so memory grows with the
    number of points; so it does in the backward pass, for which ``log Z_i``
    needs nothing but the mean key, since ``d log Z_i / d p_i = sum_k A_ik k_k / tau``.

    Args:
        points (Tensor): p, (G, n, C), a group of points compares with its keys.
        keys (Tensor): k, (G, M, C); no gradient.
        valid (Tensor): (G, M) bool, whether a key is one.
        temperature (float): tau.
        left_out (Tensor, optional): (G, n) int64, index of the key that is not one
            for this point.

    Returns:
        tuple[Tensor, Tensor]: ``log Z``, (G, n), and the mean key
        ``sum_k A_ik k_k``, (G, n, C), both with gradient; zeros for points without
        keys.
    """
    return _Affinities.apply(points, keys.detach(), valid, temperature, left_out)


@full_precision
def log_partition(
    points: Tensor,
    pool: Tensor,
    pool_valid: Tensor,
    temperature: float,
    left_out: Tensor | None = None,
) -> Tensor:
    """``log Z`` of points of a batch, in full precision under autocast.

    Args:
        points (Tensor): (N, n, C).
        pool (Tensor): (N, M, C), keys of each image, or (1, M, C), of all; no
            gradient.
        pool_valid (Tensor): (N, M) or (1, M) bool, whether a key is one.
        temperature (float): tau.
        left_out (Tensor, optional): (N, n) int64, index of the key that is not one
            for this point.

    Returns:
        Tensor: (N, n).
    """
    grouped = points.reshape(len(pool), -1, points.shape[2])
    if left_out is not None:
        left_out = left_out.reshape(grouped.shape[:2])
    log_z, _ = affinities(grouped, pool, pool_valid, temperature, left_out)
    return log_z.view(points.shape[:2])


def _exponentials(
    points: Tensor, keys: Tensor, valid: Tensor, temperature: float, left_out: Tensor | None
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Blocks of rows of exp(s - top), and top, (G, b, 1): their largest s."""
    bias = keys.new_zeros(valid.shape).masked_fill_(~valid, -torch.inf)[:, None]
    rows = max(1, BLOCK_ELEMENTS // bias.numel())
    for start in range(0, points.shape[1], rows):
        block = slice(start, start + rows)
        s = torch.baddbmm(bias, points[:, block], keys.mT, alpha=1 / temperature)
        if left_out is not None:
            s.scatter_(2, left_out[:, block, None], -torch.inf)
        top = s.amax(2, keepdim=True).nan_to_num_(neginf=0.0)
        yield block, s.sub_(top).exp_(), top


class _Affinities(Function):
    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        keys: Tensor,
        valid: Tensor,
        temperature: float,
        left_out: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        log_z, mean = points.new_empty(points.shape[:2]), torch.empty_like(points)
        for block, exp, top in _exponentials(points, keys, valid, temperature, left_out):
            # The largest term is 1, so the floor is for points without keys.
            total = exp.sum(2, keepdim=True).clamp_(min=1)
            log_z[:, block] = (total.log() + top)[..., 0]
            mean[:, block] = torch.bmm(exp, keys).div_(total)
        ctx.set_materialize_grads(False)
        ctx.temperature = temperature
        ctx.save_for_backward(points, keys, valid, mean, left_out)
        return log_z, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_log_z: Tensor | None, grad_mean: Tensor | None) -> tuple:
        points, keys, valid, mean, left_out = ctx.saved_tensors
        grad = torch.zeros_like(mean)
        if grad_log_z is not None:
            grad += grad_log_z[..., None] * mean
        if grad_mean is not None:
            # d mean / d p = (sum_k A_ik k_k k_k^T - mean mean^T) / tau, times grad_mean.
            grad -= (grad_mean * mean).sum(2, keepdim=True) * mean
            blocks = _exponentials(points, keys, valid, ctx.temperature, left_out)
            for block, exp, _ in blocks:
                total = exp.sum(2, keepdim=True).clamp_(min=1)
                exp.mul_(torch.bmm(grad_mean[:, block], keys.mT))
                grad[:, block] += torch.bmm(exp, keys).div_(total)
        return grad.div_(ctx.temperature), None, None, None, None


def check_points(points: Tensor, keys: Tensor, pool: Tensor, pool_valid: Tensor) -> None:
    """Refuse points and keys that do not fit together.

    Args:
        points (Tensor): (N, n, C).
        keys (Tensor): (N, m, C).
        pool (Tensor): (N, M, C) or (1, M, C).
        pool_valid (Tensor): (N, M) or (1, M).

    Raises:
        ValueError: They do not; names all shapes.
    """
    batch, channels = len(points), points.shape[2]
    fits = keys.shape[::2] == (batch, channels) == (batch, pool.shape[2])
    if not fits or len(pool) not in (1, batch) or pool_valid.shape != pool.shape[:2]:
        raise ValueError(
            'points must be (N, n, C), keys (N, m, C), pool (N or 1, M, C) and pool_valid (N or 1, '
            f'M), got {tuple(points.shape)}, {tuple(keys.shape)}, {tuple(pool.shape)} and '
            f'{tuple(pool_valid.shape)}'
        )

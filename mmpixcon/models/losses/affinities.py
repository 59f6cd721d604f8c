"""Point affinities of PLRC, equation (3), reduced without being held whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..precision import full_precision

# Elements of a block of A that may exist at a time, on a CPU.
BLOCK_ELEMENTS = 1 << 24
# As many times more on a GPU, which wants few and large operators.
GPU_FACTOR = 4


def affinities(
    points: Sequence[Tensor],
    keys: Tensor,
    valid: Tensor,
    temperatures: Sequence[float],
    left_out: Tensor | None = None,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    r"""Sums of the affinities of points to keys that losses need, of several sets at once.

    .. math::
        A_{ik} = \exp(p_i \cdot k_k / \tau) / Z_i, \quad
        Z_i = \sum_j \exp(p_i \cdot k_j / \tau)

    Blocks of rows of A are formed one after another, so memory grows with the
    number of points; so it does in the backward pass, for which ``log Z_i``
    needs nothing but the mean key, since ``d log Z_i / d p_i = sum_k A_ik k_k / tau``.

    Args:
        points (Sequence[Tensor]): p of each set, (G, n, C), a group of points compares
            with its keys.
        keys (Tensor): k, (G, M, C), of all sets; no gradient.
        valid (Tensor): (G, M) bool, whether a key is one.
        temperatures (Sequence[float]): tau of each set.
        left_out (Tensor, optional): (G, n) int64, index of the key that is not one
            for this point; the same in all sets.

    Returns:
        tuple: ``log Z`` of each set, (G, n), and the mean keys ``sum_k A_ik k_k`` of each,
        (G, n, C), with gradient where the points have one; zeros for points without keys.
    """
    results = _Affinities.apply(keys.detach(), valid, tuple(temperatures), left_out, *points)
    return results[: len(points)], results[len(points) :]


@full_precision
def log_partition(points: Tensor, pool: Tensor, pool_valid: Tensor, temperature: float) -> Tensor:
    """``log Z`` of points of a batch, in full precision under autocast.

    Args:
        points (Tensor): (N, n, C).
        pool (Tensor): (N, M, C), keys of each image, or (1, M, C), of all; no
            gradient.
        pool_valid (Tensor): (N, M) or (1, M) bool, whether a key is one.
        temperature (float): tau.

    Returns:
        Tensor: (N, n).
    """
    grouped = points.reshape(len(pool), -1, points.shape[2])
    (log_z,), _ = affinities([grouped], pool, pool_valid, [temperature])
    return log_z.view(points.shape[:2])


def _exponentials(
    scaled: Tensor, keys: Tensor, valid: Tensor, left_out: Tensor | None
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Blocks of rows of exp(s - top), their sums and top, (G, b, 1), the largest s.

    Args:
        scaled (Tensor): (G, n, C), points divided by their temperature.
        keys (Tensor): (G, M, C).
        valid (Tensor): (G, M) bool.
        left_out (Tensor, optional): (G, n) int64.
    """
    # 0 for keys, -inf for others.
    bias = valid.to(keys.dtype).log_()[:, None]
    elements = BLOCK_ELEMENTS * (1 if keys.device.type == 'cpu' else GPU_FACTOR)
    rows = max(1, elements // bias.numel())
    for start in range(0, scaled.shape[1], rows):
        block = slice(start, start + rows)
        s = torch.baddbmm(bias, scaled[:, block], keys.mT)
        if left_out is not None:
            s.scatter_(2, left_out[:, block, None], -torch.inf)
        top = s.amax(2, keepdim=True).nan_to_num_(neginf=0.0)
        exp = s.sub_(top).exp_()
        # The largest term is 1, so the floor is for points without keys.
        yield block, exp, exp.sum(2, keepdim=True).clamp_(min=1), top


class _Affinities(Function):
    @staticmethod
    def forward(
        ctx: Any,
        keys: Tensor,
        valid: Tensor,
        temperatures: tuple[float, ...],
        left_out: Tensor | None,
        *points: Tensor,
    ) -> tuple[Tensor, ...]:
        sizes = [part.shape[1] for part in points]
        scaled = keys.new_empty(len(keys), sum(sizes), keys.shape[2])
        for part, out, temperature in zip(points, scaled.split(sizes, 1), temperatures):
            torch.div(part, temperature, out=out)
        everywhere = None if left_out is None else left_out.repeat(1, len(points))
        log_z, mean = scaled.new_empty(*scaled.shape[:2], 1), torch.empty_like(scaled)
        for block, exp, total, top in _exponentials(scaled, keys, valid, everywhere):
            torch.add(total.log(), top, out=log_z[:, block])
            torch.div(torch.bmm(exp, keys), total, out=mean[:, block])
        ctx.set_materialize_grads(False)
        ctx.temperatures = temperatures
        log_zs, means = log_z[..., 0].split(sizes, 1), mean.split(sizes, 1)
        learn = ctx.needs_input_grad[-len(points) :]
        # Else autograd would ask for gradients of a teacher, too.
        fixed = [i for i, learns in enumerate(learn) if not learns]
        ctx.mark_non_differentiable(*(part[i] for part in (log_zs, means) for i in fixed))
        ctx.save_for_backward(keys, valid, left_out, *points, *means)
        return *log_zs, *means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.temperatures)
        keys, valid, left_out, *saved = ctx.saved_tensors
        sets = zip(ctx.temperatures, saved[:count], saved[count:], grads[:count], grads[count:])
        inputs = []
        for temperature, points, mean, grad_log_z, grad_mean in sets:
            grad = None
            if grad_log_z is not None:
                grad = (grad_log_z / temperature)[..., None] * mean
            if grad_mean is not None:
                # d mean / d p = (sum_k A_ik k_k k_k^T - mean mean^T) / tau, times grad_mean.
                scaled, grad_mean = points / temperature, grad_mean / temperature
                along = (grad_mean * mean).sum(2, keepdim=True)
                grad = -along * mean if grad is None else grad.addcmul_(along, mean, value=-1)
                for block, exp, total, _ in _exponentials(scaled, keys, valid, left_out):
                    exp.mul_(torch.bmm(grad_mean[:, block], keys.mT))
                    grad[:, block] += torch.bmm(exp, keys).div_(total)
            inputs.append(grad)
        return None, None, None, None, *inputs


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

"""What losses on two embeddings of a batch share: the whole batch, checked."""

from __future__ import annotations

import torch
from torch import Tensor

from ..contrast.gather import gather_with_gradient


def whole_batch(first: Tensor, second: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Embeddings of all processes, in full precision, with exact gradients.

    Args:
        first (Tensor): (N, D), as many in each process.
        second (Tensor): (N, D), of other views of the same images.
        name (str): Of the loss, for messages.

    Returns:
        tuple[Tensor, Tensor]: (N x processes, D) each; float64 stays float64,
        everything else becomes float32.

    Raises:
        ValueError: Shapes differ, or the whole batch is a single image.
    """
    if first.shape != second.shape or first.dim() != 2:
        raise ValueError(
            f'{name}: embeddings of the two views must be (N, D), got {tuple(first.shape)} and '
            f'{tuple(second.shape)}: take both from one model.backbone and model.neck'
        )
    dtype = first.dtype if first.dtype == torch.float64 else torch.float32
    first, second = (gather_with_gradient(z.to(dtype)) for z in (first, second))
    if len(first) < 2:
        raise ValueError(
            f'{name}: statistics over a batch need two images or more, got {len(first)}: raise '
            'train_dataloader.batch_size, and set drop_last=True'
        )
    return first, second


def off_diagonal_square(first: Tensor, second: Tensor) -> Tensor:
    r"""Sum of the squares of what is off the diagonal of ``first.T @ second``.

    Over the smaller of the two Gram matrices, since

    .. math:: \|A^\top B\|_F^2 = \langle A A^\top, B B^\top \rangle,

    so with fewer images than dimensions no (D, D) matrix is formed.

    Args:
        first (Tensor): A, (N, D).
        second (Tensor): B, (N, D).

    Returns:
        Tensor: Scalar.
    """
    images, dimensions = first.shape
    if images < dimensions:
        whole = ((first @ first.T) * (second @ second.T)).sum()
        return whole - (first * second).sum(0).square().sum()
    product = first.T @ second
    return (
        product.masked_fill(torch.eye(dimensions, dtype=torch.bool, device=first.device), 0)
        .square()
        .sum()
    )


def standardise(embedding: Tensor, eps: float) -> Tensor:
    """Each dimension with mean 0 and (biased) variance 1 over the batch, (N, D)."""
    variance, mean = torch.var_mean(embedding, dim=0, correction=0)
    return (embedding - mean) * (variance + eps).rsqrt()

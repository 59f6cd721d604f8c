"""Functions that several losses share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..contrast.gather import gather_with_gradient
from ..geometry.pixel_pairs import PairBatch, PixelPairs

# Floor of a feature's norm in l2(.), as the eps of F.normalize.
NORM_EPS = 1e-6


def unit_rows(features: Tensor) -> tuple[Tensor, Tensor]:
    """l2(.) of each row.

    Args:
        features (Tensor): (..., C).

    Returns:
        tuple[Tensor, Tensor]: (..., C) rows of unit length and (..., 1) norms, not
        below ``NORM_EPS``.
    """
    norm = torch.linalg.vector_norm(features, dim=-1, keepdim=True).clamp_(min=NORM_EPS)
    return features / norm, norm


def pair_batch(query: Tensor, key: Tensor, pairs: Sequence[PixelPairs]) -> PairBatch:
    """The geometry of the images of two maps.

    Args:
        query (Tensor): (N, C, h, w).
        key (Tensor): (N, C, h', w').
        pairs (Sequence[PixelPairs]): geometry of the N images, maybe a batch already.

    Returns:
        PairBatch: all of them.

    Raises:
        ValueError: Shapes of maps and geometry do not fit.
    """
    if query.shape[:2] != key.shape[:2] or len(pairs) != len(query):
        raise ValueError(
            'Pixel losses need maps of equal batch and channels and one PixelPairs an image, '
            f'got {tuple(query.shape)}, {tuple(key.shape)} and {len(pairs)} pairs'
        )
    for pair in pairs:
        if pair.query.map_shape != query.shape[2:] or pair.key.map_shape != key.shape[2:]:
            raise ValueError(
                f'PixelPairs of maps {pair.query.map_shape} and {pair.key.map_shape} '
                f'do not fit maps {tuple(query.shape[2:])} and {tuple(key.shape[2:])}'
            )
    return pairs if isinstance(pairs, PairBatch) else PairBatch(pairs)


def whole_batch(first: Tensor, second: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Gather the embeddings of all processes, with exact gradients.

    Args:
        first (Tensor): (N, D), as many in each process.
        second (Tensor): (N, D), of other views of the same images.
        name (str): name of the loss, for messages.

    Returns:
        tuple[Tensor, Tensor]: (N x processes, D) each.

    Raises:
        ValueError: Shapes differ, or the whole batch is a single image.
    """
    if first.shape != second.shape or first.dim() != 2:
        raise ValueError(
            f'{name}: embeddings of the two views must be (N, D), got {tuple(first.shape)} and '
            f'{tuple(second.shape)}: take both from one model.backbone and model.neck'
        )
    first, second = (gather_with_gradient(z) for z in (first, second))
    if len(first) < 2:
        raise ValueError(
            f'{name}: statistics over a batch need two images or more, got {len(first)}: raise '
            'train_dataloader.batch_size, and set drop_last=True'
        )
    return first, second


def off_diagonal_square(first: Tensor, second: Tensor | None = None) -> Tensor:
    r"""Sum of the squares of what is off the diagonal of ``first.T @ second``.

    Over the smaller of the two Gram matrices, since

    .. math:: \|A^\top B\|_F^2 = \langle A A^\top, B B^\top \rangle,

    so with fewer images than dimensions no (D, D) matrix is formed.

    Args:
        first (Tensor): A, (..., N, D).
        second (Tensor, optional): B, (..., N, D). Defaults to None, A once more.

    Returns:
        Tensor: Scalar; all products together.
    """
    images, dimensions = first.shape[-2:]
    if images < dimensions:
        gram = first @ first.mT
        other = first if second is None else second
        whole = gram.square() if second is None else gram * (second @ second.mT)
        return whole.sum() - (first * other).sum(-2).square().sum()
    product = first.mT @ (first if second is None else second)
    return (
        product.masked_fill(torch.eye(dimensions, dtype=torch.bool, device=first.device), 0)
        .square()
        .sum()
    )


def standardize(embedding: Tensor, eps: float) -> Tensor:
    """Each dimension with mean 0 and (biased) variance 1 over the batch, (..., N, D)."""
    variance, mean = torch.var_mean(embedding, dim=-2, correction=0, keepdim=True)
    return (embedding - mean) * (variance + eps).rsqrt()


@torch.no_grad()
def spread(unit: Tensor) -> Tensor:
    """Deviation of unit vectors, scaled: 1 if they are isotropic, 0 if they collapsed.

    Args:
        unit (Tensor): Rows of unit length, (N, C).

    Returns:
        Tensor: Scalar.
    """
    return unit.float().std(dim=0, unbiased=False).mean() * unit.shape[1] ** 0.5

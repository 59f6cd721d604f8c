"""Numbers that say how much of its dimensions an embedding uses."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from mmpixcon.models.losses.functional import standardize


@torch.no_grad()
def effective_rank(embedding: Tensor) -> Tensor:
    r"""Number of dimensions that an embedding uses.

    :math:`\exp(-\sum_i p_i \log p_i)` with :math:`p_i` the singular values of
    the centered embedding over their sum (Roy and Vetterli, "The effective rank: A
    measure of effective dimensionality", 2007): 1 if all lie on a line, at most
    min(N - 1, D).

    Args:
        embedding (Tensor): (N, D).

    Returns:
        Tensor: Scalar; 0 if all rows are the same, NaN if a value is not finite.
    """
    centred = (embedding - embedding.mean(0)).double()
    if not centred.isfinite().all():
        return centred.new_full((), torch.nan)
    values = torch.linalg.svdvals(centred)
    # Of a constant embedding, rounding is all there is.
    noise = embedding.abs().max() * torch.finfo(embedding.dtype).eps * max(embedding.shape)
    if values[0] <= noise:
        return values.new_zeros(())
    share = values / values.sum()
    return torch.special.entr(share).sum().exp()


@torch.no_grad()
def cross_correlation(first: Tensor, second: Tensor, eps: float = 1e-5) -> Tensor:
    """Correlation of each dimension of one embedding with each of the other.

    Args:
        first (Tensor): (N, D).
        second (Tensor): (N, D), of other views of the same images.
        eps (float): Added to variances. Defaults to 1e-5, Barlow Twins'.

    Returns:
        Tensor: (D, D), -1 to 1.
    """
    return standardize(first, eps).T @ standardize(second, eps) / len(first)


def correlation_statistics(matrix: Tensor) -> dict[str, float]:
    """Mean of the diagonal and root mean square of what is off it.

    Args:
        matrix (Tensor): (D, D).

    Returns:
        dict[str, float]: ``diagonal_mean`` and ``off_diagonal_rms``.
    """
    diagonal = matrix.diagonal()
    off = matrix.square().sum() - diagonal.square().sum()
    pairs = max(matrix.numel() - len(diagonal), 1)
    return dict(
        diagonal_mean=diagonal.mean().item(),
        off_diagonal_rms=(off.clamp(min=0) / pairs).sqrt().item(),
    )


def draw_matrix(matrix: np.ndarray, side: int = 512) -> np.ndarray:
    """Draw a matrix of values from -1 to 1: blue below 0, white at 0, red above.

    Args:
        matrix (np.ndarray): (n, n).
        side (int): Pixels a side. Defaults to 512.

    Returns:
        np.ndarray: (side, side, 3), RGB, uint8.
    """
    value = np.clip(matrix, -1, 1)[..., None]
    red, blue = np.array([178.0, 24, 43]), np.array([33.0, 102, 172])
    color = 255 + np.abs(value) * (np.where(value > 0, red, blue) - 255)
    # A diagonal of one pixel must not vanish where there are more dimensions than pixels.
    shrinks = len(matrix) > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(color.round().astype(np.uint8), (side, side), interpolation=interpolation)

"""The loss of Barlow Twins, exact with any number of processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision
from .functional import off_diagonal_square, standardize, whole_batch


@MODELS.register_module()
class CrossCorrelationLoss(nn.Module):
    r"""Pushes the cross-correlation of two embeddings toward the identity.

    Equations (1) and (2) of Barlow Twins ("Self-Supervised Learning via Redundancy
    Reduction"):

    .. math::
        L = \sum_d (1 - C_{dd})^2 + \lambda \sum_{d \ne e} C_{de}^2, \quad
        C = \frac{1}{N} \hat z^\top \hat z'

    In one process it is the loss of mmselfsup's ``LatentCrossCorrelationHead``. With several,
    that one normalizes each process' images by their own statistics, and its gradients are too
    small by the number of processes: it sums C in place behind autograd's back. Here batch,
    statistics and gradients are those of one process with all images.

    Args:
        lambd (float): lambda. Defaults to 0.0051.
        eps (float): what is added to variances. Defaults to 1e-5.

    Raises:
        ValueError: ``lambd`` is negative, or ``eps`` not positive.
    """

    def __init__(self, lambd: float = 0.0051, eps: float = 1e-5) -> None:
        super().__init__()
        if lambd < 0 or eps <= 0:
            raise ValueError(
                f'head.lambd = {lambd} must not be negative, head.eps = {eps} must be positive'
            )
        self.lambd, self.eps = lambd, eps

    @full_precision
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the loss, in full precision under autocast.

        Args:
            first (Tensor): z, (N, D).
            second (Tensor): z', (N, D).

        Returns:
            Tensor: scalar.

        Raises:
            ValueError: Shapes differ, or the whole batch is a single image.
        """
        pair = whole_batch(first, second, 'CrossCorrelationLoss')
        first, second = standardize(torch.stack(pair), self.eps).unbind()
        count = len(first)
        diagonal = (first * second).sum(0) / count
        off_diagonal = off_diagonal_square(first, second) / count**2
        return (1 - diagonal).square().sum() + self.lambd * off_diagonal

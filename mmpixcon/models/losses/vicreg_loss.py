"""The loss of VICReg."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision
from .functional import off_diagonal_square, whole_batch


@MODELS.register_module()
class VICRegLoss(nn.Module):
    r"""Variance, invariance and covariance of two embeddings.

    Equations (1) to (6) of VICReg ("Variance-Invariance-Covariance Regularization
    for Self-Supervised Learning"), scaled as its authors' code does, for which
    the coefficients (25, 25, 1) are meant:

    .. math::
        s = \frac{1}{N D} \sum_{n,d} (z_{nd} - z'_{nd})^2, \quad
        v = \frac{1}{2} \sum_{z, z'} \frac{1}{D} \sum_d
            \max(0, 1 - \sqrt{\mathrm{Var}(z_d) + \epsilon}), \quad
        c = \sum_{z, z'} \frac{1}{D} \sum_{d \ne e} \mathrm{Cov}(z_d, z_e)^2

    The paper's s lacks 1 / D, and its v the half. Variances and covariances are
    unbiased and taken over the batch of all processes, with exact gradients.

    Args:
        invariance (float): Coefficient of s. Defaults to 25.
        variance (float): Coefficient of v. Defaults to 25.
        covariance (float): Coefficient of c. Defaults to 1.
        eps (float): epsilon. Defaults to 1e-4.

    Raises:
        ValueError: A coefficient is negative, or eps not positive.
    """

    def __init__(
        self,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        eps: float = 1e-4,
    ) -> None:
        super().__init__()
        if min(invariance, variance, covariance) < 0 or eps <= 0:
            raise ValueError(
                f'VICRegLoss: invariance = {invariance}, variance = {variance} and covariance = '
                f'{covariance} must not be negative, eps = {eps} must be positive'
            )
        self.invariance, self.variance, self.covariance = invariance, variance, covariance
        self.eps = eps

    @full_precision
    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """Compute the terms, in full precision under autocast.

        Args:
            first (Tensor): z, (N, D).
            second (Tensor): z', (N, D).

        Returns:
            dict[str, Tensor]: ``loss_invariance``, ``loss_variance`` and
            ``loss_covariance``, weighted.

        Raises:
            ValueError: Shapes differ, or the whole batch is a single image.
        """
        pair = whole_batch(first, second, 'VICRegLoss')
        invariance = F.mse_loss(*pair)
        count, dimensions = pair[0].shape
        z = torch.stack(pair)
        centred = z - z.mean(1, keepdim=True)
        deviation = (centred.square().sum(1) / (count - 1) + self.eps).sqrt()
        variance = F.relu(1 - deviation).mean()
        covariance = off_diagonal_square(centred) / ((count - 1) ** 2 * dimensions)
        return dict(
            loss_invariance=self.invariance * invariance,
            loss_variance=self.variance * variance,
            loss_covariance=self.covariance * covariance,
        )

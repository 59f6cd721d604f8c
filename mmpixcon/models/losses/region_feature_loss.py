"""Distance of predicted and true features of regions, whatever their length."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision


@MODELS.register_module()
class RegionFeatureLoss(nn.Module):
    r"""Reconstruction of region features: D of equation (12) of Siamese DETR.

    D is, as in equation (4) of UP-DETR, the squared distance of unit vectors, 0 to 4:

    .. math::
        D(\hat p, p) = \left\| \frac{\hat p}{\|\hat p\|} - \frac{p}{\|p\|} \right\|^2

    Args:
        loss_weight (float): Defaults to 1.0.

    Raises:
        ValueError: The weight is negative.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        if loss_weight < 0:
            raise ValueError(f'region_weight = {loss_weight} must not be negative')
        self.loss_weight = loss_weight

    @full_precision
    def forward(self, predicted: Tensor, target: Tensor, avg_factor: float | Tensor) -> Tensor:
        """Weighted sum over regions, divided; in full precision under autocast.

        Args:
            predicted (Tensor): (..., k, C); k may be 0.
            target (Tensor): (..., k, C); gets no gradient.
            avg_factor (float | Tensor): What the sum is divided by, the number of regions.

        Returns:
            Tensor: (...), of decoder layers, say; else a scalar.
        """
        difference = F.normalize(predicted, dim=-1) - F.normalize(target.detach(), dim=-1)
        return self.loss_weight * difference.square().sum((-2, -1)) / avg_factor

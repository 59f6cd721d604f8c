"""The two losses of PixCon on one level."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..geometry.pixel_pairs import PixelPairs
from .functional import pair_batch


class PixelContrastLoss(nn.Module):
    """L_NCE and L_Cos of a level, as far as they are used.

    Args:
        nce (dict, optional): L_NCE. Defaults to ``dict(type='mmpixcon.PixelNCELoss')``.
        cos (dict, optional): L_Cos. Defaults to ``dict(type='mmpixcon.PixelCosineLoss')``.
    """

    def __init__(self, nce: dict | None = None, cos: dict | None = None) -> None:
        super().__init__()
        self.nce = MODELS.build(nce or dict(type='mmpixcon.PixelNCELoss'))
        self.cos = MODELS.build(cos or dict(type='mmpixcon.PixelCosineLoss'))

    def forward(
        self,
        query: Tensor,
        gamma: Tensor | None,
        key: Tensor,
        pairs: Sequence[PixelPairs],
        alpha: float,
        beta: float,
        level: int,
    ) -> dict[str, Tensor]:
        """Compute the losses of a level, weighted.

        Args:
            query (Tensor): Gamma, (N, C, h, w).
            gamma (Tensor, optional): what L_Cos pulls, (N, C, h, w); without it there is no
                L_Cos.
            key (Tensor): Psi, (N, C, h', w'); no gradient.
            pairs (Sequence[PixelPairs]): geometry of the N images.
            alpha (float): weight of L_NCE, which is left out at 0.
            beta (float): weight of L_Cos.
            level (int): index of the level, for forward hooks.

        Returns:
            dict[str, Tensor]: ``loss_pixel_nce`` and ``loss_pixel_cos``.
        """
        batch = pair_batch(query, key, pairs)
        losses = {}
        if alpha > 0:
            losses['loss_pixel_nce'] = alpha * self.nce(query, key, batch)
        if gamma is not None:
            losses['loss_pixel_cos'] = beta * self.cos(gamma, key, batch)
        return losses

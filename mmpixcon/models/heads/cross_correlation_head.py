"""The head of Barlow Twins."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from mmpixcon.registry import MODELS

from ..losses import CrossCorrelationLoss


@MODELS.register_module()
class CrossCorrelationHead(BaseModule):
    """:class:`CrossCorrelationLoss` in the place of mmselfsup's ``LatentCrossCorrelationHead``.

    Args:
        lambd (float): weight of what is off the diagonal. Defaults to 0.0051.
        eps (float): what is added to variances. Defaults to 1e-5.
    """

    def __init__(self, lambd: float = 0.0051, eps: float = 1e-5) -> None:
        super().__init__()
        self.loss = CrossCorrelationLoss(lambd, eps)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the loss of two embeddings, (N, D) each."""
        return self.loss(first, second)

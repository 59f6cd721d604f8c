"""VICReg: two branches with the same weights, nothing but statistics against collapse."""

from __future__ import annotations

import torch.nn.functional as F
from mmselfsup.models.algorithms.base import BaseModel
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor

from mmpixcon.registry import MODELS

from ..losses.functional import spread


@MODELS.register_module()
class VICReg(BaseModel):
    """VICReg, "Variance-Invariance-Covariance Regularization for Self-Supervised Learning".

    Args:
        backbone (dict): Any mmselfsup, mmcls or mmdet backbone; its last map goes
            to the neck.
        neck (dict): The expander, as mmselfsup's ``NonLinearNeck``.
        loss (dict, optional): Defaults to ``dict(type='mmpixcon.VICRegLoss')``.
        data_preprocessor (dict, optional): Defaults to mmselfsup's.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        loss: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, neck=neck, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.head = MODELS.build(loss or dict(type='mmpixcon.VICRegLoss'))

    def extract_feat(self, inputs: list[Tensor], **kwargs: object) -> tuple[Tensor, ...]:
        """The backbone's maps of the first view, (N, C, h, w) each."""
        return self.backbone(inputs[0])

    def queries(self, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Embeddings of both views, (N, D) each."""
        return tuple(self.neck(self.backbone(view))[0] for view in inputs[:2])

    def loss(
        self, inputs: list[Tensor], data_samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """The three terms.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list): Not used.

        Returns:
            dict: ``loss_invariance``, ``loss_variance``, ``loss_covariance``, and
            ``feature_std``: the embeddings' deviation, 1 if they point
            everywhere, 0 if they collapsed.
        """
        first, second = self.queries(inputs)
        losses = self.head(first, second)
        losses['feature_std'] = spread(F.normalize(first.detach().float(), dim=1))
        return losses

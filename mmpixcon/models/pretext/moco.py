"""MoCo v2 on the shared parts: the base of point-level contrast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..contrast import MemoryBank
from ..losses.functional import spread
from .momentum_contrast import MomentumContrast, Vectors

IMAGE = 'image'


@MODELS.register_module()
class MoCo(MomentumContrast):
    """Momentum contrast (MoCo, algorithm 1; MoCo v2's neck and augmentation).

    Loss, gradients and queue are those of :class:`mmselfsup.models.MoCo`, with a bank that takes
    any batch size and is not cloned.

    Args:
        backbone (dict): any mmselfsup, mmcls or mmdet backbone; its last map
            goes to the neck.
        neck (dict): neck with ``out_channels``, as mmselfsup's ``MoCoV2Neck``.
        loss (dict, optional): loss. Defaults to ``dict(type='mmpixcon.InfoNCELoss')``.
        queue_len (int): number of keys in the memory bank. Defaults to 65536.
        momentum (float): share of the key encoder that a step keeps. Defaults
            to 0.999.
        data_preprocessor (dict, optional): preprocessor. Defaults to mmselfsup's.
        init_cfg (dict, optional): initialization. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        loss: dict | None = None,
        queue_len: int = 65536,
        momentum: float = 0.999,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, neck=neck, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.add_contrast(momentum, {IMAGE: MemoryBank(queue_len, neck['out_channels'])})
        self.loss_contrast = MODELS.build(loss or dict(type='mmpixcon.InfoNCELoss'))

    def earlier_prefixes(self) -> dict[str, str]:
        """Give prefixes of state dicts of earlier versions, with those of today."""
        return {'bank.': f'banks.{IMAGE}.'}

    @property
    def online_encoder(self) -> dict[str, nn.Module]:
        """dict[str, nn.Module]: backbone and neck."""
        return dict(backbone=self.backbone, neck=self.neck)

    def encode_queries(self, inputs: list[Tensor]) -> Vectors:
        """Encode the first view: unit vectors, (N, C)."""
        return {IMAGE: F.normalize(self.neck(self.backbone(inputs[0]))[0], dim=1)}

    @torch.no_grad()
    def encode_keys(self, *views: Tensor) -> Vectors:
        """Encode the second view by the momentum encoder: unit vectors, (N, C)."""
        return {IMAGE: F.normalize(self.momentum_encoder(views[0])[0], dim=1)}

    def contrast(
        self,
        queries: Vectors,
        keys: Vectors,
        inputs: list[Tensor],
        data_samples: list[SelfSupDataSample],
    ) -> dict[str, Tensor]:
        """Contrast the first view's queries with the second view's keys.

        Args:
            queries (dict[str, Tensor]): queries, (N, C).
            keys (dict[str, Tensor]): keys, (N, C).
            inputs (list[Tensor]): not used.
            data_samples (list[SelfSupDataSample]): not used.

        Returns:
            dict[str, Tensor]: ``loss``, and ``feature_std``: the queries' deviation, 1 if
            they point everywhere, 0 if they collapsed.
        """
        query = queries[IMAGE]
        loss = self.loss_contrast(query, keys[IMAGE], self.banks[IMAGE].keys)
        return dict(loss=loss, feature_std=spread(query))

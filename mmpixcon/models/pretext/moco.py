"""MoCo v2 on the shared parts: the base of DetCo and of point-level contrast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmselfsup.models.algorithms.base import BaseModel
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor

from mmpixcon.registry import MODELS

from ..contrast import MemoryBank, MomentumEncoder, ShuffledKeys
from ..losses.functional import spread


@MODELS.register_module()
class MoCo(BaseModel):
    """Momentum contrast (MoCo, algorithm 1; MoCo v2's neck and augmentation).

    As :class:`mmselfsup.models.MoCo`, loss, gradients and queue alike, with a
    bank that takes any batch size and is not cloned.

    Args:
        backbone (dict): Any mmselfsup, mmcls or mmdet backbone; its last map
            goes to the neck.
        neck (dict): With ``out_channels``, as mmselfsup's ``MoCoV2Neck``.
        loss (dict): Defaults to ``dict(type='mmpixcon.InfoNCELoss')``.
        queue_len (int): Keys of the memory bank. Defaults to 65536.
        momentum (float): Share of the key encoder that a step keeps. Defaults
            to 0.999.
        data_preprocessor (dict, optional): Defaults to mmselfsup's.
        init_cfg (dict, optional): Initialisation. Defaults to None.
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
        self.bank = MemoryBank(queue_len, neck['out_channels'])
        self.momentum_encoder = MomentumEncoder(momentum, **self.online_encoder)
        self.loss_contrast = MODELS.build(loss or dict(type='mmpixcon.InfoNCELoss'))

    @property
    def online_encoder(self) -> dict[str, torch.nn.Module]:
        """What the momentum encoder follows."""
        return dict(backbone=self.backbone, neck=self.neck)

    def init_weights(self) -> None:
        """Initialise, then copy into the momentum encoder."""
        super().init_weights()
        self.momentum_encoder.synchronize(**self.online_encoder)

    def extract_feat(self, inputs: list[Tensor], **kwargs: object) -> tuple[Tensor, ...]:
        """The backbone's maps of the first view, (N, C, h, w) each."""
        return self.backbone(inputs[0])

    def queries(self, inputs: list[Tensor]) -> Tensor:
        """Unit vectors of the first view, (N, C)."""
        return F.normalize(self.neck(self.backbone(inputs[0]))[0], dim=1)

    @torch.no_grad()
    def keys(self, *views: Tensor) -> Tensor:
        """Unit vectors of the second view, (N, C), by the momentum encoder."""
        return F.normalize(self.momentum_encoder(views[0])[0], dim=1)

    def loss(
        self, inputs: list[Tensor], data_samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """Contrast the first view's queries with the second view's keys.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list): Not used.

        Returns:
            dict: ``loss``, and ``feature_std``: the queries' deviation, 1 if
            they point everywhere, 0 if they collapsed.
        """
        query = self.queries(inputs)
        self.momentum_encoder.update(**self.online_encoder)
        shuffled = ShuffledKeys(inputs[1])
        key, everyones = shuffled.restore(self.keys(*shuffled.batches))
        loss = self.contrast_images(query, key, everyones)
        return dict(loss=loss, feature_std=spread(query))

    def contrast_images(self, query: Tensor, key: Tensor, everyones: Tensor) -> Tensor:
        """The loss; then the keys go into the bank.

        Args:
            query (Tensor): Unit vectors, (N, C).
            key (Tensor): Of the same images, (N, C).
            everyones (Tensor): Keys of the images of all processes.

        Returns:
            Tensor: Scalar.
        """
        loss = self.loss_contrast(query, key, self.bank.keys)
        self.bank.enqueue(everyones)
        return loss

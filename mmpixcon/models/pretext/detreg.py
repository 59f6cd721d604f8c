"""DETReg: the transformer finds proposals and tells their features."""

from __future__ import annotations

from mmdet.models.layers import MLP
from mmdet.structures import SampleList
from torch import Tensor

from mmpixcon.registry import MODELS

from ..heads.batched_matching import Matching
from ..heads.region_query_head import matched_states
from .region_pretext import RegionPretext


@MODELS.register_module()
class DETReg(RegionPretext):
    """DETReg (arXiv:2106.04550) over a stock detection transformer.

    Object proposals are the targets of the stock detector, whose losses are used as
    they are, with one class; denoising too, where it has it. A perceptron on the
    queries of the last decoder layer learns the frozen backbone's feature of the
    proposal that each is matched to, by the mean absolute difference.

    Args:
        detector (dict): config of the stock detector, as in :class:`RegionPretext`.
        embedding_level (int): index of the backbone's map that features are averaged
            from. Defaults to 0, as the released code does: layer 2 of a multi-scale
            detector.
        loss_embedding (dict, optional): Defaults to ``dict(type='mmdet.L1Loss')``.
        frozen_backbone (bool): Defaults to True.
        no_object_weight (float, optional): Defaults to None, the stock class loss.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: There is no such level; see also :class:`RegionPretext`.
    """

    own_prefix = 'detreg.'
    multi_branch = False

    def __init__(
        self,
        detector: dict,
        embedding_level: int = 0,
        loss_embedding: dict | None = None,
        frozen_backbone: bool = True,
        no_object_weight: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, frozen_backbone, no_object_weight, init_cfg)
        levels = len(self.map_channels)
        if not -levels <= embedding_level < levels:
            raise ValueError(
                f'model.embedding_level = {embedding_level}: the backbone gives {levels} maps, 0 '
                f'to {levels - 1}; see model.detector.backbone.out_indices'
            )
        self.embedding_level = embedding_level
        self.loss_embedding = MODELS.build(loss_embedding or dict(type='mmdet.L1Loss'))
        width = self.embed_dims
        self.embedding = MLP(width, width, self.map_channels[embedding_level], 3)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Find the proposals, and tell their features.

        Args:
            batch_inputs (Tensor): Images (N, 3, H, W).
            batch_data_samples (list): N samples with proposals as ``gt_instances`` and
                their ``crops``.

        Returns:
            dict: The detector's losses, and ``loss_embedding``; 0 in the graph where no
            image has a proposal.

        Raises:
            ValueError: An image has no crops.
        """
        features = self.crop_features(batch_data_samples, self.embedding_level)
        head_inputs, _ = self.decode(self.backbone_maps(batch_inputs), batch_data_samples)
        losses, states, matching = self.detection_losses(head_inputs, batch_data_samples)
        last = Matching(*(indices[-1:] for indices in matching))
        predicted = self.embedding(matched_states(states, last))
        if len(predicted):
            matched = features.index_select(0, last.target[0])
            losses['loss_embedding'] = self.loss_embedding(predicted, matched.detach())
        else:
            losses['loss_embedding'] = sum(p.sum() for p in self.embedding.parameters()) * 0.0
        return losses

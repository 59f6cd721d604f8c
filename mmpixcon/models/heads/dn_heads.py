"""Heads of DN-DETR and DN-Deformable-DETR: stock heads and the denoising losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdet.models.dense_heads import DABDETRHead, DeformableDETRHead
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor

from mmpixcon.registry import MODELS

from ..layers import DenoisingTargets
from .batched_matching import (
    EPS,
    BatchedMatching,
    at_least_one,
    losses_by_layer,
    mean_over_processes,
    sum_of_layers,
)


class DenoisingLossMixin:
    """Adds the losses of denoising queries to a DETR head."""

    # The head's, which comes after this class among the bases.
    __call__: Callable[..., Any]
    loss_by_feat: Callable[..., dict[str, Tensor]]
    loss_cls: Any
    loss_bbox: Any
    loss_iou: Any

    def loss(
        self,
        *,
        batch_data_samples: SampleList,
        dn_targets: DenoisingTargets,
        hidden_states: Tensor,
        references: Tensor | list[Tensor],
        **enc_outputs: None,
    ) -> dict[str, Tensor]:
        """The stock head's losses of matching queries, and those of denoising ones.

        Args:
            batch_data_samples (list): N samples with ground truth.
            dn_targets (DenoisingTargets): targets of the first D queries.
            hidden_states (Tensor): (layers, N, D + M, C).
            references (Tensor | list[Tensor]): reference points of the decoder.
            **enc_outputs: Nothing, in the places where Deformable DETR has its
                encoder's proposals.

        Returns:
            dict: Stock losses and, of the last layer, ``dn_loss_cls``,
            ``dn_loss_bbox``, ``dn_loss_iou``, of the others the same under
            ``d0.``, ``d1.`` and so on.
        """
        scores, boxes = self(hidden_states, references)
        D = dn_targets.num_queries
        losses = self.loss_by_feat(
            scores[:, :, D:],
            boxes[:, :, D:],
            *enc_outputs.values(),
            [sample.gt_instances for sample in batch_data_samples],
            [sample.metainfo for sample in batch_data_samples],
        )
        dn_losses = self.loss_dn(scores[:, :, :D], boxes[:, :, :D], dn_targets)
        return losses | losses_by_layer(dn_losses, 'dn_')

    def loss_dn(
        self, scores: Tensor, boxes: Tensor, targets: DenoisingTargets
    ) -> dict[str, Tensor]:
        """Denoising losses of all layers: no matching, every query knows its box.

        The same losses and weights as for matching queries, divided by boxes x
        groups (their mean over processes, as mmdet divides matching losses).

        Args:
            scores (Tensor): Class logits, (L, N, D, classes).
            boxes (Tensor): (L, N, D, 4), cx cy w h in 0..1.
            targets (DenoisingTargets): What they should be.

        Returns:
            dict: ``loss_cls``, ``loss_bbox`` and ``loss_iou`` of each layer, (L, ).
        """
        layers = len(scores)
        place = targets.image * targets.num_queries + targets.slot
        # The gradient of this is one operation, that of an index many.
        scores = scores.flatten(1, 2).index_select(1, place).flatten(0, 1)
        boxes = boxes.flatten(1, 2).index_select(1, place).flatten(0, 1)
        count = mean_over_processes(len(place), boxes.device)
        if len(place) == 0:
            # A zero in the graph; some of mmdet's losses would be a NaN.
            zero = (scores.sum() + boxes.sum()).expand(layers)
            return dict(loss_cls=zero, loss_bbox=zero, loss_iou=zero)
        sizes, true_boxes = (part.repeat(layers, 1) for part in (targets.sizes, targets.boxes))
        losses = dict(
            loss_cls=self.loss_cls(
                scores, targets.labels.repeat(layers), reduction_override='none'
            ),
            loss_bbox=self.loss_bbox(boxes, true_boxes, reduction_override='none'),
            # In pixels, as mmdet: the losses' epsilons are meant for them.
            loss_iou=self.loss_iou(
                bbox_cxcywh_to_xyxy(boxes) * sizes,
                bbox_cxcywh_to_xyxy(true_boxes) * sizes,
                reduction_override='none',
            ),
        )
        divisor = at_least_one(count) + EPS
        return {
            name: sum_of_layers(loss, layers, targets.boxes) / divisor
            for name, loss in losses.items()
        }


@MODELS.register_module()
class DNDETRHead(DenoisingLossMixin, DABDETRHead, BatchedMatching):
    """DAB-DETR's head with denoising losses; see :class:`DNDETR`."""


@MODELS.register_module()
class DNDeformableDETRHead(DenoisingLossMixin, DeformableDETRHead, BatchedMatching):
    """Deformable DETR's head with denoising losses; see :class:`DNDeformableDETR`."""

    def init_weights(self) -> None:
        """Initialize as stock, but the first layer changes boxes, not points: none shrink."""
        super().init_weights()
        for branch in self.reg_branches:
            branch[-1].bias.data[2:].zero_()

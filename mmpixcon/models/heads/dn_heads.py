"""Heads of DN-DETR and DN-Deformable-DETR: stock heads and the denoising losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdet.models.dense_heads import DABDETRHead, DeformableDETRHead
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmdet.utils import reduce_mean
from torch import Tensor

from mmpixcon.registry import MODELS

from ..layers import DenoisingTargets


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
            dn_targets (DenoisingTargets): Of the first D queries.
            hidden_states (Tensor): (layers, N, D + M, C).
            references (Tensor | list[Tensor]): Of the decoder.
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
        last = len(scores) - 1
        for layer, (layer_scores, layer_boxes) in enumerate(zip(scores, boxes)):
            prefix = '' if layer == last else f'd{layer}.'
            layer_losses = self.loss_dn(layer_scores[:, :D], layer_boxes[:, :D], dn_targets)
            losses.update({f'{prefix}dn_{name}': value for name, value in layer_losses.items()})
        return losses

    def loss_dn(
        self, scores: Tensor, boxes: Tensor, targets: DenoisingTargets
    ) -> dict[str, Tensor]:
        """Denoising losses of one layer: no matching, every query knows its box.

        The same losses and weights as for matching queries, divided by boxes x
        groups (their mean over processes, as mmdet divides matching losses).

        Args:
            scores (Tensor): Class logits, (N, D, classes).
            boxes (Tensor): (N, D, 4), cx cy w h in 0..1.
            targets (DenoisingTargets): What they should be.

        Returns:
            dict: ``loss_cls``, ``loss_bbox`` and ``loss_iou``.
        """
        scores = scores[targets.image, targets.slot]
        boxes = boxes[targets.image, targets.slot]
        count = reduce_mean(boxes.new_tensor([float(len(boxes))])).clamp(min=1).item()
        if len(boxes) == 0:
            # Some of mmdet's losses reduce nothing to NaN.
            zero = scores.sum() + boxes.sum()
            return dict(loss_cls=zero, loss_bbox=zero, loss_iou=zero)
        weight = boxes.new_ones(boxes.shape)
        return dict(
            loss_cls=self.loss_cls(scores, targets.labels, weight[:, 0], avg_factor=count),
            loss_bbox=self.loss_bbox(boxes, targets.boxes, weight, avg_factor=count),
            # In pixels, as mmdet: the losses' epsilons are meant for them.
            loss_iou=self.loss_iou(
                bbox_cxcywh_to_xyxy(boxes) * targets.sizes,
                bbox_cxcywh_to_xyxy(targets.boxes) * targets.sizes,
                weight,
                avg_factor=count,
            ),
        )


@MODELS.register_module()
class DNDETRHead(DenoisingLossMixin, DABDETRHead):
    """DAB-DETR's head with denoising losses; see :class:`DNDETR`."""


@MODELS.register_module()
class DNDeformableDETRHead(DenoisingLossMixin, DeformableDETRHead):
    """Deformable DETR's head with denoising losses; see :class:`DNDeformableDETR`."""

    def init_weights(self) -> None:
        """As stock, but the first layer changes boxes, not points: no shrinking at the start."""
        super().init_weights()
        for branch in self.reg_branches:
            branch[-1].bias.data[2:].zero_()

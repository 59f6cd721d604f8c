"""mmdet's DETR heads with one matching and one loss for all layers and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import (
    ConditionalDETRHead,
    DABDETRHead,
    DeformableDETRHead,
    DETRHead,
    DINOHead,
)
from mmdet.models.losses import QualityFocalLoss
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.structures import InstanceData
from torch import Tensor

from mmpixcon.registry import MODELS

from .batched_matching import (
    EPS,
    BatchedMatching,
    at_least_one,
    mean_over_processes,
    sum_of_layers,
)


@MODELS.register_module()
class BatchedDETRHead(BatchedMatching):
    """:class:`mmdet.DETRHead` with :class:`BatchedMatching`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # mmdet reads the weight of no object in this very class only.
        self.__dict__.update(DETRHead(*args, **kwargs).__dict__)


@MODELS.register_module()
class BatchedConditionalDETRHead(ConditionalDETRHead, BatchedMatching):
    """:class:`mmdet.ConditionalDETRHead` with :class:`BatchedMatching`."""


@MODELS.register_module()
class BatchedDABDETRHead(DABDETRHead, BatchedMatching):
    """:class:`mmdet.DABDETRHead` with :class:`BatchedMatching`."""


@MODELS.register_module()
class BatchedDeformableDETRHead(DeformableDETRHead, BatchedMatching):
    """:class:`mmdet.DeformableDETRHead` with :class:`BatchedMatching`."""


@MODELS.register_module()
class BatchedDINOHead(DINOHead, BatchedMatching):
    """:class:`mmdet.DINOHead` with :class:`BatchedMatching`, denoising included."""

    def loss_dn(
        self,
        all_layers_denoising_cls_scores: Tensor,
        all_layers_denoising_bbox_preds: Tensor,
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict],
        dn_meta: dict[str, int],
    ) -> tuple[list[Tensor], ...]:
        """Denoising losses, whose targets are the same for all layers.

        Args:
            all_layers_denoising_cls_scores (Tensor): logits, (L, N, D, classes).
            all_layers_denoising_bbox_preds (Tensor): (L, N, D, 4), cx, cy, w, h in 0..1.
            batch_gt_instances (Sequence[InstanceData]): boxes and labels of each image.
            batch_img_metas (Sequence[dict]): ``img_shape`` of each image.
            dn_meta (dict[str, int]): what mmdet's generator of denoising queries says.

        Returns:
            tuple[list[Tensor], ...]: class, box and IoU losses of each layer.
        """
        scores, boxes = all_layers_denoising_cls_scores, all_layers_denoising_bbox_preds
        if not scores.numel() or isinstance(self.loss_cls, QualityFocalLoss):
            return super().loss_dn(scores, boxes, batch_gt_instances, batch_img_metas, dn_meta)
        labels, _, targets, weights, positives, negatives = self.get_dn_targets(
            batch_gt_instances, batch_img_metas, dn_meta
        )
        layers, _, queries = scores.shape[:3]
        logits = scores.reshape(-1, scores.shape[3])
        loss_cls = self.loss_cls(
            logits, torch.cat(labels).repeat(layers), reduction_override='none'
        )
        divisor: Any = positives + negatives * self.bg_cls_weight
        if self.sync_cls_avg_factor:
            divisor = mean_over_processes(divisor, scores.device)
        sums = sum_of_layers(loss_cls, layers, batch_gt_instances[0].bboxes)
        loss_cls = sums / (at_least_one(divisor) + EPS)

        sizes = boxes.new_tensor(
            [[w, h, w, h] for h, w in (meta['img_shape'][:2] for meta in batch_img_metas)]
        )
        factors = sizes.repeat_interleave(queries, 0, output_size=len(sizes) * queries)
        factors = factors.repeat(layers, 1)
        target, weight = torch.cat(targets).repeat(layers, 1), torch.cat(weights)
        flat = boxes.reshape(-1, 4)
        loss_iou = self.loss_iou(
            bbox_cxcywh_to_xyxy(flat) * factors,
            bbox_cxcywh_to_xyxy(target) * factors,
            reduction_override='none',
        )
        loss_bbox = self.loss_bbox(flat, target, reduction_override='none')
        divisor = at_least_one(mean_over_processes(positives, boxes.device)) + EPS
        loss_iou = (loss_iou.view(layers, -1) * weight.mean(1)).sum(1) / divisor
        loss_bbox = (loss_bbox.view(layers, -1, 4) * weight).sum((1, 2)) / divisor
        return tuple(list(loss.unbind()) for loss in (loss_cls, loss_bbox, loss_iou))


_HEADS: dict[Any, Any] = {
    DETRHead: BatchedDETRHead,
    ConditionalDETRHead: BatchedConditionalDETRHead,
    DABDETRHead: BatchedDABDETRHead,
    DeformableDETRHead: BatchedDeformableDETRHead,
    DINOHead: BatchedDINOHead,
}


def batch_matching(head: DETRHead) -> BatchedMatching:
    """Let a head match and compute losses in one piece from now on.

    Args:
        head (DETRHead): mmdet's, or one that adds to it; it stays the same module with the same
            parameters.

    Returns:
        BatchedMatching: the head.

    Raises:
        ValueError: The head forms targets or losses of a layer in its own way, or the assigner
            does not match one query to one box.
    """
    if not isinstance(head, BatchedMatching):
        kind = type(head)
        own = ('get_targets', '_get_targets_single', 'loss_by_feat_single')
        if any(getattr(kind, name) is not getattr(DETRHead, name) for name in own):
            raise ValueError(
                f'{kind.__name__} has targets or losses of its own, which cannot be computed for '
                'all layers at once'
            )
        if kind not in _HEADS:
            _HEADS[kind] = type(f'Batched{kind.__name__}', (kind, BatchedMatching), {})
        head.__class__ = _HEADS[kind]
    if not head._can_batch:
        raise ValueError(
            f'train_cfg.assigner = {type(head.assigner).__name__}: queries are matched to boxes '
            "one to one; use dict(type='HungarianAssigner', ...)"
        )
    return head

"""Matching costs of all layers and images at once, equal to mmdet's of one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.models.task_modules.assigners import (
    BBoxL1Cost,
    ClassificationCost,
    FocalLossCost,
    IoUCost,
)
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps, bbox_xyxy_to_cxcywh
from mmengine.structures import InstanceData
from torch import Tensor

# Pairs of predictions and boxes whose costs are formed at a time: some 32 MB a temporary.
MAX_PAIRS = 1 << 22


class Truth(NamedTuple):
    """The boxes of a batch of N images, S in all.

    Attributes:
        boxes (Tensor): (S, 4), x1, y1, x2, y2 in pixels, image after image.
        labels (Tensor): (S, ).
        sizes (Tensor): (N, 4), width, height, width, height of the images in pixels.
        image (Tensor): (S, ), the image of a box.
        padded (Tensor): (N, K), indices of an image's boxes among the S, K those of the image
            with most; of any where it has fewer.
        counts (list[int]): boxes of each image.
    """

    boxes: Tensor
    labels: Tensor
    sizes: Tensor
    image: Tensor
    padded: Tensor
    counts: list[int]

    @classmethod
    def of_batch(cls, instances: Sequence[InstanceData], metas: Sequence[dict]) -> Truth:
        """Make it of what mmdet's heads take, without waiting for the device.

        Args:
            instances (Sequence[InstanceData]): ``bboxes`` and ``labels`` of each image.
            metas (Sequence[dict]): ``img_shape`` of each image.

        Returns:
            Truth: on the device of the boxes.
        """
        boxes = torch.cat([instance.bboxes for instance in instances])
        counts = [len(instance) for instance in instances]
        first = np.cumsum([0, *counts[:-1]])
        padded = first[:, None] + np.arange(max(counts))
        index = np.concatenate(
            [np.repeat(np.arange(len(counts)), counts), padded.clip(max=len(boxes) - 1).ravel()]
        )
        indices = torch.from_numpy(index).to(boxes.device, non_blocking=True)
        image, places = indices.split([len(boxes), padded.size])
        shapes = [meta['img_shape'][:2] for meta in metas]
        sizes = torch.tensor([[w, h, w, h] for h, w in shapes], dtype=boxes.dtype)
        labels = torch.cat([instance.labels for instance in instances])
        sizes = sizes.to(boxes.device, non_blocking=True)
        return cls(boxes, labels, sizes, image, places.view(padded.shape), counts)


class _Pairs(NamedTuple):
    """Predictions and boxes of B rows, each an image in a layer."""

    scores: Tensor  # (B, Q, classes), logits
    boxes: Tensor  # (B, Q, 4), x1, y1, x2, y2 in pixels
    true_labels: Tensor  # (B, K)
    true_boxes: Tensor  # (B, K, 4), in pixels
    sizes: Tensor  # (B, 1, 4)


def _of_labels(by_class: Tensor, pairs: _Pairs) -> Tensor:
    """Columns (B, Q, K) of the true labels, of values for each class."""
    queries = by_class.shape[1]
    return by_class.gather(2, pairs.true_labels[:, None].expand(-1, queries, -1))


def _classification(cost: ClassificationCost, pairs: _Pairs) -> Tensor:
    return -_of_labels(pairs.scores.softmax(-1), pairs) * cost.weight


def _focal(cost: FocalLossCost, pairs: _Pairs) -> Tensor:
    score = pairs.scores.sigmoid()
    negative = -(1 - score + cost.eps).log() * (1 - cost.alpha) * score.pow(cost.gamma)
    positive = -(score + cost.eps).log() * cost.alpha * (1 - score).pow(cost.gamma)
    return (_of_labels(positive, pairs) - _of_labels(negative, pairs)) * cost.weight


def _box_l1(cost: BBoxL1Cost, pairs: _Pairs) -> Tensor:
    boxes, true_boxes = pairs.boxes, pairs.true_boxes
    if cost.box_format == 'xywh':
        boxes, true_boxes = bbox_xyxy_to_cxcywh(boxes), bbox_xyxy_to_cxcywh(true_boxes)
    return torch.cdist(boxes / pairs.sizes, true_boxes / pairs.sizes, p=1) * cost.weight


def _iou(cost: IoUCost, pairs: _Pairs) -> Tensor:
    boxes = pairs.boxes
    # Where mmdet avoids an overflow.
    half = boxes.dtype == torch.float16
    overlaps = bbox_overlaps(boxes.float() if half else boxes, pairs.true_boxes, mode=cost.iou_mode)
    return -(overlaps.half() if half else overlaps) * cost.weight


_BATCHED: dict[type, Callable[[Any, _Pairs], Tensor]] = {
    ClassificationCost: _classification,
    FocalLossCost: _focal,
    BBoxL1Cost: _box_l1,
    IoUCost: _iou,
}


@torch.no_grad()
def batched_costs(
    match_costs: Sequence[Any],
    scores: Tensor,
    boxes: Tensor,
    truth: Truth,
    instances: Sequence[InstanceData],
    metas: Sequence[dict],
) -> Tensor:
    """Sum of the costs of matching, as :class:`mmdet.HungarianAssigner` forms it.

    Costs that mmdet has for boxes and classes are formed for all images of all layers at once,
    by the same operations; any other is called once an image, with the predictions of all
    layers.

    Args:
        match_costs (Sequence): costs of the assigner.
        scores (Tensor): logits, (L, N, Q, classes).
        boxes (Tensor): (L, N, Q, 4), cx, cy, w, h in 0..1.
        truth (Truth): S boxes in N images, at least one.
        instances (Sequence[InstanceData]): the same, image by image.
        metas (Sequence[dict]): meta data of the images.

    Returns:
        Tensor: (L, N, Q, K), of which the columns from an image's number of boxes on mean
        nothing.
    """
    scores, boxes = scores.detach(), boxes.detach()
    layers, images, queries = scores.shape[:3]
    boxes = bbox_cxcywh_to_xyxy(boxes) * truth.sizes.to(boxes.dtype)[:, None]
    most = truth.padded.shape[1]
    rows = max(1, MAX_PAIRS // (queries * most))
    true_boxes = truth.boxes[truth.padded].repeat(layers, 1, 1).split(rows)
    true_labels = truth.labels[truth.padded].repeat(layers, 1).split(rows)
    sizes = truth.sizes[:, None].repeat(layers, 1, 1).split(rows)
    predictions = scores.flatten(0, 1).split(rows), boxes.flatten(0, 1).split(rows)
    blocks = [_Pairs(*parts) for parts in zip(*predictions, true_labels, true_boxes, sizes)]
    costs = []
    for cost in match_costs:
        function = _BATCHED.get(type(cost))
        if function is None or getattr(cost, 'binary_input', False):
            costs.append(_image_by_image(cost, scores, boxes, most, instances, metas))
        else:
            parts = [function(cost, block) for block in blocks]
            costs.append(torch.cat(parts).view(layers, images, queries, most))
    return torch.stack(costs).sum(dim=0)


def _image_by_image(
    cost: Any,
    scores: Tensor,
    boxes: Tensor,
    most: int,
    instances: Sequence[InstanceData],
    metas: Sequence[dict],
) -> Tensor:
    """Any cost, (L, N, Q, K), by its own call for each image with boxes in pixels."""
    total = scores.new_zeros(*scores.shape[:3], most)
    for image, (instance, meta) in enumerate(zip(instances, metas)):
        predictions = InstanceData(
            scores=scores[:, image].flatten(0, 1), bboxes=boxes[:, image].flatten(0, 1)
        )
        if len(instance):
            value = cost(predictions, instance, meta)
            total[:, image, :, : len(instance)] = value.unflatten(0, (len(scores), -1))
    return total

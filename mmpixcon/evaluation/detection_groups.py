"""Detections sorted by what is right or wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

# Below this overlap with every annotation a detection stands by itself.
BACKGROUND_IOU = 0.1


@dataclass(frozen=True)
class DetectionGroups:
    """Flags of one image's detections and annotations.

    Attributes:
        right (Tensor): (n, ) bool, detections of the class and place of an
            annotation that no higher score had taken.
        unlabelled (Tensor): (n, ) bool, detections where nothing is annotated.
        wrong (Tensor): (n, ) bool, all others: another class, a wrong place, twice.
        missed (Tensor): (m, ) bool, annotations that nothing is right about.
    """

    right: Tensor
    unlabelled: Tensor
    wrong: Tensor
    missed: Tensor


def group_detections(
    boxes: Tensor,
    labels: Tensor,
    scores: Tensor,
    true_boxes: Tensor,
    true_labels: Tensor,
    iou: float = 0.5,
) -> DetectionGroups:
    """Sort the detections of an image, as in figure 1 of "Self-supervised learning for
    Object Detection".

    Args:
        boxes (Tensor): (n, 4), x1, y1, x2, y2 in pixels.
        labels (Tensor): (n, ).
        scores (Tensor): (n, ).
        true_boxes (Tensor): (m, 4).
        true_labels (Tensor): (m, ).
        iou (float): Overlap from which a place is right. Defaults to 0.5.

    Returns:
        DetectionGroups: Of the detections and annotations, in their order.

    Raises:
        ValueError: ``iou`` is not above 0.1 and at most 1.
    """
    if not BACKGROUND_IOU < iou <= 1:
        raise ValueError(f'iou = {iou} must be above {BACKGROUND_IOU} and at most 1')
    overlaps = bbox_overlaps(boxes.float(), true_boxes.float())
    fits = overlaps.masked_fill(labels[:, None] != true_labels, 0)
    right = torch.zeros(len(boxes), dtype=torch.bool)
    missed = torch.ones(len(true_boxes), dtype=torch.bool)
    if len(true_boxes):
        # As COCO matches: by score, each the best annotation that is left.
        for i in scores.argsort(descending=True, stable=True).tolist():
            best, j = fits[i].masked_fill(~missed, 0).max(0)
            if best >= iou:
                right[i], missed[j] = True, False
        unlabelled = overlaps.amax(1) < BACKGROUND_IOU
    else:
        unlabelled = torch.ones_like(right)
    return DetectionGroups(right, unlabelled, ~right & ~unlabelled, missed)

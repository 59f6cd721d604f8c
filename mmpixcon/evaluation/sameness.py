"""Detections that do not depend on the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou


def sameness(boxes: Sequence[Tensor], labels: Sequence[Tensor], count: int = 10) -> float:
    """Measure how far the best detections of an image are found in the next image as well.

    A detection transformer that collapsed gives each image the same boxes, in any order.

    Args:
        boxes (Sequence[Tensor]): (n, 4) of each image, the best detection first; x1, y1, x2, y2
            in shares of the width and the height.
        labels (Sequence[Tensor]): (n, ) of each image.
        count (int): detections of an image that are looked for. Defaults to 10.

    Returns:
        float: mean overlap (IoU) of the best detections of an image with those of the next one
        that fit them best, of the same class: 1 if all images have the same. NaN below two images.
    """
    overlaps = []
    for index in range(1, len(boxes)):
        first, second = index - 1, index
        overlap = box_iou(boxes[first][:count], boxes[second])
        overlap[labels[first][:count, None] != labels[second]] = 0
        overlaps.append(overlap.amax(1).mean())
    return torch.stack(overlaps).mean().item() if overlaps else float('nan')

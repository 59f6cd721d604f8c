"""Boxes and cross-attention of object queries on photos."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from mmpixcon.visualization.feature_maps import attention_map, overlay

# BGR; a query, or the object that queries are compared on, each.
COLORS = (
    (60, 60, 230),
    (60, 200, 60),
    (240, 140, 30),
    (30, 190, 250),
    (220, 70, 200),
    (220, 220, 0),
)
# Fractional bits of the places of circles.
SHIFT = 4


def draw_boxes(
    image: np.ndarray,
    boxes: Tensor | np.ndarray,
    names: Sequence[str],
    colors: Sequence[tuple[int, int, int]] = COLORS,
) -> np.ndarray:
    """Frame and name boxes, a color each.

    Args:
        image (np.ndarray): BGR, uint8, (H, W, 3).
        boxes (Tensor | np.ndarray): (n, 4), x1, y1, x2, y2 in pixels.
        names (Sequence[str]): n; an empty one is not written.
        colors (Sequence[tuple[int, int, int]]): BGR, taken in turn. Defaults to six.

    Returns:
        np.ndarray: A copy.
    """
    image = image.copy()
    width = max(min(image.shape[:2]) // 150, 1)
    scale = min(image.shape[:2]) / 400
    for i, (box, name) in enumerate(zip(np.asarray(boxes).round().astype(int).tolist(), names)):
        color = colors[i % len(colors)]
        cv2.rectangle(image, box[:2], box[2:], color, width)
        if not name:
            continue
        (w, h), below = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, width)
        # Inside of the picture, whatever the box.
        x = min(max(box[0], 0), max(image.shape[1] - w, 0))
        y = min(max(box[1], h + below), image.shape[0])
        cv2.rectangle(image, (x, y - h - below), (x + w, y), color, -1)
        place, white = (x, y - below // 2), (255, 255, 255)
        cv2.putText(image, name, place, cv2.FONT_HERSHEY_SIMPLEX, scale, white, width, cv2.LINE_AA)
    return image


def draw_weights(image: np.ndarray, weights: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Lay the weights of a query's cells over a photo, red where they are largest.

    Args:
        image (np.ndarray): BGR, uint8, (h, w, 3), without padding.
        weights (Tensor): (rows, columns), over the padded input.
        size (tuple[int, int]): (H, W) of that.

    Returns:
        np.ndarray: BGR, uint8, (h, w, 3).
    """
    height, width = image.shape[:2]
    return overlay(image, attention_map(weights[None], size)[:height, :width])


def draw_points(image: np.ndarray, points: Tensor) -> np.ndarray:
    """Draw the sampling points of a query: the larger and the redder, the more weight.

    Args:
        image (np.ndarray): BGR, uint8, (H, W, 3).
        points (Tensor): (P, 3), x and y in pixels, weight. The area of a point is in
            proportion to its weight, that of the largest is fixed.

    Returns:
        np.ndarray: A darkened copy.
    """
    image = (image * 0.6).astype(np.uint8)
    largest = max(min(image.shape[:2]) / 32, 2.5)
    rows = points[points[:, 2].argsort()].cpu().numpy()
    shares = rows[:, 2] / max(rows[:, 2].max(), 1e-12)
    colors = cv2.applyColorMap((shares * 255).round().astype(np.uint8)[:, None], cv2.COLORMAP_JET)
    for (x, y, _), share, color in zip(rows, shares, colors[:, 0].tolist()):
        # Far outside of the picture they are clipped: OpenCV counts in 32 bits.
        place = [int(np.clip(round(v * 2**SHIFT), -(2**24), 2**24)) for v in (x, y)]
        radius = round(largest * share**0.5 * 2**SHIFT)
        cv2.circle(image, place, radius, color, -1, cv2.LINE_AA, SHIFT)
    return image

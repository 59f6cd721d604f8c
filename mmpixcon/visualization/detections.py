"""Detections beside what is annotated."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

# Of the four groups, as the paper's figure has them.
QUADRANTS = (('right', 'unlabelled'), ('missed', 'wrong'))


def emphasize(image: np.ndarray, boxes: Tensor) -> np.ndarray:
    """Frame boxes in yellow on black, outside of their edges.

    Args:
        image (np.ndarray): RGB, uint8, (H, W, 3).
        boxes (Tensor): (n, 4), x1, y1, x2, y2 in pixels.

    Returns:
        np.ndarray: A copy.
    """
    image = image.copy()
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        for color, width in (((0, 0, 0), 5), ((255, 255, 0), 2)):
            cv2.rectangle(image, (x1 - 3, y1 - 3), (x2 + 3, y2 + 3), color, width)
    return image


def draw_quadrants(
    pairs: dict[str, Sequence[tuple[np.ndarray, np.ndarray]]], counts: dict[str, int]
) -> Figure:
    """Four groups of pairs of pictures, two by two.

    Args:
        pairs (dict[str, Sequence[tuple[np.ndarray, np.ndarray]]]): For each of
            'right', 'unlabelled', 'missed' and 'wrong', pictures of annotations and
            detections, RGB, uint8.
        counts (dict[str, int]): How many boxes each group has, for its title.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    rows = max(max(len(group) for group in pairs.values()), 1)
    figure = Figure(figsize=(13, 2 * (2.3 * rows + 0.4)), layout='constrained')
    FigureCanvasAgg(figure)
    for row, names in zip(np.asarray(figure.subfigures(2, 2)), QUADRANTS):
        for quadrant, name in zip(row, names):
            quadrant.suptitle(f'{name}: {counts[name]}')
            quadrant.set_linewidth(1)
            quadrant.set_edgecolor('gray')
            panels = quadrant.subplots(rows, 2, squeeze=False)
            for axes in panels.flat:
                axes.axis('off')
            for line, pair in zip(panels, pairs[name]):
                for axes, image, title in zip(line, pair, ('annotated', 'detected')):
                    axes.imshow(image)
                    axes.set_title(title, fontsize=8)
    return figure

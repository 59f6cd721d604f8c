"""Detections beside what is annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from mmengine.structures import InstanceData
from torch import Tensor

from mmpixcon.evaluation.detection_groups import group_detections

from .plain_text import plain_text

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
        counts (dict[str, int]): number of boxes of each group, for its title.

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


@dataclass(frozen=True)
class PhotoDetections:
    """Annotations and detections of a photo.

    Attributes:
        image (np.ndarray): RGB, uint8, (H, W, 3).
        annotated (InstanceData): ``bboxes`` (m, 4), x1, y1, x2, y2 in pixels, and ``labels``.
        found (dict[str, InstanceData]): ``bboxes``, ``labels`` and ``scores`` by detector.
    """

    image: np.ndarray
    annotated: InstanceData
    found: dict[str, InstanceData]


@plain_text
def draw_beside_annotations(
    photos: Sequence[PhotoDetections],
    classes: Sequence[str],
    threshold: float = 0.5,
    iou: float = 0.5,
) -> Figure:
    """Draw annotations and the detections of several detectors side by side.

    A detection is solid where its class and place are those of an annotation, dashed where they
    are not; titles count them.

    Args:
        photos (Sequence[PhotoDetections]): a row each, with the same detectors.
        classes (Sequence[str]): names of the classes.
        threshold (float): least score of what is drawn. Defaults to 0.5.
        iou (float): overlap with an annotation from which a place is right. Defaults to 0.5.

    Returns:
        Figure: to be saved with ``savefig``.
    """
    names = list(photos[0].found)
    height, width = photos[0].image.shape[:2]
    cell = 4.2
    size = (cell * (1 + len(names)), cell * len(photos) * height / width + 0.35 * len(photos) + 0.4)
    figure = Figure(figsize=size, layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(photos), 1 + len(names), squeeze=False)
    colors = [matplotlib.colormaps['Dark2'](number % 8) for number in range(len(classes))]
    for row, photo in zip(panels, photos, strict=True):
        objects = photo.annotated
        _draw_boxes(row[0], photo.image, objects, torch.ones(len(objects)).bool(), colors)
        row[0].set_title(f'annotated: {len(objects)}', fontsize=10)
        for axes, name in zip(row[1:], names, strict=True):
            found = photo.found[name]
            found = found[found.scores >= threshold]
            groups = group_detections(
                found.bboxes, found.labels, found.scores, objects.bboxes, objects.labels, iou
            )
            _draw_boxes(axes, photo.image, found, groups.right, colors)
            right = int(groups.right.sum())
            axes.set_title(
                f'{name}: {right} right, {len(found) - right} wrong, '
                f'{int(groups.missed.sum())} missed',
                fontsize=10,
            )
    handles = [Line2D([], [], color=color, lw=2) for color in colors]
    styles = [Line2D([], [], color='black', lw=2, ls=style) for style in ('-', '--')]
    figure.legend(
        handles + styles,
        [*classes, f'right: its class, and an IoU of at least {iou:g}', 'wrong'],
        loc='outside lower center',
        ncols=len(handles) + 2,
        frameon=False,
    )
    return figure


def _draw_boxes(
    axes: Axes,
    image: np.ndarray,
    objects: InstanceData,
    right: Tensor,
    colors: Sequence[tuple[float, float, float, float]],
) -> None:
    axes.imshow(image)
    axes.axis('off')
    for (x1, y1, x2, y2), label, is_right in zip(
        objects.bboxes.tolist(), objects.labels.tolist(), right.tolist(), strict=True
    ):
        axes.add_patch(
            Rectangle(
                (x1, y1),
                x2 - x1,
                y2 - y1,
                fill=False,
                color=colors[label],
                lw=1.8,
                ls='-' if is_right else '--',
            )
        )

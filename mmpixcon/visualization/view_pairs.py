"""Pictures of two views and of what corresponds in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Polygon, Rectangle

from mmpixcon.models.geometry import PixelPairs, transform_points

DETECTION_COLOR, MOMENTUM_COLOR = 'tab:orange', 'tab:cyan'
ANCHOR_COLORS = ('red', 'lime', 'yellow', 'magenta', 'deepskyblue', 'white', 'orange', 'violet')


def positives_of(pairs: PixelPairs) -> dict[int, list[int]]:
    """The positives of every anchor.

    Args:
        pairs (PixelPairs): Geometry of an image.

    Returns:
        dict[int, list[int]]: Cells of the key's map for each anchor, both
        counted row by row.
    """
    positives = {}
    width = pairs.key.map_shape[1]
    for block in pairs.blocks():
        for anchor, mask in zip(block.anchors.tolist(), block.positive.cpu()):
            rows, cols = mask.nonzero().unbind(1)
            cells = (rows + block.rows.start) * width + cols + block.cols.start
            if len(cells):
                positives[anchor] = cells.tolist()
    return positives


def view_panels(
    panels: Sequence[tuple[np.ndarray, str, str | None]],
) -> tuple[Figure, Sequence[Axes]]:
    """A figure with images side by side, in corner coordinates as the homographies have them.

    Args:
        panels (Sequence[tuple]): Image (H, W, 3) uint8 RGB, title, and color of the frame or
            None, of each.

    Returns:
        tuple[Figure, Sequence[Axes]]: The figure, and the axes of each image in its pixels.
    """
    figure = Figure(figsize=(5 * len(panels), 5.2), layout='constrained')
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(panels))
    for axes, (img, name, color) in zip(row, panels):
        axes.imshow(img, extent=(0, img.shape[1], img.shape[0], 0))
        axes.set_title(name)
        axes.set_xticks([])
        axes.set_yticks([])
        if color is not None:
            for spine in axes.spines.values():
                spine.set(edgecolor=color, linewidth=3)
    return figure, row


def draw_view_pair(
    raw: np.ndarray,
    detection: np.ndarray,
    momentum: np.ndarray,
    boxes: np.ndarray,
    pairs: PixelPairs,
    num_lines: int = 6,
    title: str = '',
) -> Figure:
    """Draw an image with the footprints of its views, and the views side by side.

    Some anchors, spread over the overlap, are joined with the cell at the same
    place in the momentum view; the positives of each are filled in its color.

    Args:
        raw (np.ndarray): The decoded image, (H, W, 3) uint8 RGB.
        detection (np.ndarray): Detection view, (h, w, 3) uint8 RGB.
        momentum (np.ndarray): Momentum view likewise.
        boxes (np.ndarray): (n, 4) boxes of the detection view, xyxy pixels.
        pairs (PixelPairs): Geometry of the two.
        num_lines (int): Anchors to join. Defaults to 6.
        title (str): Defaults to none.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure, (raw_axes, query_axes, key_axes) = view_panels(
        (
            (raw, 'image and footprints', None),
            (detection, 'detection view', DETECTION_COLOR),
            (momentum, 'momentum view', MOMENTUM_COLOR),
        )
    )
    for view, color in ((pairs.query, DETECTION_COLOR), (pairs.key, MOMENTUM_COLOR)):
        raw_axes.add_patch(Polygon(view.footprint().numpy(), fill=False, edgecolor=color, lw=2))
    for x1, y1, x2, y2 in boxes:
        query_axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor='w'))

    positives = positives_of(pairs)
    anchors = sorted(positives)
    share = len(anchors) / max(int(pairs.query.valid.sum()), 1)
    counts = [len(cells) for cells in positives.values()]
    figure.suptitle(
        f'{title}  maps {pairs.query.map_shape} and {pairs.key.map_shape}, threshold '
        f'{pairs.threshold:.1f} px, {len(anchors)} anchors ({share:.0%} of cells), '
        f'{np.mean(counts) if counts else 0:.1f} positives each'
    )
    joined = _spread_out(pairs, anchors, num_lines)
    for anchor, color in zip(joined, ANCHOR_COLORS):
        _draw_cell(query_axes, pairs.query, anchor, color)
        for cell in positives[anchor]:
            _draw_cell(key_axes, pairs.key, cell, color)
        start = pairs.query.centres[anchor]
        end = transform_points(pairs.query.raw_centres[anchor][None], pairs.key.homography)[0]
        raw_axes.plot(*pairs.query.raw_centres[anchor].tolist(), 'o', color=color, mec='k')
        figure.add_artist(
            ConnectionPatch(
                tuple(start.tolist()),
                tuple(end.tolist()),
                'data',
                'data',
                axesA=query_axes,
                axesB=key_axes,
                color=color,
                linewidth=1.5,
            )
        )
    return figure


def _draw_cell(axes, view, cell: int, color: str) -> None:
    (h, w), (height, width) = view.map_shape, view.input_shape
    x, y = view.centres[cell].tolist()
    step = width / w, height / h
    corner = (x - step[0] / 2, y - step[1] / 2)
    axes.add_patch(Rectangle(corner, *step, color=color, alpha=0.55, lw=0))


def _spread_out(pairs: PixelPairs, anchors: list[int], count: int) -> list[int]:
    """Anchors far from one another: each next one is the farthest from the chosen."""
    if not anchors or count < 1:
        return []
    points = pairs.query.raw_centres[anchors]
    first = int((points - points.mean(0)).norm(dim=1).argmax())
    chosen = [first]
    nearest = (points - points[first]).norm(dim=1)
    while len(chosen) < min(count, len(anchors)):
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).norm(dim=1))
    return [anchors[i] for i in chosen]

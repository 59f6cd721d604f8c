"""Pictures of two views and of the regions that both show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from mmpixcon.models.geometry import ViewGrid, transform_points

from .view_pairs import DETECTION_COLOR, MOMENTUM_COLOR, view_panels

VIEW_COLORS = (DETECTION_COLOR, MOMENTUM_COLOR)


def region_corners(regions: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Compute where regions of the raw image lie in a view.

    Args:
        regions (np.ndarray): (n, 4), x1, y1, x2, y2 in pixels of the raw image.
        homography (np.ndarray): (3, 3), raw image to view.

    Returns:
        np.ndarray: (n, 4, 2), corners x, y in pixels of the view, in drawing order.
    """
    corners = torch.as_tensor(np.asarray(regions, np.float64))[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    matrix = torch.as_tensor(np.asarray(homography, np.float64))
    return transform_points(corners.reshape(-1, 4, 2), matrix).numpy()


def draw_shared_regions(
    raw: np.ndarray,
    views: Sequence[np.ndarray],
    homographies: Sequence[np.ndarray],
    regions: np.ndarray,
    title: str = '',
) -> Figure:
    """Draw an image with the footprints of two views, and the views, with numbered regions.

    A region has the same color and number in all three. Siamese DETR's first, number 0, is
    what the views share. Regions without area, which fill up a batch, are left out.

    Args:
        raw (np.ndarray): The decoded image, (H, W, 3) uint8 RGB.
        views (Sequence[np.ndarray]): Both views, (h, w, 3) uint8 RGB each.
        homographies (Sequence[np.ndarray]): (3, 3) each, raw image to view.
        regions (np.ndarray): (n, 4), x1, y1, x2, y2 in pixels of the raw image.
        title (str): Defaults to none.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    panels: list[tuple[np.ndarray, str, str | None]] = [(raw, 'image, views and regions', None)]
    panels += [(img, f'view {i + 1}', VIEW_COLORS[i]) for i, img in enumerate(views)]
    figure, row = view_panels(panels)
    for img, matrix, color in zip(views, homographies, VIEW_COLORS):
        size = (img.shape[0], img.shape[1])
        footprint = ViewGrid(torch.from_numpy(matrix), (1, 1), size, size).footprint()
        row[0].add_patch(Polygon(footprint.numpy(), fill=False, edgecolor=color, lw=3))
    numbers = [i for i, box in enumerate(regions) if (box[2:] > box[:2]).all()]
    colors: Any = cast(ListedColormap, colormaps['tab10' if len(regions) <= 10 else 'tab20']).colors
    for axes, matrix in zip(row, (np.eye(3), *homographies)):
        corners = region_corners(regions, matrix)
        for place, i in enumerate(numbers):
            share = place / len(numbers)
            _draw_region(axes, corners[i], str(i), colors[i % len(colors)], share)
    figure.suptitle(f'{title}  {len(numbers)} regions'.strip())
    return figure


def _draw_region(
    axes: Axes, corners: np.ndarray, name: str, color: Sequence[float], share: float
) -> None:
    """Draw a region; ``share`` of those to draw are drawn already.

    Regions that were clipped to what views share have edges in common: the later, the
    thinner, and with its number the further along the edge.
    """
    axes.add_patch(Polygon(corners, fill=False, edgecolor=color, lw=5 - 4 * share))
    x, y = corners[0] + (share + 0.04) * (corners[1] - corners[0])
    axes.text(
        x,
        y,
        name,
        color='w',
        fontsize=9,
        ha='center',
        va='top',
        clip_on=True,
        bbox=dict(facecolor=color, edgecolor='none', pad=1),
    )

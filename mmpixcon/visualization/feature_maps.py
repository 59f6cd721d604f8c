"""Pictures of feature maps, and grids of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor


def attention_map(feature: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Compute where a feature map is active: the mean over channels, from 0 to 1.

    This is the map of DetCo's appendix, A.3.1: the mean of Res5 over channels is brought to 0..1
    and enlarged bilinearly to the image.

    Args:
        feature (Tensor): (C, h, w).
        size (tuple[int, int]): (H, W) of the image.

    Returns:
        np.ndarray: (H, W), float; all 0 for a constant map.
    """
    mean = feature.float().mean(0)
    mean = mean - mean.min()
    mean = mean / mean.max().clamp(min=torch.finfo(torch.float32).tiny)
    large = F.interpolate(mean[None, None], size=size, mode='bilinear', align_corners=False)
    return large[0, 0].cpu().numpy()


def affinity_map(feature: Tensor, point: tuple[float, float], cells: int = 56) -> np.ndarray:
    """Compute how alike each place of an image is to one of its points.

    This is the map of figure 3 of PLRC: the feature map is interpolated to ``cells`` a side, and
    the cell at the point is compared with all cells by cosine similarity.

    Args:
        feature (Tensor): (C, h, w).
        point (tuple[float, float]): x and y, shares of width and height, 0 to 1.
        cells (int): Defaults to 56.

    Returns:
        np.ndarray: (cells, cells), -1 to 1.

    Raises:
        ValueError: The point is outside the image.
    """
    x, y = point
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f'point = {point} must be shares of width and height, 0 to 1')
    large = F.interpolate(
        feature[None].float(), size=(cells, cells), mode='bilinear', align_corners=False
    )
    unit = F.normalize(large[0], dim=0)
    column, row = (min(int(share * cells), cells - 1) for share in (x, y))
    return torch.einsum('c,chw->hw', unit[:, row, column], unit).cpu().numpy()


def color_affinity(affinity: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An affinity map as a picture: the brighter, the more alike, over its own range.

    Args:
        affinity (np.ndarray): (h, w).
        size (tuple[int, int]): (H, W) of the picture.

    Returns:
        np.ndarray: BGR, uint8, (H, W, 3); all dark for a constant map.
    """
    low, high = float(affinity.min()), float(affinity.max())
    share = (affinity - low) / max(high - low, 1e-12)
    small = cv2.applyColorMap((share * 255).round().astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)


def mark_point(image: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    """Circle a point in red.

    Args:
        image (np.ndarray): BGR, uint8, (H, W, 3).
        point (tuple[float, float]): x and y, shares of width and height.

    Returns:
        np.ndarray: A copy.
    """
    height, width = image.shape[:2]
    place = (round(point[0] * (width - 1)), round(point[1] * (height - 1)))
    radius = max(min(height, width) // 40, 3)
    return cv2.circle(image.copy(), place, radius, (0, 0, 255), max(radius // 3, 2))


def overlay(image: np.ndarray, heat: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """Lay a map over an image.

    Args:
        image (np.ndarray): BGR, uint8, (H, W, 3).
        heat (np.ndarray): (H, W), from 0 to 1.
        strength (float): Share of the map. Defaults to 0.5.

    Returns:
        np.ndarray: BGR, uint8, (H, W, 3), red where the map is 1.
    """
    colors = cv2.applyColorMap((heat * 255).round().astype(np.uint8), cv2.COLORMAP_JET)
    return cv2.addWeighted(image, 1 - strength, colors, strength, 0)


def draw_grid(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    marks: Sequence[Sequence[str | None]] | None = None,
) -> Figure:
    """A grid of images under titles.

    Args:
        rows (Sequence[Sequence[np.ndarray]]): BGR, uint8 images of each row.
        titles (Sequence[str]): titles of the columns.
        marks (Sequence[Sequence[str | None]], optional): A color of a frame
            around each image. Defaults to None.

    Returns:
        Figure: To be saved with ``savefig``.
    """
    figure = Figure(figsize=(2 * len(titles), 2.1 * len(rows) + 0.3), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), len(titles), squeeze=False)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            axes = panels[i][j]
            axes.imshow(image[..., ::-1])
            axes.set_xticks([])
            axes.set_yticks([])
            color = marks[i][j] if marks else None
            for spine in axes.spines.values():
                spine.set_visible(color is not None)
                if color is not None:
                    spine.set_color(color)
                    spine.set_linewidth(3)
            if i == 0:
                axes.set_title(titles[j], fontsize=9)
    return figure

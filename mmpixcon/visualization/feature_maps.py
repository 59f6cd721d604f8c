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
    """Where a feature map is active: the mean over channels, from 0 to 1.

    As DetCo's appendix, A.3.1: mean of Res5 over channels, brought to 0..1,
    enlarged bilinearly to the image.

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
        titles (Sequence[str]): Of the columns.
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

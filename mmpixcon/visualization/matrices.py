"""Matrices as pictures."""

from __future__ import annotations

import cv2
import numpy as np


def draw_matrix(matrix: np.ndarray, side: int = 512) -> np.ndarray:
    """Draw a matrix of values from -1 to 1: blue below 0, white at 0, red above.

    Args:
        matrix (np.ndarray): (n, n).
        side (int): Pixels a side. Defaults to 512.

    Returns:
        np.ndarray: (side, side, 3), RGB, uint8.
    """
    value = np.clip(matrix, -1, 1)[..., None]
    red, blue = np.array([178.0, 24, 43]), np.array([33.0, 102, 172])
    color = 255 + np.abs(value) * (np.where(value > 0, red, blue) - 255)
    # A diagonal of one pixel must not vanish where there are more dimensions than pixels.
    shrinks = len(matrix) > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(color.round().astype(np.uint8), (side, side), interpolation=interpolation)

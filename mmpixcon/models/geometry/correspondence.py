"""Correspondence of the cells of two views (contract 1 of the architecture).

A view is an image and its homography. Everything here follows from two
homographies, two map shapes and two valid areas; it holds for crops, resizes,
flips, rotations and any other projective map, and knows nothing of features.

Conventions: points are (x, y) in pixels with the origin at the outer corner of
the top left pixel, so a flip is ``x -> width - x`` as in mmdet. A map of
``h x w`` cells covers the whole padded input, so the center of cell (r, c) is
``((c + 0.5) * W / w, (r + 0.5) * H / h)``, as in Deformable DETR's reference
points. Geometry is float64 throughout: it is small, and a threshold must not
depend on the precision that the features are trained in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

# Elements of a (cells x cells) block that may exist at a time. Small enough to
# stay in a CPU's last-level cache, large enough to keep a GPU busy.
BLOCK_ELEMENTS = 1 << 22


def transform_points(points: Tensor, homography: Tensor) -> Tensor:
    """Map points through a homography.

    Args:
        points (Tensor): (..., n, 2) points (x, y) in pixels.
        homography (Tensor): (3, 3), or (..., 3, 3), one for each n points.

    Returns:
        Tensor: (..., n, 2). A point on the horizon comes out as inf or NaN,
        which no later comparison takes for a match.
    """
    mapped = points @ homography[..., :2].mT + homography[..., None, :, 2]
    return mapped[..., :2] / mapped[..., 2:]


def cell_centres(map_shape: tuple[int, int], input_shape: tuple[int, int]) -> Tensor:
    """Centres of the cells of a map that covers a view.

    Args:
        map_shape (tuple[int, int]): (h, w), cells.
        input_shape (tuple[int, int]): (H, W), pixels.

    Returns:
        Tensor: (h * w, 2) in pixels of the view, row by row, float64.
    """
    (h, w), (height, width) = map_shape, input_shape
    y = (torch.arange(h, dtype=torch.float64) + 0.5) * (height / h)
    x = (torch.arange(w, dtype=torch.float64) + 0.5) * (width / w)
    return torch.stack([x.expand(h, w), y[:, None].expand(h, w)], dim=-1).reshape(-1, 2)


def check_homographies(matrices: Tensor) -> None:
    """Refuse homographies that cannot be inverted.

    Args:
        matrices (Tensor): (..., 3, 3) float64, not on a device that has to wait.

    Raises:
        ValueError: One is not a finite, invertible 3 x 3 matrix.
    """
    if matrices.shape[-2:] != (3, 3) or not torch.isfinite(matrices).all():
        raise ValueError(f'homography_matrix must be a finite 3 x 3 matrix, got {matrices}')
    singular = torch.linalg.det(matrices).abs() < 1e-12
    if singular.any():
        raise ValueError(f'homography_matrix is not invertible: {matrices[singular].tolist()}')


@dataclass(frozen=True)
class ViewGrid:
    """The cells of a feature map over one view.

    Args:
        homography (Tensor): (3, 3), from raw image to view, pixels.
        map_shape (tuple[int, int]): (h, w), cells of the map.
        input_shape (tuple[int, int]): (H, W), pixels that the map covers,
            padding included (``batch_input_shape``).
        img_shape (tuple[int, int]): (H, W), pixels that hold image
            (``img_shape``); the rest is padding at the right and the bottom.

    Raises:
        ValueError: The homography is not an invertible 3 x 3 matrix.
    """

    homography: Tensor
    map_shape: tuple[int, int]
    input_shape: tuple[int, int]
    img_shape: tuple[int, int]

    def __post_init__(self) -> None:
        """Bring the homography to float64 and check it."""
        matrix = torch.as_tensor(np.asarray(self.homography, dtype=np.float64))
        check_homographies(matrix)
        object.__setattr__(self, 'homography', matrix)

    @cached_property
    def centres(self) -> Tensor:
        """Cell centers in view pixels, (h * w, 2), row by row."""
        return cell_centres(self.map_shape, self.input_shape)

    @cached_property
    def raw_centres(self) -> Tensor:
        """Cell centers in raw-image pixels, (h * w, 2)."""
        return transform_points(self.centres, torch.linalg.inv(self.homography))

    @cached_property
    def valid(self) -> Tensor:
        """Return whether a cell's center lies on image rather than on padding, (h * w,) bool."""
        return self.contains(self.centres)

    def contains(self, points: Tensor) -> Tensor:
        """Return whether points in view pixels, (..., 2), lie on this view's image, (...) bool."""
        height, width = self.img_shape
        x, y = points.unbind(-1)
        return (x >= 0) & (x <= width) & (y >= 0) & (y <= height)

    def footprint(self) -> Tensor:
        """The view's corners in raw-image pixels, (4, 2), in drawing order."""
        height, width = self.img_shape
        corners = torch.tensor(
            [[0, 0], [width, 0], [width, height], [0, height]], dtype=torch.float64
        )
        return transform_points(corners, torch.linalg.inv(self.homography))

    def windows(self, low: Tensor, high: Tensor) -> list[tuple[slice, slice]]:
        """The cells that can lie within some rectangles of the raw image.

        Args:
            low (Tensor): (n, 2), upper left corners in raw-image pixels.
            high (Tensor): (n, 2), lower right corners.

        Returns:
            list[tuple[slice, slice]]: Rows and columns of the map for each; a cell outside lies
            outside of the rectangle. Either may be empty.
        """
        (x0, y0), (x1, y1) = low.unbind(1), high.unbind(1)
        corners = torch.stack([x0, y0, x1, y0, x1, y1, x0, y1], dim=1).unflatten(1, (4, 2))
        denominators = corners @ self.homography[2, :2] + self.homography[2, 2]
        # Over the horizon: the image of the rectangle is not a quadrangle.
        crosses = (denominators.sign() != denominators[:, :1].sign()).any(1)
        mapped = transform_points(corners, self.homography)
        scale = torch.tensor(
            [self.map_shape[1] / self.input_shape[1], self.map_shape[0] / self.input_shape[0]],
            dtype=torch.float64,
        )
        limit = torch.tensor(self.map_shape[::-1], dtype=torch.float64)
        # A cell center is at (index + 0.5): half a cell of slack either way
        # makes the bounds inclusive whatever the rounding.
        first = (mapped.amin(1) * scale - 1.0).floor().clamp(min=0).minimum(limit)
        last = (mapped.amax(1) * scale + 1.0).ceil().clamp(min=0).minimum(limit)
        whole = (crosses | ~torch.cat([first, last], 1).isfinite().all(1))[:, None]
        first, last = torch.where(whole, 0, first), torch.where(whole, limit, last)
        return [
            (slice(r0, max(r0, r1)), slice(c0, max(c0, c1)))
            for (c0, r0), (c1, r1) in zip(first.long().tolist(), last.long().tolist())
        ]

"""Which cell of one view lies where in another (contract 1 of the architecture).

A view is an image and its homography. Everything here follows from two
homographies, two map shapes and two valid areas; it holds for crops, resizes,
flips, rotations and any other projective map, and knows nothing of features.

Conventions: points are (x, y) in pixels with the origin at the outer corner of
the top left pixel, so a flip is ``x -> width - x`` as in mmdet. A map of
``h x w`` cells covers the whole padded input, so the centre of cell (r, c) is
``((c + 0.5) * W / w, (r + 0.5) * H / h)``, as in Deformable DETR's reference
points. Geometry is float64 throughout: it is small, and a threshold must not
depend on the precision that the features are trained in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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
        """Cell centres in view pixels, (h * w, 2), row by row."""
        return cell_centres(self.map_shape, self.input_shape)

    @cached_property
    def raw_centres(self) -> Tensor:
        """Cell centres in raw-image pixels, (h * w, 2)."""
        return transform_points(self.centres, torch.linalg.inv(self.homography))

    @cached_property
    def valid(self) -> Tensor:
        """Whether a cell's centre lies on image rather than on padding, (h * w,) bool."""
        return self.contains(self.centres)

    def contains(self, points: Tensor) -> Tensor:
        """Whether points in view pixels, (..., 2), lie on this view's image, (...) bool."""
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

    def window(self, points: Tensor, radius: float) -> tuple[slice, slice]:
        """The cells that can lie within a distance of some raw-image points.

        Args:
            points (Tensor): (n, 2) in raw-image pixels.
            radius (float): Distance in raw-image pixels.

        Returns:
            tuple[slice, slice]: Rows and columns of the map; a cell outside is
            further than ``radius`` from every point. Either may be empty.
        """
        low, high = points.amin(0) - radius, points.amax(0) + radius
        corners = torch.stack(
            [low, torch.stack([high[0], low[1]]), high, torch.stack([low[0], high[1]])]
        )
        h, w = self.map_shape
        denominators = corners @ self.homography[2, :2] + self.homography[2, 2]
        if (denominators.sign() != denominators[0].sign()).any():
            # The square crosses the horizon: its image is not a quadrangle.
            return slice(0, h), slice(0, w)
        mapped = transform_points(corners, self.homography)
        scale = torch.tensor([w / self.input_shape[1], h / self.input_shape[0]]).double()
        # A cell centre is at (index + 0.5): half a cell of slack either way
        # makes the bounds inclusive whatever the rounding.
        first = ((mapped.amin(0) * scale) - 1.0).floor()
        last = ((mapped.amax(0) * scale) + 1.0).ceil()
        c0, r0 = (int(v) for v in first.clamp(min=0).tolist())
        c1, r1 = (int(v) for v in last.tolist())
        return slice(min(r0, h), max(min(r1, h), 0)), slice(min(c0, w), max(min(c1, w), 0))


class PositiveBlock(NamedTuple):
    """Some anchors and their positives.

    Attributes:
        anchors (Tensor): (B,) indices of cells of the query's map.
        rows (slice): Rows of the key's map outside which they have no positive.
        cols (slice): Columns likewise.
        positive (Tensor): (B, rows, cols) bool, equation (3) within the window.
        count (Tensor): (B,) number of positives; 0 makes a cell no anchor.
    """

    anchors: Tensor
    rows: slice
    cols: slice
    positive: Tensor
    # A tuple has a method of this name.
    count: Tensor  # type: ignore[assignment]


class PixelPairs:
    """Positive and negative pairs of cells of two views, PixCon's equation (3).

    ``d(i, j)`` is the Euclidean distance, in raw-image pixels, between the
    centres of cell i of the query view and cell j of the key view. The
    threshold is ``th = mean(d) / S`` over all pairs of cells that lie on
    image, ``P_i = {j : d(i, j) <= th}``. Anchors are the query's cells on image
    that lie inside the key view's footprint and have a positive.

    The distances are a function of geometry, so the mask is formed a block at a
    time and never held: memory grows with the number of cells.

    Args:
        query (ViewGrid): The view whose cells are anchors (x_e in the paper).
        key (ViewGrid): The view whose cells are positives and negatives (x_m).
        S (float): The divisor of the mean distance. Defaults to 9.
        device (torch.device | str): Where the masks are wanted.

    Raises:
        ValueError: ``S`` is not positive.
    """

    def __init__(
        self,
        query: ViewGrid,
        key: ViewGrid,
        S: float = 9.0,
        device: torch.device | str = 'cpu',
    ) -> None:
        if not S > 0:
            raise ValueError(f'S divides the mean distance and must be positive, got {S}')
        self.query, self.key, self.S = query, key, float(S)
        self.device = torch.device(device)
        self.query_raw = query.raw_centres.to(self.device)
        self.key_raw = key.raw_centres.to(self.device)
        self.key_valid = key.valid.to(self.device)
        in_key_view = key.contains(transform_points(query.raw_centres, key.homography))
        # On the CPU: it decides which blocks exist, without a device's wait.
        self.candidates = query.valid & in_key_view

    @cached_property
    def threshold(self) -> float:
        """``th`` in raw-image pixels; 0 if a view has no cell on image."""
        queries = self.query_raw[self.query.valid.to(self.device)]
        keys = self.key_raw[self.key_valid]
        if len(queries) == 0 or len(keys) == 0:
            return 0.0
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for block in queries.split(max(1, BLOCK_ELEMENTS // 2 // len(keys))):
            # Differences, not a matrix product, which would cancel.
            total += torch.cdist(block, keys, compute_mode='donot_use_mm_for_euclid_dist').sum()
        return total.item() / (len(queries) * len(keys)) / self.S

    def blocks(self, max_elements: int = BLOCK_ELEMENTS) -> Iterator[PositiveBlock]:
        """Yield the anchors with their positives, each candidate cell once.

        Args:
            max_elements (int): Bound on anchors x cells of the key's map. A
                single anchor is always allowed.

        Yields:
            PositiveBlock: Square tiles of the query's map, so that the window
            of a block's positives stays small.
        """
        h, w = self.query.map_shape
        key_h, key_w = self.key.map_shape
        side = max(1, math.isqrt(max_elements // (key_h * key_w)))
        candidates = self.candidates.view(h, w)
        squared_threshold = self.threshold**2
        key_raw = self.key_raw.view(key_h, key_w, 2)
        key_valid = self.key_valid.view(key_h, key_w)
        index = torch.arange(h * w).view(h, w)
        for top in range(0, h, side):
            for left in range(0, w, side):
                tile = slice(top, top + side), slice(left, left + side)
                anchors = index[tile][candidates[tile]]
                if len(anchors) == 0:
                    continue
                rows, cols = self.key.window(self.query.raw_centres[anchors], self.threshold)
                anchors = anchors.to(self.device, non_blocking=True)
                x, y = key_raw[rows, cols].unbind(-1)
                points = self.query_raw[anchors][:, :, None, None]
                squared = (points[:, 0] - x).square_()
                squared += (points[:, 1] - y).square_()
                positive = (squared <= squared_threshold) & key_valid[rows, cols]
                yield PositiveBlock(anchors, rows, cols, positive, positive.flatten(1).sum(1))

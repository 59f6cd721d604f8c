"""Positive and negative pairs of cells of two views, PixCon's equation (3)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .correspondence import BLOCK_ELEMENTS, ViewGrid, transform_points
from .mean_distance import MOMENTS, mean_distance, tile_moments

# Tiles of a view for the bound of the threshold that the CPU has to know.
COARSE_TILES = 64


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


class BatchBlock(NamedTuple):
    """Some anchors of one image or of several, and their positives.

    Attributes:
        images (slice): G images of the batch.
        anchors (Tensor, optional): (B,) indices of cells of the query's map; None, all of them.
        rows (slice): Rows of the key's map outside which they have no positive.
        cols (slice): Columns likewise.
        positive (Tensor): (G, B, rows, cols) bool, equation (3) within the window.
        count (Tensor): (G, B) number of positives; 0 makes a cell no anchor.
    """

    images: slice
    anchors: Tensor | None
    rows: slice
    cols: slice
    positive: Tensor
    count: Tensor  # type: ignore[assignment]

    def of_anchors(self, maps: Tensor) -> Tensor:
        """The block's columns of (N, C, n), as rows, (G, B, C)."""
        part = maps[self.images]
        return (part if self.anchors is None else part.index_select(2, self.anchors)).mT

    def put(self, maps: Tensor, values: Tensor) -> None:
        """Write rows (G, B, C) into the block's columns of (N, C, n)."""
        part = maps[self.images]
        if self.anchors is None:
            part.copy_(values.mT)
        else:
            part.index_copy_(2, self.anchors, values.mT)


class PixelPairs:
    """Positive and negative pairs of cells of two views, PixCon's equation (3).

    ``d(i, j)`` is the Euclidean distance, in raw-image pixels, between the
    centers of cell i of the query view and cell j of the key view. The
    threshold is ``th = mean(d) / S`` over all pairs of cells that lie on
    image, ``P_i = {j : d(i, j) <= th}``. Anchors are the query's cells on image
    that lie inside the key view's footprint and have a positive.

    The distances are a function of geometry, so the mask is formed a block at a
    time and never held: memory grows with the number of cells. Of maps with more than
    ``MAX_TILES`` cells the mean is taken over tiles (:func:`mean_distance`): off by less than
    1e-4 of a cell, which no cell's place hangs on.

    Args:
        query (ViewGrid): The view whose cells are anchors (x_e in the paper).
        key (ViewGrid): The view whose cells are positives and negatives (x_m).
        S (float): The divisor of the mean distance. Defaults to 9.
        device (torch.device | str): device that the masks are wanted on.

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
        in_key_view = key.contains(transform_points(query.raw_centres, key.homography))
        # On the CPU: it decides which blocks exist, without a device's wait.
        self.candidates = query.valid & in_key_view

    @cached_property
    def query_raw(self) -> Tensor:
        """Centres of the query's cells in raw-image pixels, (n, 2)."""
        return self.query.raw_centres.to(self.device)

    @cached_property
    def key_raw(self) -> Tensor:
        """Centres of the key's cells in raw-image pixels, (m, 2)."""
        return self.key.raw_centres.to(self.device)

    @cached_property
    def key_valid(self) -> Tensor:
        """Return whether the key's cells lie on image, (m, ) bool."""
        return self.key.valid.to(self.device)

    @cached_property
    def threshold(self) -> float:
        """``th`` in raw-image pixels; 0 if a view has no cell on image. Waits for the device."""
        return PairBatch([self]).threshold.item()

    @cached_property
    def reach(self) -> float:
        """Upper bound of the threshold, without a wait for the device."""
        moments = [
            tile_moments(view.raw_centres, view.valid, view.map_shape, COARSE_TILES)[None]
            for view in (self.query, self.key)
        ]
        bound = mean_distance(moments[0], moments[1], exact=False, upper=True).item() / self.S
        # Both are rounded.
        return bound * (1 + 1e-9)

    def blocks(self, max_elements: int = BLOCK_ELEMENTS) -> Iterator[PositiveBlock]:
        """Yield the anchors with their positives, each candidate cell once.

        Args:
            max_elements (int): Bound on anchors x cells of the key's map. A
                single anchor is always allowed.

        Yields:
            PositiveBlock: Square tiles of the query's map, so that the window
            of a block's positives stays small.
        """
        for block in PairBatch([self]).blocks(max_elements):
            assert block.anchors is not None
            yield PositiveBlock(
                block.anchors, block.rows, block.cols, block.positive[0], block.count[0]
            )


class PairBatch(Sequence):
    """The pairs of all images of a batch, on their device after one copy that nothing waits for.

    Args:
        pairs (Sequence[PixelPairs]): geometry of N images whose maps have one shape.

    Raises:
        ValueError: They have several shapes or devices, or there are none.
    """

    query: Tensor  # (N, n, 2), raw pixels; NaN for a cell that cannot be an anchor
    key: Tensor  # (N, m, 2), raw pixels; NaN on padding
    threshold: Tensor  # (N, ), raw pixels

    def __init__(self, pairs: Sequence[PixelPairs]) -> None:
        shapes = {(pair.query.map_shape, pair.key.map_shape, pair.device) for pair in pairs}
        if len(shapes) != 1:
            raise ValueError(f'PixelPairs of a batch need one shape and device, got {shapes}')
        self.pairs = tuple(pairs)
        self.query_shape, self.key_shape, device = shapes.pop()
        self.any_padding = not all(bool(pair.key.valid.all()) for pair in pairs)
        parts = [_host_parts(pair) for pair in pairs]
        sizes = [part.numel() for part in parts[0]]
        packed = torch.stack([torch.cat([part.flatten() for part in image]) for image in parts])
        packed = packed.to(device, non_blocking=True)
        query, key, divisor, *moments = packed.split(sizes, dim=1)
        self.query, self.key = query.unflatten(1, (-1, 2)), key.unflatten(1, (-1, 2))
        tiles = [part.unflatten(1, (-1, MOMENTS)) for part in moments]
        cells = math.prod(self.query_shape), math.prod(self.key_shape)
        exact = (tiles[0].shape[1], tiles[1].shape[1]) == cells
        self.threshold = mean_distance(tiles[0], tiles[1], exact) / divisor[:, 0]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: Any) -> Any:
        return self.pairs[index]

    @cached_property
    def padding(self) -> Tensor | None:
        """Tell which of the key's cells are padding, (N, m) bool; None if none is."""
        return self.key[..., 0].isnan() if self.any_padding else None

    def whole(self, count: Tensor) -> BatchBlock:
        """All cells of all images, of whose positives only the number is known, (N, n)."""
        nothing = count.new_zeros(*count.shape, 0, 0, dtype=torch.bool)
        return BatchBlock(slice(0, len(self)), None, slice(0, 0), slice(0, 0), nothing, count)

    def blocks(self, max_elements: int = BLOCK_ELEMENTS) -> Iterator[BatchBlock]:
        """Yield all anchors with their positives.

        Args:
            max_elements (int): Bound on images x anchors x cells of the key's map. A single
                anchor is always allowed.

        Yields:
            BatchBlock: Several images whole, where two of them are within the bound; else square
            tiles of one image's map, so that the window of a block's positives stays small.
        """
        images_at_once = max_elements // math.prod((*self.query_shape, *self.key_shape))
        if len(self) > 1 and images_at_once > 1:
            whole = slice(0, self.key_shape[0]), slice(0, self.key_shape[1])
            for start in range(0, len(self), images_at_once):
                yield self._block(slice(start, start + images_at_once), None, *whole)
            return
        for image, pair in enumerate(self.pairs):
            anchors, windows = _tiles(pair, max_elements)
            if not anchors:
                continue
            index = torch.cat(anchors).to(self.query.device, non_blocking=True)
            for part, window in zip(index.split([len(tile) for tile in anchors]), windows):
                yield self._block(slice(image, image + 1), part, *window)

    def _block(self, images: slice, anchors: Tensor | None, rows: slice, cols: slice) -> BatchBlock:
        """Compare the distances of some cells, and of the keys in a window, with the threshold."""
        points = self.query[images]
        if anchors is not None:
            points = points.index_select(1, anchors)
        keys = self.key[images].unflatten(1, self.key_shape)[:, None, rows, cols]
        limit = self.threshold[images].square()[:, None, None, None]
        squared = (points[:, :, None, None, 0] - keys[..., 0]).square_()
        squared += (points[:, :, None, None, 1] - keys[..., 1]).square_()
        positive = squared <= limit
        count = positive.flatten(2).sum(2)
        return BatchBlock(images, anchors, rows, cols, positive, count)


def _host_parts(pair: PixelPairs) -> list[Tensor]:
    """Data of an image for the device: places of both views' cells, S, and moments."""
    views = (pair.query, pair.candidates), (pair.key, pair.key.valid)
    places = [view.raw_centres.masked_fill(~kept[:, None], torch.nan) for view, kept in views]
    divisor = torch.tensor([pair.S], dtype=torch.float64)
    moments = [
        tile_moments(view.raw_centres, view.valid, view.map_shape)
        for view in (pair.query, pair.key)
    ]
    return [*places, divisor, *moments]


def _tiles(pair: PixelPairs, max_elements: int) -> tuple[list[Tensor], list[tuple[slice, slice]]]:
    """Candidates in square tiles of the map, and where the keys near each tile are."""
    h, w = pair.query.map_shape
    side = max(1, math.isqrt(max_elements // math.prod(pair.key.map_shape)))
    index, candidates = torch.arange(h * w).view(h, w), pair.candidates.view(h, w)
    anchors = [
        index[top : top + side, left : left + side][
            candidates[top : top + side, left : left + side]
        ]
        for top in range(0, h, side)
        for left in range(0, w, side)
    ]
    anchors = [tile for tile in anchors if len(tile)]
    if not anchors:
        return [], []
    if side >= max(h, w):
        # Of one tile the positives lie nearly everywhere.
        rows, cols = pair.key.map_shape
        return anchors, [(slice(0, rows), slice(0, cols))]
    points = [pair.query.raw_centres[tile] for tile in anchors]
    low = torch.stack([tile.amin(0) for tile in points]) - pair.reach
    high = torch.stack([tile.amax(0) for tile in points]) + pair.reach
    return anchors, pair.key.windows(low, high)

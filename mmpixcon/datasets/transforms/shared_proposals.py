"""Proposals in what two views share: Siamese DETR's."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmpixcon.registry import TRANSFORMS, in_scope

from .regions import RegionSource


@TRANSFORMS.register_module()
class SharedProposals(BaseTransform):
    """Proposals in what two views share: Siamese DETR, section 3.1, as its code does.

    The first is the shared rectangle itself. The others are the source's, in its order,
    clipped to it; those of less than ``min_area`` of it are left out. Where too few are
    left, copies of those there are, with moved edges, make up the number.

    Required keys: those of :class:`IoUConstrainedViews`, and of the source. Added key:
    ``regions``, (num, 4) float32, x1, y1, x2, y2 in pixels of the raw image.

    Args:
        source (dict): A source of regions, such as ``dict(type='ProposalRegions',
            path=...)`` or ``dict(type='RandomSharedRegions')``.
        num (int): Regions of an image. Defaults to 10.
        min_area (float): Share of the overlap. Defaults to 0.05.
        jitter (float): largest move of an edge of a copy, in widths and heights of the box.
            Defaults to 0.1.

    Raises:
        ValueError: A setting is out of range.
    """

    def __init__(
        self, source: dict, num: int = 10, min_area: float = 0.05, jitter: float = 0.1
    ) -> None:
        if num < 1 or not 0 <= min_area < 1 or not 0 <= jitter < 0.5:
            raise ValueError(
                f'train_pipeline, SharedProposals: num = {num} must be at least 1, min_area = '
                f'{min_area} in [0, 1), jitter = {jitter} in [0, 0.5)'
            )
        with in_scope():
            self.source: RegionSource = TRANSFORMS.build(copy.deepcopy(source))
        self.num, self.min_area, self.jitter = num, min_area, jitter

    def transform(self, results: dict) -> dict:
        """Choose the proposals."""
        overlap = shared_rectangle(results['homography_matrix'], results['img_shape'])
        regions = np.asarray(self.source.boxes(results), dtype=np.float64).reshape(-1, 4)
        regions = clip_boxes(regions, overlap)
        sides = regions[:, 2:] - regions[:, :2]
        least = self.min_area * np.prod(overlap[2:] - overlap[:2])
        keep = (sides > 0).all(1) & (sides.prod(1) >= least)
        boxes = np.concatenate([overlap[None], regions[keep][: self.num - 1]])
        if len(boxes) < self.num:
            moves = draw_moves(self.num - len(boxes), self.jitter)
            # Copies of the proposals; of the overlap only where there are none.
            filled = fill_with_copies(boxes[1:] if len(boxes) > 1 else boxes, moves, overlap)
            boxes = np.concatenate([boxes[:1], filled]) if len(boxes) > 1 else filled
        results['regions'] = boxes.astype(np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(source={self.source}, num={self.num}, '
            f'min_area={self.min_area}, jitter={self.jitter})'
        )


@TRANSFORMS.register_module()
class RandomSharedRegions(RegionSource):
    """Random boxes in what two views share: Siamese DETR's, as its code draws them.

    The upper left corner is anywhere in the overlap, the height anywhere between 0 and what
    is left below, and the width between what makes up ``min_area`` and what is left on the
    right. Left out are boxes that have no room for that area, and those whose width by
    height is above ``max_ratio`` or below its inverse in either view.

    Required keys: those of :class:`IoUConstrainedViews`.

    Args:
        num (int): Boxes to draw, 1 to 255; the released code draws 300 and keeps the
            first 9. Defaults to 255.
        min_area (float): Least share of the overlap. Defaults to 0.05.
        max_ratio (float): Largest width by height, and height by width. Defaults to 8.

    Raises:
        ValueError: A setting is out of range, or there are no two views.
    """

    def __init__(self, num: int = 255, min_area: float = 0.05, max_ratio: float = 8.0) -> None:
        super().__init__(num)
        if not 0 < min_area < 1 or max_ratio < 1:
            raise ValueError(
                f'train_pipeline, RandomSharedRegions: min_area = {min_area} must be in (0, 1), '
                f'max_ratio = {max_ratio} at least 1'
            )
        self.min_area, self.max_ratio = min_area, max_ratio

    @cache_randomness
    def _shares(self) -> np.ndarray:
        """Draw shares of the free range of x1, y1, width and height for each box, (num, 4)."""
        return np.random.uniform(size=(self.max_regions, 4))

    def boxes(self, results: dict) -> np.ndarray:
        """Draw them."""
        homographies = results.get('homography_matrix')
        if not isinstance(homographies, list) or len(homographies) != 2:
            raise ValueError(
                'train_pipeline, RandomSharedRegions: there are no two views; it is a source of '
                'SharedProposals, which stands after IoUConstrainedViews'
            )
        overlap = shared_rectangle(homographies, results['img_shape'])
        shares = self._shares()
        corner = overlap[:2] + shares[:, :2] * (overlap[2:] - overlap[:2])
        room = overlap[2:] - corner
        height = shares[:, 3] * room[:, 1]
        least = self.min_area * np.prod(overlap[2:] - overlap[:2]) / np.maximum(height, 1e-10)
        width = least + shares[:, 2] * (room[:, 0] - least)
        keep = least < room[:, 0]
        for matrix in homographies:
            ratio = width / np.maximum(height, 1e-10) * abs(matrix[0][0] / matrix[1][1])
            keep &= (ratio >= 1 / self.max_ratio) & (ratio <= self.max_ratio)
        sides = np.stack([width, height], axis=1)
        return np.concatenate([corner, corner + sides], axis=1)[keep]


def clip_boxes(boxes: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Boxes (k, 4) within a rectangle (4, )."""
    return np.clip(boxes, np.tile(limits[:2], 2), np.tile(limits[2:], 2))


def draw_moves(count: int, jitter: float) -> np.ndarray:
    """Draw by how much edges move, as the released code does.

    Args:
        count (int): Copies.
        jitter (float): r: edges move by ``(2 sigmoid(e) - 1) r`` sides, e standard normal.

    Returns:
        np.ndarray: (count, 4), in units of the boxes' sides.
    """
    # 2 sigmoid(e) - 1 is tanh(e / 2).
    return jitter * np.tanh(np.random.standard_normal((count, 4)) / 2)


def fill_with_copies(boxes: np.ndarray, moves: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Boxes, and then copies of them in turn with moved edges.

    Args:
        boxes (np.ndarray): (k, 4), k at least 1.
        moves (np.ndarray): moves of the edges of m copies, (m, 4), in units of the boxes' sides.
        limits (np.ndarray): (4, ), the rectangle that copies stay in.

    Returns:
        np.ndarray: (k + m, 4).
    """
    copies = boxes[np.arange(len(moves)) % len(boxes)]
    scale = np.tile(copies[:, 2:] - copies[:, :2], 2)
    return np.concatenate([boxes, clip_boxes(copies + moves * scale, limits)])


def shared_rectangle(
    homographies: Sequence[np.ndarray], img_shapes: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Find what two views show both.

    Args:
        homographies (Sequence[np.ndarray]): (3, 3), raw image to view in pixels, crops that
            were resized and mirrored.
        img_shapes (Sequence[tuple[int, int]]): (H, W) of the views.

    Returns:
        np.ndarray: x1, y1, x2, y2 in pixels of the raw image.

    Raises:
        ValueError: A view is turned or sheared, or they share nothing.
    """
    corners = []
    for matrix, (height, width) in zip(homographies, img_shapes):
        matrix = np.asarray(matrix)
        if abs(matrix[[0, 1, 2, 2], [1, 0, 0, 1]]).max() > 1e-9:
            raise ValueError(
                'a view is turned or sheared, so that it shows no upright rectangle of the image'
            )
        ends = np.linalg.inv(matrix) @ np.array([[0, width], [0, height], [1, 1]])
        corners.append(np.sort(ends[:2] / ends[2], axis=1))
    start = np.maximum(corners[0][:, 0], corners[1][:, 0])
    end = np.minimum(corners[0][:, 1], corners[1][:, 1])
    if not (end > start).all():
        raise ValueError('the two views share nothing: take them from IoUConstrainedViews')
    return np.concatenate([start, end])

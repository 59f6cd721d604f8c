"""Two views that share a part of the image: Siamese DETR's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmpixcon.registry import TRANSFORMS

from .geometry import record_homography, resize_antialiased
from .pretext_views import VIEW_KEYS, build_recorded


@TRANSFORMS.register_module()
class IoUConstrainedViews(BaseTransform):
    r"""Two crops of an image whose overlap has at least a given IoU.

    Siamese DETR (arXiv:2303.18144), section 3.1 and figure 3, as its code does: in an outer
    rectangle lie two of the same shape, one in its upper left and one in its lower
    right corner, which share a rectangle around its center. With a the share of
    that one's sides,

    .. math::
        \tau = \frac{a^2}{(1 + a)^2 / 2 - a^2}

    Their outer corners then move inwards at random, which only raises the IoU, and
    which of them comes first is random. Rectangles are whole pixels, rounded such that
    the IoU is never below the threshold. Both are resized to the outer rectangle's
    size and mirrored together.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Changed keys, now lists with an entry a
    view: ``img``, ``img_shape``, ``homography_matrix`` (3, 3), raw image to view in pixels.

    Args:
        transforms (Sequence[dict]): Transforms of each view that keep its size, such as
            color. Defaults to none.
        iou (float): Threshold tau, above 0 and below 1. Defaults to 0.5.
        area (tuple[float, float]): Range of the outer rectangle's share of the image.
            Defaults to (0.5, 1.0).
        aspect_ratio (tuple[float, float]): Range of its width by height. Defaults to
            (3/4, 4/3).
        flip_prob (float): Probability that both views are mirrored. Defaults to 0.5.
        max_tries (int): Rectangles to draw until one fits the image; then it is the whole
            image. Defaults to 10.

    Raises:
        ValueError: A setting is out of range, or a transform moves pixels without a record.
    """

    def __init__(
        self,
        transforms: Sequence[dict] = (),
        iou: float = 0.5,
        area: tuple[float, float] = (0.5, 1.0),
        aspect_ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        max_tries: int = 10,
    ) -> None:
        if not 0 < iou < 1:
            raise ValueError(f'train_pipeline, IoUConstrainedViews: iou = {iou} must be in (0, 1)')
        if not 0 < area[0] <= area[1] <= 1 or not 0 < aspect_ratio[0] <= aspect_ratio[1]:
            raise ValueError(
                f'train_pipeline, IoUConstrainedViews: area = {area} must be (low, high) in (0, '
                f'1], aspect_ratio = {aspect_ratio} (low, high) and positive'
            )
        if not 0 <= flip_prob <= 1 or max_tries < 1:
            raise ValueError(
                f'train_pipeline, IoUConstrainedViews: flip_prob = {flip_prob} must be in [0, 1], '
                f'max_tries = {max_tries} at least 1'
            )
        self.transforms = build_recorded(transforms, 'IoUConstrainedViews, transforms')
        self.iou, self.area, self.aspect_ratio = iou, tuple(area), tuple(aspect_ratio)
        self.flip_prob, self.max_tries = flip_prob, max_tries
        root = math.sqrt(iou / 2)
        #: a, the share of the overlap's sides in the outer rectangle's.
        self.share = root / (math.sqrt(1 + iou) - root)

    @cache_randomness
    def _outer(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the outer rectangle, whole pixels."""
        for _ in range(self.max_tries):
            area = np.random.uniform(self.area[0], self.area[1]) * height * width
            ratio = math.exp(np.random.uniform(*np.log(self.aspect_ratio)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 2 <= w <= width and 2 <= h <= height:
                left = np.random.randint(0, width - w + 1)
                top = np.random.randint(0, height - h + 1)
                return left, top, left + w, top + h
        return 0, 0, width, height

    @cache_randomness
    def _inwards(self) -> np.ndarray:
        """Shares of the way to the overlap that the outer corners go, (2 views, x and y)."""
        return np.random.uniform(size=(2, 2))

    @cache_randomness
    def _coins(self) -> tuple[bool, bool]:
        """Return whether the views change places, and are mirrored."""
        return np.random.rand() < 0.5, np.random.rand() < self.flip_prob

    def rectangles(self, height: int, width: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Draw the two views.

        Args:
            height (int): height of the image in pixels.
            width (int): width of the image in pixels.

        Returns:
            tuple: Left, top, right, bottom of both, (2, 4) whole pixels; and (h, w) of the
            outer rectangle.
        """
        left, top, right, bottom = self._outer(height, width)
        start, end = np.array([left, top]), np.array([right, bottom])
        margin = (1 - self.share) / 2 * (end - start)
        inner_start, inner_end = start + margin, end - margin
        # What both share is rounded up, what only one has is rounded down: the IoU grows.
        first_end = np.minimum(np.ceil(inner_end - 1e-9), end)
        second_start = np.maximum(np.floor(inner_start + 1e-9), start)
        move = self._inwards()
        first_start = np.ceil(start + move[0] * (second_start - start) - 1e-9)
        second_end = np.floor(end - move[1] * (end - first_end) + 1e-9)
        corners = np.array([[*first_start, *first_end], [*second_start, *second_end]])
        return corners.astype(int), (bottom - top, right - left)

    def transform(self, results: dict) -> dict:
        """Make the views.

        Raises:
            ValueError: A transform changed the size of a view.
        """
        image = results['img']
        rectangles, size = self.rectangles(*image.shape[:2])
        swapped, flipped = self._coins()
        views = []
        for left, top, right, bottom in rectangles[::-1] if swapped else rectangles:
            view_results = results.copy()
            crop = image[top:bottom, left:right]
            x, y = size[1] / (right - left), size[0] / (bottom - top)
            matrix = np.array([[x, 0, -left * x], [0, y, -top * y], [0, 0, 1.0]])
            view = resize_antialiased(crop, size, 'bilinear')
            if flipped:
                view = cv2.flip(view, 1)
                matrix = np.array([[-1, 0, size[1]], [0, 1, 0], [0, 0, 1.0]]) @ matrix
            view_results.update(img=view, img_shape=size)
            record_homography(view_results, matrix)
            view_results = self.transforms(view_results)
            if view_results['img'].shape[:2] != size:
                raise ValueError(
                    f'IoUConstrainedViews, transforms: must keep the size of a view, {size}, got '
                    f'{view_results["img"].shape[:2]}'
                )
            views.append(view_results)
        for key in VIEW_KEYS:
            results[key] = [view_results[key] for view_results in views]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(iou={self.iou}, area={self.area}, '
            f'aspect_ratio={self.aspect_ratio}, flip_prob={self.flip_prob}, '
            f'transforms={self.transforms})'
        )

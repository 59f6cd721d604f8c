"""Sources of the regions that points are drawn from and contrasted between.

All sources give the same: regions of the *raw* image. The views carry
homographies from there (contract 1), so none is transformed here. A batch
needs as many regions for each image: missing ones are boxes without area.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmpixcon.registry import TRANSFORMS, in_scope

from ..proposals.store import Proposals
from ..unreadable import CountedWarning

# Least side of UP-DETR's patches, in pixels.
MIN_PATCH = 8


class RegionSource(BaseTransform):
    """Base of the sources.

    Required key: ``ori_shape`` (H, W) of the raw image. Added key: ``regions``,
    (max_regions, 4) float32, x1, y1, x2, y2 in pixels of the raw image, outer
    edges. Removed: annotations, which the views would not move along. Of more
    regions than fit, other ones are drawn every time.

    Args:
        max_regions (int): Regions of an image, 1 to 255. Defaults to 32.

    Raises:
        ValueError: ``max_regions`` is out of range.
    """

    def __init__(self, max_regions: int = 32) -> None:
        if not 1 <= max_regions <= 255:
            raise ValueError(
                f'train_pipeline, {type(self).__name__}: max_regions = {max_regions} must be 1 to '
                '255'
            )
        self.max_regions = max_regions

    def boxes(self, results: dict) -> np.ndarray:
        """Boxes of the regions, (k, 4), x1, y1, x2, y2 in pixels of the raw image."""
        raise NotImplementedError

    @cache_randomness
    def _kept_indices(self, count: int) -> np.ndarray:
        """Choose the regions to keep, in their order."""
        if count <= self.max_regions:
            return np.arange(count)
        return np.sort(np.random.permutation(count)[: self.max_regions])

    def transform(self, results: dict) -> dict:
        """Add the regions."""
        boxes = np.asarray(self.boxes(results), dtype=np.float32).reshape(-1, 4)
        self._keep(results, boxes[self._kept_indices(len(boxes))])
        return results

    def _keep(self, results: dict, boxes: np.ndarray) -> None:
        regions = np.zeros((self.max_regions, 4), np.float32)
        regions[: len(boxes)] = boxes
        results['regions'] = regions
        for key in [key for key in results if key.startswith('gt_')]:
            del results[key]

    def __repr__(self) -> str:
        settings = ', '.join(f'{k}={v!r}' for k, v in vars(self).items() if not k.startswith('_'))
        return f'{type(self).__name__}({settings})'


@TRANSFORMS.register_module()
class GridRegions(RegionSource):
    """The cells of an n x n grid over the raw image: PLRC's regions (section 3.2).

    Args:
        n (int): Cells a side, 1 to 15. Defaults to 4.

    Raises:
        ValueError: ``n`` is out of range.
    """

    def __init__(self, n: int = 4) -> None:
        if not 1 <= n <= 15:
            raise ValueError(f'train_pipeline, GridRegions: n = {n} must be 1 to 15')
        super().__init__(n * n)
        self.n = n

    def boxes(self, results: dict) -> np.ndarray:
        """Make the regions of the cells, row by row."""
        height, width = results['ori_shape'][:2]
        x, y = (np.linspace(0, side, self.n + 1) for side in (width, height))
        x1, y1 = np.meshgrid(x[:-1], y[:-1])
        x2, y2 = np.meshgrid(x[1:], y[1:])
        return np.stack([x1, y1, x2, y2], axis=-1)


@TRANSFORMS.register_module()
class RandomRegions(RegionSource):
    """Random boxes, others every time.

    Args:
        num (int): Boxes, 1 to 255. Defaults to 16.
        area (tuple[float, float]): Range of a box' share of the image's area,
            drawn evenly. Defaults to (0.02, 0.5).
        aspect_ratio (tuple[float, float]): Range of width by height in units of
            the image's, drawn evenly in the logarithm. Defaults to (1/3, 3).

    Raises:
        ValueError: A setting is out of range.
    """

    def __init__(
        self,
        num: int = 16,
        area: tuple[float, float] = (0.02, 0.5),
        aspect_ratio: tuple[float, float] = (1 / 3, 3.0),
    ) -> None:
        super().__init__(num)
        if not 0 < area[0] <= area[1] <= 1 or not 0 < aspect_ratio[0] <= aspect_ratio[1]:
            raise ValueError(
                f'train_pipeline, RandomRegions: area = {area} must be (low, high) shares in (0, '
                f'1], aspect_ratio = {aspect_ratio} (low, high) and positive'
            )
        self.area, self.aspect_ratio = tuple(area), tuple(aspect_ratio)

    @cache_randomness
    def _relative(self) -> np.ndarray:
        """Boxes in the unit square, (num, 4)."""
        size = (self.max_regions, 1)
        area = np.random.uniform(self.area[0], self.area[1], size)
        least, most = np.log(self.aspect_ratio)
        root = np.sqrt(np.exp(np.random.uniform(least, most, size)))
        # No side is longer than the image; the area then shrinks.
        sides = np.minimum(np.sqrt(area) * np.concatenate([root, 1 / root], axis=1), 1)
        corner = np.random.uniform(size=(self.max_regions, 2)) * (1 - sides)
        return np.concatenate([corner, corner + sides], axis=1)

    def boxes(self, results: dict) -> np.ndarray:
        """Draw them."""
        height, width = results['ori_shape'][:2]
        return self._relative() * np.array([width, height, width, height])


@TRANSFORMS.register_module()
class RandomPatches(RegionSource):
    """Random patches, others every time: UP-DETR's, as its code draws them.

    Sides are even between 8 pixels and 8 less than the image's, and so is the place. An
    image of at most 16 pixels has none.

    Args:
        num (int): Patches, 1 to 255. Defaults to 10.
    """

    def __init__(self, num: int = 10) -> None:
        super().__init__(num)

    @cache_randomness
    def _relative(self) -> np.ndarray:
        """Draw shares of the free range of width, height, x and y for each patch."""
        return np.random.uniform(size=(self.max_regions, 2, 2))

    def boxes(self, results: dict) -> np.ndarray:
        """Draw them."""
        size = np.array(results['ori_shape'][1::-1], np.float64)
        if (size <= 2 * MIN_PATCH).any():
            return np.zeros((0, 4))
        drawn = self._relative()
        sides = np.floor(MIN_PATCH + drawn[:, 0] * (size - 2 * MIN_PATCH + 1))
        corner = np.floor(drawn[:, 1] * (size - sides + 1))
        return np.concatenate([corner, corner + sides], axis=1)


@TRANSFORMS.register_module()
class BoxRegions(RegionSource):
    """Annotated boxes, for analysis (figure 6 of PLRC).

    Required key: ``gt_bboxes``, as mmdet's ``LoadAnnotations(with_bbox=True)``
    gives it, before anything moves them. Boxes may overlap: a point drawn for
    one is no positive of a point drawn for the other, wherever they lie.

    Args:
        max_regions (int): number of regions of an image, 1 to 255. Defaults to 32.
    """

    def boxes(self, results: dict) -> np.ndarray:
        """The annotated ones."""
        boxes, keep = annotation(results, 'gt_bboxes', 'BoxRegions', 'with_bbox')
        return boxes.tensor.numpy()[keep]


@TRANSFORMS.register_module()
class MaskRegions(RegionSource):
    """Annotated masks, for analysis (figure 6 of PLRC).

    Required key: ``gt_masks``, as mmdet's ``LoadAnnotations(with_mask=True)``
    gives it, before anything moves them. Added key besides ``regions``, the
    masks' boxes: ``region_labels``, (side, side) uint8 over the whole raw image, r +
    1 in region r, 0 in none. Where masks overlap the smaller one counts.

    Args:
        max_regions (int): number of regions of an image, 1 to 255. Defaults to 32.
        side (int): Cells a side of the labels; they are sampled at their
            centers. Defaults to 256.

    Raises:
        ValueError: ``side`` is below 1.
    """

    def __init__(self, max_regions: int = 32, side: int = 256) -> None:
        super().__init__(max_regions)
        if side < 1:
            raise ValueError(f'train_pipeline, MaskRegions: side = {side} must be at least 1')
        self.side = side

    def transform(self, results: dict) -> dict:
        """Add the regions and their labels."""
        masks, keep = annotation(results, 'gt_masks', 'MaskRegions', 'with_mask')
        masks = masks.to_ndarray()[keep] > 0
        masks = masks[self._kept_indices(len(masks))]
        height, width = results['ori_shape'][:2]
        rows, columns = (
            ((np.arange(self.side) + 0.5) * (length / self.side)).astype(int)
            for length in (height, width)
        )
        labels = np.zeros((self.side, self.side), np.uint8)
        boxes = np.zeros((len(masks), 4), np.float32)
        for r in np.argsort(-masks.sum((1, 2)), kind='stable'):
            labels[masks[r][rows[:, None], columns]] = r + 1
            y, x = (np.flatnonzero(masks[r].any(axis)) for axis in (1, 0))
            if len(x):
                boxes[r] = x[0], y[0], x[-1] + 1, y[-1] + 1
        results['region_labels'] = labels
        self._keep(results, boxes)
        return results


@TRANSFORMS.register_module()
class ProposalRegions(RegionSource):
    """Object proposals from a file.

    Required keys besides ``ori_shape``: ``img_path``. Images without an entry
    are named and counted in the log (the 1st, 10th, 100th, ... time that one is
    met, of all workers of a loader) and get the regions of ``missing``.

    Args:
        path (str): Folder that :func:`mmpixcon.datasets.proposals.store.write_proposals`
            wrote.
        missing (dict, optional): Source for images that are not listed, such as
            ``dict(type='GridRegions', n=4)``. Defaults to None, an error.
        max_regions (int): number of regions of an image, 1 to 255. Defaults to 32.

    Raises:
        FileNotFoundError: There are no proposals at ``path``.
        ValueError: They are no proposals, or ``missing`` gives more regions than
            ``max_regions``.
    """

    def __init__(self, path: str, missing: dict | None = None, max_regions: int = 32) -> None:
        super().__init__(max_regions)
        self.path = str(path)
        self.missing = missing
        self._proposals = Proposals(Path(path))
        self._fallback: RegionSource | None = None
        if missing is not None:
            with in_scope():
                self._fallback = TRANSFORMS.build(missing)
            if self._fallback.max_regions > max_regions:
                raise ValueError(
                    f'train_pipeline, ProposalRegions: missing gives {self._fallback.max_regions} '
                    f'regions, max_regions = {max_regions} is fewer; raise it'
                )
        self._missed = CountedWarning()

    @property
    def missed(self) -> int:
        """Count how often an image had no entry."""
        return self._missed.count

    def boxes(self, results: dict) -> np.ndarray:
        """Look the image up.

        Raises:
            ValueError: It has no entry, and there is no ``missing``.
        """
        proposals = self._proposals.find(results['img_path'])
        if proposals is not None:
            return proposals
        if self._fallback is None:
            raise ValueError(
                f'{results["img_path"]} has no proposals in {self.path}. Write them anew, or set '
                "missing=dict(type='GridRegions', n=4) of ProposalRegions in the train_pipeline."
            )
        self._missed(
            f'{results["img_path"]} has no proposals in {self.path}: '
            f'{type(self._fallback).__name__} instead'
        )
        return self._fallback.boxes(results)


def annotation(results: dict, key: str, name: str, flag: str) -> tuple[Any, np.ndarray]:
    """Annotations of the raw image, and which of them are of single objects.

    Args:
        results (dict): results of a pipeline.
        key (str): key of the annotation.
        name (str): The transform that needs it.
        flag (str): What makes mmdet load it.

    Returns:
        tuple[object, np.ndarray]: Boxes or masks as loaded, and (k, ) bool,
        False for those to ignore, such as COCO's crowds.

    Raises:
        ValueError: It was not loaded, or not from the raw image.
    """
    if key not in results:
        raise ValueError(
            f"train_pipeline, {name}: there is no {key}; put dict(type='mmdet.LoadAnnotations', "
            f'{flag}=True) before it, and take a data set with annotations, such as '
            'mmpixcon.RobustCocoDataset'
        )
    if 'homography_matrix' in results:
        raise ValueError(
            f'train_pipeline, {name}: the annotations were moved; put it before every transform '
            'that moves pixels, ContrastViews included'
        )
    annotations = results[key]
    ignored = results.get('gt_ignore_flags', np.zeros(len(annotations), bool))
    return annotations, ~np.asarray(ignored, dtype=bool)

"""Regions as what a detector has to find, and their crops: data of pretrained DETRs."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes

from mmpixcon.registry import TRANSFORMS, in_scope

from ..unreadable import CountedWarning
from .geometry import resize_antialiased
from .pretext_views import build_recorded
from .regions import RegionSource
from .shared_proposals import clip_boxes, draw_moves, fill_with_copies

MIN_SIDE = 1.0


@TRANSFORMS.register_module()
class RegionTargets(BaseTransform):
    """Regions of an image as its ground truth, of one class: UP-DETR's, DETReg's.

    The first ``num`` regions of the source are taken and clipped to the image. An image without any
    is skipped: another one takes its place, and the log counts them (the 1st, 10th, 100th, ...
    time, of all workers of a loader). The transform must stand before what moves pixels; mmdet's
    transforms then move the regions along.

    Required key: those of the source. Added keys: ``gt_bboxes``, ``gt_bboxes_labels``
    (zeros) and ``gt_ignore_flags`` (False), as mmdet's ``LoadAnnotations``.

    Args:
        source (dict): A source of regions, such as ``dict(type='ProposalRegions',
            path=...)`` or ``dict(type='RandomPatches', num=10)``.
        num (int, optional): Regions to keep. Defaults to None, all.
        fill (bool): Whether copies with moved edges make up the number where the source
            has fewer, as UP-DETR needs it. Defaults to False.
        jitter (float): largest move of an edge of a copy, in its widths and heights. Defaults to
            0.1.

    Raises:
        ValueError: A setting is out of range, or the image was moved before.
    """

    def __init__(
        self, source: dict, num: int | None = None, fill: bool = False, jitter: float = 0.1
    ) -> None:
        if (num is not None and num < 1) or (fill and num is None) or not 0 <= jitter < 0.5:
            raise ValueError(
                f'train_pipeline, RegionTargets: num = {num} must be at least 1, fill = {fill} '
                f'needs num, jitter = {jitter} must be in [0, 0.5)'
            )
        with in_scope():
            self.source: RegionSource = TRANSFORMS.build(copy.deepcopy(source))
        self.num, self.fill, self.jitter = num, fill, jitter
        self._skipped = CountedWarning()

    def transform(self, results: dict) -> dict | None:
        """Add the regions; None where there are none."""
        if 'homography_matrix' in results:
            raise ValueError(
                'train_pipeline, RegionTargets: the image was moved; put it right after '
                'LoadImageFromFile'
            )
        height, width = results['ori_shape'][:2]
        limits = np.array([0, 0, width, height], np.float64)
        boxes = np.asarray(self.source.boxes(results), dtype=np.float64).reshape(-1, 4)
        boxes = clip_boxes(boxes, limits)
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(1)][: self.num]
        if not len(boxes):
            self._skipped(
                f'{results.get("img_path", "an image")} has no regions from '
                f'{type(self.source).__name__} and is skipped'
            )
            return None
        if self.fill and self.num is not None and len(boxes) < self.num:
            moves = draw_moves(self.num - len(boxes), self.jitter)
            boxes = fill_with_copies(boxes, moves, limits)
        results['gt_bboxes'] = HorizontalBoxes(boxes.astype(np.float32))
        results['gt_bboxes_labels'] = np.zeros(len(boxes), np.int64)
        results['gt_ignore_flags'] = np.zeros(len(boxes), bool)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(source={self.source}, num={self.num}, fill={self.fill}, '
            f'jitter={self.jitter})'
        )


@TRANSFORMS.register_module()
class RegionCrops(BaseTransform):
    """Cuts the regions out of the image, or out of each view.

    The image is taken as it is now, so that crops show what a view shows: equation (5) of Siamese
    DETR. ``transforms`` change each crop by itself, as UP-DETR's and DETReg's do.

    Required keys: ``img``, and ``gt_bboxes``; or, of views, lists of ``img`` and
    ``homography_matrix``, with ``regions`` of the raw image. Added key: ``region_crops``,
    (n, size, size, 3) uint8, or a list with one array a view.

    Args:
        size (int): Pixels a side. Defaults to 128.
        transforms (Sequence[dict]): transforms of each crop, which keep its size. Defaults to none.

    Raises:
        ValueError: ``size`` is below 1, a transform moves pixels without a record or
            changes the size, or there are no regions.
    """

    def __init__(self, size: int = 128, transforms: Sequence[dict] = ()) -> None:
        if size < 1:
            raise ValueError(f'train_pipeline, RegionCrops: size = {size} must be at least 1')
        self.size = size
        self.transforms = build_recorded(transforms, 'train_pipeline, RegionCrops, transforms')

    def transform(self, results: dict) -> dict:
        """Cut them out."""
        if isinstance(results['img'], list):
            results['region_crops'] = [
                self._crops(image, view_boxes(results, i).numpy())
                for i, image in enumerate(results['img'])
            ]
        else:
            if 'gt_bboxes' not in results:
                raise ValueError(
                    'train_pipeline, RegionCrops: there are no regions; put RegionTargets before it'
                )
            boxes = results['gt_bboxes'].tensor.numpy()
            results['region_crops'] = self._crops(results['img'], boxes)
        return results

    def _crops(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(n, size, size, 3) of whole pixels that boxes (n, 4) touch."""
        height, width = image.shape[:2]
        shape = (self.size, self.size)
        crops = np.empty((len(boxes), *shape, 3), np.uint8)
        for crop, (x1, y1, x2, y2) in zip(crops, boxes.tolist()):
            left = min(max(math.floor(x1), 0), width - 1)
            top = min(max(math.floor(y1), 0), height - 1)
            right, bottom = max(math.ceil(x2), left + 1), max(math.ceil(y2), top + 1)
            cut = resize_antialiased(image[top:bottom, left:right], shape, 'bilinear')
            cut = self.transforms(dict(img=cut, img_shape=shape))['img']
            if cut.shape[:2] != shape:
                raise ValueError(
                    f'train_pipeline, RegionCrops, transforms: must keep the size of a crop, '
                    f'{shape}, got {cut.shape[:2]}'
                )
            crop[:] = cut
        return crops

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, transforms={self.transforms})'


@TRANSFORMS.register_module()
class PackRegions(PackDetInputs):
    """Packs an image, or two views, with regions as ground truth, and their crops.

    An image is packed as mmdet's ``PackDetInputs`` packs it. Views become branches
    ``view1``, ``view2`` for mmdet's ``MultiBranchDataPreprocessor``, each with the regions
    in its own pixels, clipped to it. Crops go into the data samples as ``crops``, (n,
    3, size, size) uint8.

    Required keys: those of :class:`RegionCrops`; crops only if the model needs them.

    Args:
        meta_keys (Sequence[str]): keys of the results to keep where they are there. Defaults
            to ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor',
            'homography_matrix').
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'homography_matrix',
        ),
    ) -> None:
        super().__init__(tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        """Pack."""
        if not isinstance(results['img'], list):
            return self._pack(results, results.get('region_crops'))
        packed: dict[str, dict] = dict(inputs={}, data_samples={})
        for i, image in enumerate(results['img']):
            boxes = HorizontalBoxes(view_boxes(results, i))
            view_results = dict(
                results,
                img=image,
                img_shape=tuple(results['img_shape'][i]),
                homography_matrix=results['homography_matrix'][i],
                gt_bboxes=boxes,
                gt_bboxes_labels=np.zeros(len(boxes), np.int64),
                gt_ignore_flags=np.zeros(len(boxes), bool),
            )
            crops = results['region_crops'][i] if 'region_crops' in results else None
            for key, value in self._pack(view_results, crops).items():
                packed[key][f'view{i + 1}'] = value
        return packed

    def _pack(self, results: dict, crops: np.ndarray | None) -> dict:
        """One image."""
        packed = super().transform(results)
        if crops is not None:
            planes = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()
            packed['data_samples'].crops = planes
        return packed


def view_boxes(results: dict, view: int) -> torch.Tensor:
    """Regions of the raw image in the pixels of a view, clipped to it.

    Args:
        results (dict): results with ``regions``, and lists of ``homography_matrix`` and
            ``img_shape``.
        view (int): index of the view.

    Returns:
        torch.Tensor: (n, 4) float32, x1, y1, x2, y2.

    Raises:
        ValueError: There are no regions.
    """
    if 'regions' not in results:
        raise ValueError(
            'train_pipeline: there are no regions in the views; put SharedProposals after '
            'IoUConstrainedViews'
        )
    boxes = HorizontalBoxes(torch.from_numpy(results['regions']).clone())
    boxes.project_(results['homography_matrix'][view])
    boxes.clip_(results['img_shape'][view][:2])
    return boxes.tensor

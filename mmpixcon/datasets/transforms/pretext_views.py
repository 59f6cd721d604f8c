"""The views that self-supervised pretraining compares, from one decoded image."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from mmcv.transforms.utils import cache_randomness
from mmselfsup.structures import SelfSupDataSample

from mmpixcon.registry import TRANSFORMS, in_scope

from .geometry import RandomResizedCrop, record_homography, refuse_unrecorded_geometry

VIEW_KEYS = ('img', 'img_shape', 'homography_matrix')


def build_recorded(transforms: dict | Sequence[dict], where: str) -> Compose:
    """Build transforms whose geometry is on record; short names are mmpixcon's first.

    Args:
        transforms (dict | Sequence[dict]): transforms of a view.
        where (str): The config key to name.

    Raises:
        ValueError: One moves pixels without a record.
    """
    transforms = [transforms] if isinstance(transforms, dict) else list(transforms)
    with in_scope():
        built = Compose(copy.deepcopy(transforms))
    refuse_unrecorded_geometry(built.transforms, where)
    return built


@TRANSFORMS.register_module()
class ContrastViews(BaseTransform):
    """Several views of one decoded image, each with its homography.

    All views read the same pixels, without a copy, so the first transform that
    changes them must make new ones: every crop and every transform of mmpixcon
    does. With the crop first, color costs only what is kept.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Changed keys, now lists with one
    entry a view: ``img``, ``img_shape``, ``homography_matrix`` (3, 3), raw image
    to view in pixels. A :class:`JigsawView` gives an array of several images
    and homographies as its entry.

    Args:
        views (list[list[dict] | dict]): Transforms of each view, as in
            ``configs/_base_/views``.

    Raises:
        ValueError: There are no views, or one has no transforms or moves pixels
            without a record of it (by name).

    Examples:
        >>> train_pipeline = [
        ...     dict(type='LoadImageFromFile'),
        ...     dict(type='mmpixcon.ContrastViews', views=[byol_view1, byol_view2]),
        ...     dict(type='mmpixcon.PackViews')]
    """

    def __init__(self, views: Sequence[dict | Sequence[dict]]) -> None:
        if not views or not all(views):
            raise ValueError(
                'train_pipeline, ContrastViews, views: must be a list with the transforms of each '
                f'view, got {views}'
            )
        self.views = [
            build_recorded(view, f'train_pipeline, ContrastViews, views.{i}')
            for i, view in enumerate(views)
        ]

    def transform(self, results: dict) -> dict:
        """Make the views.

        Raises:
            ValueError: A view has another size than the image but no homography.
        """
        views = []
        for i, view in enumerate(self.views):
            # A shallow copy: the views share the image, which is most of it.
            view_results = view(results.copy())
            if 'homography_matrix' not in view_results:
                if view_results['img'].shape != results['img'].shape:
                    raise ValueError(
                        f'train_pipeline, ContrastViews, views.{i}: the image was resized without '
                        'a homography_matrix; use mmpixcon.RandomResizedCrop or mmdet.Resize'
                    )
                view_results['homography_matrix'] = np.eye(3)
                view_results.setdefault('img_shape', view_results['img'].shape[:2])
            views.append(view_results)
        for key in VIEW_KEYS:
            results[key] = [view_results[key] for view_results in views]
        return results

    def __repr__(self) -> str:
        views = ', '.join(str(view) for view in self.views)
        return f'{type(self).__name__}(views=[{views}])'


@TRANSFORMS.register_module()
class JigsawView(BaseTransform):
    """Local view of DetCo: patches of a grid over a crop, augmented independently.

    A random crop is resized, maybe mirrored, and cut into ``grid`` x ``grid``
    cells; each patch is a random part of its cell (DetCo, arXiv:2102.04803,
    section 3.3, after PIRL, arXiv:1912.01991). Patches are in raster order.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Changed keys: ``img`` (grid *
    grid, patch, patch, 3) uint8, ``img_shape`` (patch, patch) of every patch,
    ``homography_matrix`` (grid * grid, 3, 3) raw image to patch in pixels.

    Args:
        crop (dict, optional): Arguments of :class:`RandomResizedCrop`; its
            ``scale`` is the side of the grid in pixels, a multiple of ``grid``.
            Defaults to 255 pixels of at least 60 % of the image, mirrored half
            of the time, as in PIRL.
        grid (int): Cells along a side. Defaults to 3.
        patch (int): Side of a patch in pixels. Defaults to 64.
        transforms (list[dict]): Transforms of each patch that keep its size,
            such as color. Defaults to none.

    Raises:
        ValueError: The grid does not divide the crop into square cells, a patch
            is larger than a cell, or a transform moves pixels without a record.
    """

    def __init__(
        self,
        crop: dict | None = None,
        grid: int = 3,
        patch: int = 64,
        transforms: Sequence[dict] = (),
    ) -> None:
        default = dict(scale=255, crop_ratio_range=(0.6, 1.0), flip_prob=0.5, backend='torch')
        self.crop = RandomResizedCrop(**{**default, **(crop or {})})
        height, width = self.crop.scale
        if height != width or height % grid or not 0 < patch <= height // grid:
            raise ValueError(
                f'JigsawView: crop.scale must be square, a multiple of grid and at least grid * '
                f'patch pixels, got {height} x {width}, grid {grid}, patch {patch}'
            )
        self.grid, self.patch = grid, patch
        self.transforms = build_recorded(transforms, 'JigsawView, transforms')

    @cache_randomness
    def _corners(self) -> np.ndarray:
        """Upper left corners (x, y) of the patches in the crop, (grid * grid, 2)."""
        cell = self.crop.scale[0] // self.grid
        rows, columns = np.divmod(np.arange(self.grid**2), self.grid)
        offsets = np.random.randint(0, cell - self.patch + 1, (self.grid**2, 2))
        return np.stack([columns, rows], axis=1) * cell + offsets

    def transform(self, results: dict) -> dict:
        """Cut and augment the patches.

        Raises:
            ValueError: A transform changed the size of a patch.
        """
        results = self.crop(results)
        img, side = results['img'], self.patch
        patches = np.empty((self.grid**2, side, side, 3), np.uint8)
        matrices = np.empty((self.grid**2, 3, 3))
        for i, (x, y) in enumerate(self._corners()):
            patch_results = results.copy()
            # OpenCV is faster on memory that is not interrupted.
            patch_results.update(
                img=np.ascontiguousarray(img[y : y + side, x : x + side]), img_shape=(side, side)
            )
            record_homography(patch_results, np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]]))
            patch_results = self.transforms(patch_results)
            if patch_results['img'].shape != patches.shape[1:]:
                raise ValueError(
                    f'JigsawView, transforms: must keep the size of a patch, {side} x {side}, got '
                    f'{patch_results["img"].shape}'
                )
            patches[i], matrices[i] = patch_results['img'], patch_results['homography_matrix']
        results.update(img=patches, img_shape=(side, side), homography_matrix=matrices)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop={self.crop}, grid={self.grid}, patch={self.patch}, '
            f'transforms={self.transforms})'
        )


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Packs views for mmselfsup's ``SelfSupDataPreprocessor``.

    That turns ``inputs`` of a batch into a list of batches, one a view,
    normalizes them on the device and, with ``bgr_to_rgb=True``, turns them into
    RGB by their second dimension. For patches that is not the channel, so they
    are packed as RGB and the preprocessor must leave them: ``to_rgb=True`` here,
    ``bgr_to_rgb=False`` there.

    Required keys: those that :class:`ContrastViews` changes. Returns
    ``inputs``, a list with a (3, h, w) or (patches, 3, h, w) uint8 tensor a view,
    and ``data_samples``, a ``SelfSupDataSample`` with the meta information.

    Args:
        to_rgb (bool): Whether to turn BGR into RGB here. Defaults to False.
        meta_keys (Sequence[str]): keys of the results to keep where they are there.
            Defaults to ('img_path', 'ori_shape', 'img_shape',
            'homography_matrix', 'regions', 'region_labels').

    Raises:
        ValueError: While packing: patches without ``to_rgb``, or an image that
            is not uint8 of three channels.
    """

    def __init__(
        self,
        to_rgb: bool = False,
        meta_keys: Sequence[str] = (
            'img_path',
            'ori_shape',
            'img_shape',
            'homography_matrix',
            'regions',
            'region_labels',
        ),
    ) -> None:
        self.to_rgb = to_rgb
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack ``results['img']``, a list of views."""
        sample = SelfSupDataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        return dict(inputs=[self._pack(img) for img in results['img']], data_samples=sample)

    def _pack(self, img: np.ndarray) -> torch.Tensor:
        """A tensor with the channels before height and width."""
        if img.dtype != np.uint8 or img.ndim not in (3, 4) or img.shape[-1] != 3:
            raise ValueError(
                f'PackViews: a view must be uint8 (H, W, 3) or (patches, H, W, 3), got {img.dtype} '
                f'{img.shape}; leave normalization to the data_preprocessor'
            )
        if img.ndim == 4 and not self.to_rgb:
            raise ValueError(
                'PackViews: patches must be packed as RGB; set to_rgb=True here and '
                'model.data_preprocessor.bgr_to_rgb=False'
            )
        order = (2, 1, 0) if self.to_rgb else (0, 1, 2)
        packed = np.empty((*img.shape[:-3], 3, *img.shape[-3:-1]), np.uint8)
        for image, planes in zip(
            img.reshape(-1, *img.shape[-3:]), packed.reshape(-1, *packed.shape[-3:])
        ):
            # In place, many times faster than a transposed copy.
            cv2.split(image, [planes[channel] for channel in order])
        return torch.from_numpy(packed)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(to_rgb={self.to_rgb}, meta_keys={self.meta_keys})'

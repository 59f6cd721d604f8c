"""Geometric transforms that keep ``homography_matrix`` (contract 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmcls.datasets.transforms import RandomResizedCrop as _RandomResizedCrop
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmpixcon.registry import TRANSFORMS

# Transforms that move, add or mix pixels without a homography: of mmdet and
# mmcv, and the bridge to Albumentations, which hides what it does.
UNRECORDED_GEOMETRY = frozenset(
    {
        'Albu',
        'CachedMixUp',
        'CachedMosaic',
        'CenterCrop',
        'CopyPaste',
        'Expand',
        'MinIoURandomCrop',
        'MixUp',
        'Mosaic',
        'MultiScaleFlipAug',
        'RandomAffine',
        'RandomCenterCropPad',
        'RandomShift',
        'TestTimeAug',
    }
)


def record_homography(results: dict, matrix: np.ndarray) -> None:
    """Compose a step's homography with what the results hold.

    Args:
        results (dict): Results of a pipeline; ``homography_matrix`` (3, 3), raw
            image to view in pixels, is updated, the identity if absent.
        matrix (np.ndarray): (3, 3), from the view before the step to after it.
    """
    before = results.get('homography_matrix')
    results['homography_matrix'] = matrix if before is None else matrix @ before


def nested_transforms(transform: object) -> Iterator[object]:
    """A transform and every transform inside it, wrappers of any depth included."""
    if isinstance(transform, dict):
        for value in transform.values():
            yield from nested_transforms(value)
    elif isinstance(transform, (list, tuple)):
        for value in transform:
            yield from nested_transforms(value)
    elif isinstance(transform, BaseTransform) or type(transform).__name__ == 'Compose':
        yield transform
        yield from nested_transforms(vars(transform))


def refuse_unrecorded_geometry(transforms: object, where: str) -> None:
    """Refuse a pipeline whose geometry cannot be traced back to the raw image.

    Args:
        transforms (object): Built transforms, nested at will.
        where (str): The config key to name.

    Raises:
        ValueError: Names the transforms.
    """
    unrecorded = {
        cls.__name__
        for transform in nested_transforms(transforms)
        for cls in type(transform).__mro__
        if cls.__name__ in UNRECORDED_GEOMETRY
    }
    if unrecorded:
        raise ValueError(
            f'{where}: {", ".join(sorted(unrecorded))} moves pixels without recording a '
            'homography_matrix, so cells of the two views cannot be matched. Remove it, or use '
            'one that does: Resize, RandomFlip, RandomCrop, RandomResizedCrop, Rotate, ShearX, '
            'ShearY, TranslateX, TranslateY.'
        )


def resize_antialiased(img: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize as PIL does, which widens the filter where it shrinks.

    Within one level of PIL, but for cubic overshoot at black and white.
    OpenCV's linear and cubic filters read a fixed number of pixels, so they
    alias where they shrink; its area filter does not, but takes longer.

    Args:
        img (np.ndarray): (H, W, C) uint8.
        size (tuple[int, int]): (h, w) in pixels.
        interpolation (str): 'bilinear' or 'bicubic'.

    Returns:
        np.ndarray: (h, w, C) uint8, contiguous.
    """
    # As a batch whose channels are innermost, the layout that torch has a fast path for.
    batch = torch.from_numpy(np.ascontiguousarray(img)).permute(2, 0, 1)[None]
    planes = F.interpolate(batch, size, mode=interpolation, antialias=True)[0]
    # What comes out is planar; OpenCV interleaves it faster than a transposed copy.
    return cv2.merge(list(planes.numpy()))


@TRANSFORMS.register_module()
class RandomResizedCrop(_RandomResizedCrop):
    """mmcls' random resized crop, with its homography on record.

    For images without annotations: boxes and masks are not carried along.

    Modified keys: ``img``, ``img_shape`` (H, W), ``homography_matrix``; added
    key: ``flip``.

    Args:
        *args: As :class:`mmcls.datasets.transforms.RandomResizedCrop`;
            ``scale`` is (h, w) there and here.
        flip_prob (float): Probability that the view is mirrored left to right.
            Defaults to 0.
        backend (str): 'cv2'; 'pillow'; or 'torch', which gives pillow's
            antialiased pixels in about a tenth of its time, for
            ``interpolation`` 'bilinear' and 'bicubic'. Defaults to 'cv2'.
        **kwargs: As there.

    Raises:
        ValueError: ``flip_prob`` is no probability, or the backend does not
            have the interpolation.
    """

    def __init__(
        self, *args: Any, flip_prob: float = 0.0, backend: str = 'cv2', **kwargs: Any
    ) -> None:
        super().__init__(*args, backend=backend, **kwargs)
        if not 0 <= flip_prob <= 1:
            raise ValueError(f'RandomResizedCrop: flip_prob must be in [0, 1], got {flip_prob}')
        if backend == 'torch' and self.interpolation not in ('bilinear', 'bicubic'):
            raise ValueError(
                f"RandomResizedCrop: backend 'torch' must go with interpolation 'bilinear' or "
                f"'bicubic', got {self.interpolation!r}; use backend 'cv2'"
            )
        self.flip_prob = flip_prob

    @cache_randomness
    def _flips(self) -> bool:
        return np.random.rand() < self.flip_prob

    def transform(self, results: dict) -> dict:
        """Crop, resize and mirror ``results['img']``."""
        top, left, height, width = self.rand_crop_params(results['img'])
        crop = results['img'][top : top + height, left : left + width]
        out_h, out_w = self.scale
        if self.backend == 'torch':
            img = resize_antialiased(crop, (out_h, out_w), self.interpolation)
        else:
            img = mmcv.imresize(
                crop, (out_w, out_h), interpolation=self.interpolation, backend=self.backend
            )
        x, y = out_w / width, out_h / height
        matrix = np.array([[x, 0, -left * x], [0, y, -top * y], [0, 0, 1]])
        flip = self._flips()
        if flip:
            # A copy: what follows is slow on a view that runs backwards.
            img = cv2.flip(img, 1)
            matrix = np.array([[-1, 0, out_w], [0, 1, 0], [0, 0, 1]]) @ matrix
        results.update(img=img, img_shape=(out_h, out_w), flip=flip)
        record_homography(results, matrix)
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, flip_prob={self.flip_prob})'

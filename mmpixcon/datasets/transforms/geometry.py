"""Geometric transforms that keep ``homography_matrix`` (contract 1)."""

from __future__ import annotations

from collections.abc import Iterator

import mmcv
import numpy as np
from mmcls.datasets.transforms import RandomResizedCrop as _RandomResizedCrop
from mmcv.transforms import BaseTransform

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
    found = {
        cls.__name__
        for transform in nested_transforms(transforms)
        for cls in type(transform).__mro__
        if cls.__name__ in UNRECORDED_GEOMETRY
    }
    if found:
        raise ValueError(
            f'{where}: {", ".join(sorted(found))} moves pixels without recording a '
            'homography_matrix, so cells of the two views cannot be matched. Remove it, or use '
            'one that does: Resize, RandomFlip, RandomCrop, RandomResizedCrop, Rotate, ShearX, '
            'ShearY, TranslateX, TranslateY.'
        )


@TRANSFORMS.register_module()
class RandomResizedCrop(_RandomResizedCrop):
    """mmcls' random resized crop, with its homography on record.

    For images without annotations: boxes and masks are not carried along.

    Modified keys: ``img``, ``img_shape`` (H, W), ``homography_matrix``. See
    :class:`mmcls.datasets.transforms.RandomResizedCrop` for the arguments;
    ``scale`` is (h, w) there and here.
    """

    def transform(self, results: dict) -> dict:
        """Crop and resize ``results['img']``."""
        top, left, height, width = self.rand_crop_params(results['img'])
        crop = results['img'][top : top + height, left : left + width]
        out_h, out_w = self.scale
        results['img'] = mmcv.imresize(
            crop, (out_w, out_h), interpolation=self.interpolation, backend=self.backend
        )
        results['img_shape'] = (out_h, out_w)
        x, y = out_w / width, out_h / height
        record_homography(results, np.array([[x, 0, -left * x], [0, y, -top * y], [0, 0, 1]]))
        return results

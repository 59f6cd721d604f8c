"""The two views that PixCon trains on."""

from __future__ import annotations

import copy

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmdet.datasets.transforms import MultiBranch, PackDetInputs

from mmpixcon.registry import TRANSFORMS, in_scope

from .geometry import RandomResizedCrop, refuse_unrecorded_geometry
from .photometric import ColorJitter, RandomGaussianBlur, RandomGrayscale, RandomSolarize

DETECTION, MOMENTUM = 'detection', 'momentum'


@TRANSFORMS.register_module()
class MomentumView(BaseTransform):
    """The momentum encoder's view: BYOL's augmentation, its geometry on record.

    Random resized crop, flip, color jitter, grayscale, blur, solarize; color
    and blur with the probabilities of BYOL's second view. Annotations are
    dropped. Crops of the decoded image come first, so that color costs only
    what is kept.

    Required keys: ``img`` (H, W, 3) uint8. Added or changed: ``img``,
    ``img_shape``, ``homography_matrix`` (3, 3) raw image to view, ``flip``.

    Args:
        scale (tuple[int, int]): (w, h) of the view in pixels.
        crop_ratio_range (tuple[float, float]): Share of the image's area.
            Defaults to (0.08, 1.0).
        aspect_ratio_range (tuple[float, float]): Aspect ratio of the crop.
            Defaults to (3/4, 4/3).
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.5.
        color_jitter (dict, optional): Arguments of :class:`ColorJitter`.
        grayscale_prob (float): Defaults to 0.2.
        blur_prob (float): Defaults to 0.1.
        solarize_prob (float): Defaults to 0.2.
        interpolation (str): interpolation of the resized crop, as in :class:`RandomResizedCrop`;
            BYOL's is 'bicubic'. Defaults to 'bilinear'.
        backend (str): backend that resizes the crop, as in :class:`RandomResizedCrop`; BYOL's
            antialiases, as 'torch' does. Defaults to 'cv2'.
    """

    def __init__(
        self,
        scale: tuple[int, int],
        crop_ratio_range: tuple[float, float] = (0.08, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        color_jitter: dict | None = None,
        grayscale_prob: float = 0.2,
        blur_prob: float = 0.1,
        solarize_prob: float = 0.2,
        interpolation: str = 'bilinear',
        backend: str = 'cv2',
    ) -> None:
        self.transforms = Compose(
            [
                RandomResizedCrop(
                    scale=(scale[1], scale[0]),
                    crop_ratio_range=crop_ratio_range,
                    aspect_ratio_range=aspect_ratio_range,
                    flip_prob=flip_prob,
                    interpolation=interpolation,
                    backend=backend,
                ),
                ColorJitter(**(color_jitter or {})),
                RandomGrayscale(grayscale_prob),
                RandomGaussianBlur(prob=blur_prob),
                RandomSolarize(prob=solarize_prob),
            ]
        )

    def transform(self, results: dict) -> dict:
        """Make the view."""
        dropped = ('gt_bboxes', 'gt_bboxes_labels', 'gt_masks', 'gt_seg_map', 'gt_ignore_flags')
        for key in dropped:
            results.pop(key, None)
        return self.transforms(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.transforms})'


@TRANSFORMS.register_module()
class PixelContrastViews(MultiBranch):
    """Ends a train pipeline in the detection view and the momentum view.

    The image is decoded once, by the transforms before this one, and goes
    through two branches for mmdet's multi-branch preprocessor. Both are packed
    with the homography from the raw image.

    Args:
        detection (list[dict]): The detector's own train pipeline without the
            loading, ending in ``PackDetInputs``.
        momentum (dict | list[dict], optional): :class:`MomentumView`, or any
            transforms that record homographies; packed here. Defaults to a
            :class:`MomentumView` of 640 x 640.

    Raises:
        ValueError: A branch moves pixels without a record of it (by name), or
            the detection branch is not packed.

    Examples:
        >>> train_pipeline = [
        ...     *_base_.train_pipeline[:2],
        ...     dict(type='mmpixcon.PixelContrastViews',
        ...          detection=_base_.train_pipeline[2:],
        ...          momentum=dict(type='MomentumView', scale=(640, 640)))]
    """

    meta_keys = ('homography_matrix',)

    def __init__(self, detection: list[dict], momentum: dict | list[dict] | None = None) -> None:
        momentum = momentum or dict(type='MomentumView', scale=(640, 640))
        momentum = [momentum] if isinstance(momentum, dict) else list(momentum)
        branches = {DETECTION: copy.deepcopy(list(detection)), MOMENTUM: copy.deepcopy(momentum)}
        branches[MOMENTUM].append(dict(type='mmdet.PackDetInputs'))
        with in_scope():
            super().__init__(branch_field=list(branches), **branches)
        for branch, pipeline in self.branch_pipelines.items():
            refuse_unrecorded_geometry(
                pipeline.transforms, f'train_pipeline, PixelContrastViews, {branch}'
            )
            packers = [t for t in pipeline.transforms if isinstance(t, PackDetInputs)]
            if len(packers) != 1 or packers[0] is not pipeline.transforms[-1]:
                raise ValueError(
                    f'train_pipeline, PixelContrastViews, {branch}: must end in one PackDetInputs '
                    '(detection) or in none (momentum)'
                )
            packers[0].meta_keys = (*packers[0].meta_keys, *self.meta_keys)

    def transform(self, results: dict) -> dict | None:
        """Make and pack both views; None if a branch gives none."""
        resized = tuple(results['img'].shape[:2]) != tuple(results['ori_shape'][:2])
        if resized and 'homography_matrix' not in results:
            raise ValueError(
                f'{results.get("img_path")}: the image was resized before PixelContrastViews '
                'without a homography_matrix; move geometry into its branches'
            )
        results.setdefault('homography_matrix', np.eye(3))
        return super().transform(results)

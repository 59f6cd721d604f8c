"""The two views, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmpixcon.datasets.transforms import MomentumView, PixelContrastViews
from mmpixcon.models.geometry import ViewGrid
from mmpixcon.registry import DATASETS
from tests.helpers.configs import shipped_config

PACK = dict(type='PackDetInputs')
VIEW = dict(type='MomentumView', scale=(64, 48))


def test_both_branches_come_from_one_image_with_their_homographies(scenes_root, tmp_path):
    cfg = shipped_config(
        'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path
    )
    np.random.seed(3)
    sample = DATASETS.build(cfg.train_dataloader.dataset)[0]
    inputs, samples = sample['inputs'], sample['data_samples']
    assert inputs['detection'].shape == inputs['momentum'].shape == (3, 128, 160)
    assert inputs['momentum'].dtype == torch.uint8
    assert samples['detection'].img_path == samples['momentum'].img_path
    assert len(samples['detection'].gt_instances) > 0
    assert 'bboxes' not in samples['momentum'].gt_instances
    for branch in ('detection', 'momentum'):
        view = ViewGrid(
            samples[branch].homography_matrix, (4, 5), (128, 160), samples[branch].img_shape
        )
        x, y = view.footprint().unbind(-1)
        assert x.min() >= -1e-3
        assert x.max() <= 160 + 1e-3
        assert y.min() >= -1e-3
        assert y.max() <= 128 + 1e-3


def test_momentum_view_without_color_is_the_crop_that_its_homography_says():
    y, x = np.mgrid[:120, :160].astype(np.uint8)
    img = np.stack([x, y, x], axis=-1)
    view = MomentumView(
        scale=(64, 48), flip_prob=1.0, color_jitter=dict(prob=0), grayscale_prob=0,
        blur_prob=0, solarize_prob=0, crop_ratio_range=(0.4, 0.6),
    )  # fmt: skip
    results = view(dict(img=img, img_shape=(120, 160), gt_bboxes=np.zeros((1, 4))))
    assert 'gt_bboxes' not in results
    assert results['flip']
    grid = ViewGrid(results['homography_matrix'], (48, 64), (48, 64), results['img_shape'])
    raw = grid.raw_centres.view(48, 64, 2)[2:-2, 2:-2]
    seen = torch.from_numpy(results['img'][2:-2, 2:-2, :2].copy()) + 0.5
    # Half a level of rounding, and OpenCV's weights of 5 bits.
    assert (raw - seen).abs().max() <= 0.75


def test_the_same_seed_gives_the_same_view():
    img = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    views = []
    for _ in range(2):
        np.random.seed(5)
        views.append(MomentumView(scale=(64, 48))(dict(img=img.copy(), img_shape=(80, 90))))
    assert np.array_equal(views[0]['img'], views[1]['img'])
    assert np.array_equal(views[0]['homography_matrix'], views[1]['homography_matrix'])


@pytest.mark.parametrize(
    'transform',
    [
        dict(type='RandomAffine'),
        dict(type='Expand'),
        dict(type='MinIoURandomCrop'),
        dict(type='Mosaic'),
        dict(type='CachedMixUp', img_scale=(64, 64)),
        dict(type='RandomChoice', transforms=[[dict(type='RandomShift')], []]),
    ],
)
def test_geometry_without_a_record_is_refused_by_name(transform):
    name = transform['type']
    if name == 'RandomChoice':
        name = 'RandomShift'
    with pytest.raises(ValueError, match=f'{name.removeprefix("Cached")}.* moves pixels'):
        PixelContrastViews(detection=[transform, PACK], momentum=VIEW)
    with pytest.raises(ValueError, match='PixelContrastViews, momentum'):
        PixelContrastViews(detection=[PACK], momentum=[VIEW, transform])


def test_detection_must_be_packed_once():
    with pytest.raises(ValueError, match='must end in one PackDetInputs'):
        PixelContrastViews(detection=[dict(type='RandomFlip', prob=0.5)], momentum=VIEW)
    with pytest.raises(ValueError, match='or in none'):
        PixelContrastViews(detection=[PACK], momentum=[VIEW, PACK])


def test_resizing_without_a_record_before_the_views_is_refused():
    views = PixelContrastViews(detection=[PACK], momentum=VIEW)
    results = dict(
        img=np.zeros((40, 50, 3), np.uint8), img_shape=(40, 50), ori_shape=(80, 100),
        img_path='photo.jpg', img_id=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r'photo\.jpg: the image was resized'):
        views(results)

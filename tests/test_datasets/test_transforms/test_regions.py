"""Sources of regions: what they add, what they take away, and what they refuse."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose

from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.datasets.transforms import (
    BoxRegions,
    GridRegions,
    MaskRegions,
    ProposalRegions,
    RandomRegions,
)
from mmpixcon.models.geometry.regions import RegionBatch
from mmpixcon.registry import DATASETS

SHAPE = (60, 90)


def image(**more):
    return dict(img=np.zeros((*SHAPE, 3), np.uint8), ori_shape=SHAPE, img_path='a/1.jpg') | more


@pytest.mark.parametrize('n', [1, 3, 4])
def test_each_point_lies_in_one_cell_of_a_grid(n):
    regions = GridRegions(n)(image())['regions']
    assert regions.shape == (n * n, 4) and regions.dtype == np.float32
    batch = RegionBatch(torch.tensor(regions)[None].double(), None, torch.tensor([[90, 60]]))
    y, x = torch.meshgrid(torch.arange(60), torch.arange(90), indexing='ij')
    points = torch.stack([x, y], 2).view(1, -1, 2).double()
    cell = batch.members(points)[0].int()
    assert (cell.sum(0) == 1).all()
    expected = (y * n // 60) * n + x * n // 90
    assert torch.equal(cell.argmax(0).view(60, 90), expected)


def test_random_boxes_are_within_the_image():
    np.random.seed(0)
    source = RandomRegions(num=200, area=(0.1, 0.3), aspect_ratio=(0.5, 2))
    boxes = source(image())['regions']
    assert boxes.min() >= 0 and (boxes[:, 2:] <= (90.001, 60.001)).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    share = sides.prod(1) / (60 * 90)
    assert share.min() > 0.099 and share.max() < 0.301
    ratio = sides[:, 0] / sides[:, 1] / 1.5
    assert 0.499 < ratio.min() < 0.6 and 1.7 < ratio.max() < 2.001
    assert not np.array_equal(source(image())['regions'], boxes)


def annotated(root, masks):
    return DATASETS.build(
        dict(
            type='mmpixcon.RobustCocoDataset',
            data_root=str(root),
            ann_file='annotations/train.json',
            data_prefix=dict(img='train/'),
            metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross')),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=masks),
            ],
        )
    )


def test_annotated_boxes(scenes_root):
    dataset = annotated(scenes_root, masks=False)
    for i in range(4):
        results = dataset[i]
        boxes = results['gt_bboxes'].tensor.numpy()
        results['gt_ignore_flags'][0] = True
        made = BoxRegions(max_regions=8)(results.copy())
        assert made['regions'].shape == (8, 4)
        assert np.array_equal(made['regions'][: len(boxes) - 1], boxes[1:])
        assert not made['regions'][len(boxes) - 1 :].any()
        assert not [key for key in made if key.startswith('gt_')]


def test_of_too_many_boxes_others_are_drawn_every_time(scenes_root):
    results = annotated(scenes_root, masks=False)[0]
    boxes = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.random.seed(0)
    seen = set()
    for _ in range(40):
        results['gt_bboxes'].tensor = torch.from_numpy(boxes)
        results['gt_ignore_flags'] = np.zeros(5, bool)
        kept = BoxRegions(max_regions=2)(results.copy())['regions']
        first, second = ((box == boxes).all(1).argmax() for box in kept)
        assert first < second
        seen.add((first, second))
    assert len(seen) == 10


def test_annotated_masks(scenes_root):
    dataset = annotated(scenes_root, masks=True)
    for i in range(4):
        results = dataset[i]
        masks = results['gt_masks'].to_ndarray().astype(bool)
        height, width = results['ori_shape']
        made = MaskRegions(max_regions=9, side=64)(results.copy())
        labels = made['region_labels']
        assert labels.shape == (64, 64) and labels.dtype == np.uint8
        order = sorted(range(len(masks)), key=lambda r: masks[r].sum())
        for row in range(0, 64, 3):
            for column in range(64):
                y, x = int((row + 0.5) / 64 * height), int((column + 0.5) / 64 * width)
                front = next((r + 1 for r in order if masks[r, y, x]), 0)
                assert labels[row, column] == front
        for mask, (x1, y1, x2, y2) in zip(masks, made['regions'].astype(int)):
            assert mask[y1:y2, x1:x2].sum() == mask.sum()
            assert mask[y1].any() and mask[y2 - 1].any()
            assert mask[:, x1].any() and mask[:, x2 - 1].any()


def test_proposals_and_images_without_them(tmp_path, monkeypatch):
    boxes = np.array([[1, 2, 30, 40], [5, 5, 9, 9], [0, 0, 90, 60]], np.float32)
    write_proposals(tmp_path / 'found', ['1.jpg'], [boxes])
    path = str(tmp_path / 'found')
    source = ProposalRegions(path, missing=dict(type='GridRegions', n=2), max_regions=4)
    regions = source(image())['regions']
    assert np.array_equal(regions[:3], boxes) and not regions[3].any()
    logged = []
    monkeypatch.setattr(
        'mmpixcon.datasets.unreadable.print_log',
        lambda message, level, **_: logged.append((level, message)),
    )
    for _ in range(12):
        actual = source(image(img_path='b/2.jpg'))['regions']
        assert np.array_equal(actual, GridRegions(2)(image())['regions'])
    assert source.missed == 12
    assert [message.split('; ')[1] for _, message in logged] == [
        '1 times so far.',
        '10 times so far.',
    ]
    assert all('b/2.jpg has no proposals' in m and lvl == logging.WARNING for lvl, m in logged)
    with pytest.raises(ValueError, match=r'b/2.jpg has no proposals .* missing=dict'):
        ProposalRegions(path)(image(img_path='b/2.jpg'))


def test_regions_are_packed_with_the_views():
    crop = dict(type='RandomResizedCrop', scale=8)
    views = dict(type='mmpixcon.ContrastViews', views=[crop, crop])
    pipeline = Compose([GridRegions(2), views, dict(type='mmpixcon.PackViews')])
    sample = pipeline(image())['data_samples']
    assert sample.regions.shape == (4, 4) and sample.ori_shape == SHAPE
    assert np.array(sample.homography_matrix).shape == (2, 3, 3)
    assert 'region_labels' not in sample


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: GridRegions(0), 'GridRegions: n = 0 must be 1 to 15'),
        (lambda: RandomRegions(0), 'RandomRegions: max_regions = 0 must be 1 to 255'),
        (lambda: RandomRegions(area=(0.5, 0.1)), r'area = \(0.5, 0.1\) must be \(low, high\)'),
        (lambda: BoxRegions(300), 'BoxRegions: max_regions = 300'),
        (lambda: MaskRegions(side=0), 'side = 0 must be at least 1'),
        (lambda: BoxRegions()(image()), 'no gt_bboxes; put .*with_bbox=True.*RobustCocoDataset'),
        (lambda: MaskRegions()(image()), 'no gt_masks; put .*with_mask=True'),
        (
            lambda: BoxRegions()(image(gt_bboxes=1, homography_matrix=[np.eye(3)])),
            'put it before every transform that moves pixels',
        ),
    ],
)
def test_errors_say_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_fallback_of_too_many_regions(tmp_path):
    write_proposals(tmp_path / 'found', ['1.jpg'], [np.zeros((0, 4))])
    with pytest.raises(ValueError, match='missing gives 16 regions, max_regions = 4 is fewer'):
        ProposalRegions(str(tmp_path / 'found'), dict(type='GridRegions', n=4), max_regions=4)
    with pytest.raises(FileNotFoundError, match='proposals are a folder'):
        ProposalRegions(str(tmp_path))
    # Listed, without any: nothing to draw from.
    assert not ProposalRegions(str(tmp_path / 'found'))(image())['regions'].any()

"""Regions as ground truth, their crops, and packing, for one image and for two views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose

from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.datasets.transforms import PackRegions, RandomPatches, RegionCrops, RegionTargets
from mmpixcon.datasets.transforms.shared_proposals import fill_with_copies

GRID = dict(type='mmpixcon.GridRegions', n=2)


def image(height=60, width=80):
    """Whose red is the column and green the row."""
    rows, columns = np.mgrid[:height, :width]
    img = np.stack([0 * rows, rows, columns], -1).astype(np.uint8)
    shape = (height, width)
    return dict(img=img, img_path='dir/a.jpg', img_shape=shape, ori_shape=shape, img_id=1)


def test_targets_are_the_first_of_the_source():
    actual = RegionTargets(GRID, num=3).transform(image())
    assert actual['gt_bboxes'].tensor.tolist() == [
        [0, 0, 40, 30],
        [40, 0, 80, 30],
        [0, 30, 40, 60],
    ]
    assert actual['gt_bboxes_labels'].tolist() == [0, 0, 0]
    assert actual['gt_ignore_flags'].tolist() == [False] * 3
    assert len(RegionTargets(GRID).transform(image())['gt_bboxes']) == 4


def test_targets_are_clipped_and_filled_up(tmp_path):
    boxes = np.array([[-10, 10, 30, 40], [90, 0, 99, 9], [50, 20, 50.5, 40], [60, 50, 99, 99]])
    write_proposals(tmp_path / 'found', ['dir/a.jpg'], [boxes])
    source = dict(type='mmpixcon.ProposalRegions', path=str(tmp_path / 'found'))
    actual = RegionTargets(source).transform(image())['gt_bboxes'].tensor
    # Outside, and narrower than a pixel: left out.
    assert actual.tolist() == [[0, 10, 30, 40], [60, 50, 80, 60]]
    filled = RegionTargets(source, num=7, fill=True).transform(image())['gt_bboxes'].tensor
    assert torch.equal(filled[:2], actual) and len(filled) == 7
    for i, copy in enumerate(filled[2:]):
        original = actual[i % 2]
        sides = (original[2:] - original[:2]).repeat(2)
        assert ((copy - original).abs() <= 0.1 * sides + 1e-4).all()
        assert not torch.equal(copy, original)


def test_copies_in_turn():
    boxes = np.array([[0, 0, 10, 20], [5, 5, 9, 9]], float)
    moves = np.full((3, 4), 0.5)
    actual = fill_with_copies(boxes, moves, np.array([0, 0, 12, 12]))
    assert actual[2].tolist() == [5, 10, 12, 12]
    assert actual[3].tolist() == [7, 7, 11, 11] and actual[4].tolist() == actual[2].tolist()


def test_an_image_without_regions_is_skipped_and_counted(tmp_path, monkeypatch):
    write_proposals(tmp_path / 'found', ['dir/a.jpg'], [np.zeros((0, 4))])
    source = dict(type='mmpixcon.ProposalRegions', path=str(tmp_path / 'found'))
    said = []
    monkeypatch.setattr(
        'mmpixcon.datasets.unreadable.print_log', lambda text, **options: said.append(text)
    )
    transform = RegionTargets(source)
    for _ in range(11):
        assert transform.transform(image()) is None
    assert said == [
        'dir/a.jpg has no regions from ProposalRegions and is skipped; 1 times so far.',
        'dir/a.jpg has no regions from ProposalRegions and is skipped; 10 times so far.',
    ]


def test_patches_of_updetr():
    np.random.seed(0)
    source = RandomPatches(num=255)
    actual = np.concatenate([source.boxes(dict(ori_shape=(60, 80))) for _ in range(40)])
    sides = actual[:, 2:] - actual[:, :2]
    assert actual.min() == 0 and (actual[:, 2] <= 80).all() and (actual[:, 3] <= 60).all()
    assert sides.min() == 8 and sides[:, 0].max() == 72 and sides[:, 1].max() == 52
    # Even over the range of sides.
    assert sides[:, 0].mean() == pytest.approx(40, abs=1)
    assert len(source.boxes(dict(ori_shape=(16, 80)))) == 0


def test_crops_show_what_the_boxes_cover():
    actual = RegionCrops(size=10).transform(RegionTargets(GRID).transform(image()))['region_crops']
    assert actual.shape == (4, 10, 10, 3) and actual.dtype == np.uint8
    # Means of the columns and rows of each quarter.
    for crop, (column, row) in zip(
        actual, [(19.5, 14.5), (59.5, 14.5), (19.5, 44.5), (59.5, 44.5)]
    ):
        assert crop[..., 2].mean() == pytest.approx(column, abs=0.6)
        assert crop[..., 1].mean() == pytest.approx(row, abs=0.6)
    results = image()
    results.update(RegionTargets(GRID).transform(image()))
    results['gt_bboxes'].tensor[0] = torch.tensor([79.6, 59.6, 80.0, 60.0])
    crop = RegionCrops(size=4).transform(results)['region_crops'][0]
    assert (crop == np.array([0, 59, 79])).all()


def test_each_crop_is_augmented_by_itself():
    black = [dict(type='mmpixcon.RandomSolarize', threshold=0, prob=0.5)]
    np.random.seed(0)
    results = RegionTargets(dict(type='mmpixcon.GridRegions', n=8)).transform(image())
    actual = RegionCrops(size=4, transforms=black).transform(results)['region_crops']
    inverted = actual[..., 0].mean((1, 2)) > 128
    assert 16 < inverted.sum() < 48


def views():
    """A view of the left half, and one of all, mirrored, twice as large."""
    results = image()
    results['img'] = [
        results['img'][:, :40],
        np.repeat(np.repeat(results['img'], 2, 0), 2, 1)[:, ::-1],
    ]
    results['img_shape'] = [(60, 40), (120, 160)]
    results['homography_matrix'] = [
        np.eye(3),
        np.array([[-2.0, 0, 160], [0, 2, 0], [0, 0, 1]]),
    ]
    results['regions'] = np.array([[10, 20, 30, 50], [30, 0, 50, 60]], np.float32)
    return results


def test_regions_of_views():
    packed = PackRegions().transform(RegionCrops(size=8).transform(views()))
    assert set(packed['inputs']) == set(packed['data_samples']) == {'view1', 'view2'}
    first, second = packed['data_samples']['view1'], packed['data_samples']['view2']
    assert first.gt_instances.bboxes.tensor.tolist() == [[10, 20, 30, 50], [30, 0, 40, 60]]
    assert second.gt_instances.bboxes.tensor.tolist() == [[100, 40, 140, 100], [60, 0, 100, 120]]
    assert first.gt_instances.labels.tolist() == [0, 0]
    assert packed['inputs']['view2'].shape == (3, 120, 160)
    assert first.img_shape == (60, 40) and second.img_shape == (120, 160)
    np.testing.assert_array_equal(second.homography_matrix, views()['homography_matrix'][1])
    assert first.crops.shape == (2, 3, 8, 8) and first.crops.dtype == torch.uint8
    # The same region, mirrored.
    torch.testing.assert_close(
        first.crops[0].float(), second.crops[0].flip(-1).float(), atol=1.0, rtol=0
    )


def test_one_image_is_packed_as_mmdet_packs_it():
    flip = dict(type='mmdet.RandomFlip', prob=1.0)
    targets = dict(type='mmpixcon.RegionTargets', source=GRID, num=1)
    crops = dict(type='mmpixcon.RegionCrops', size=8)
    packed = Compose([targets, flip, crops, dict(type='mmpixcon.PackRegions')])(image())
    sample = packed['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[40, 0, 80, 30]]
    assert packed['inputs'].shape == (3, 60, 80)
    # Cut out after the flip: of the raw image's left.
    assert sample.crops[0, 2].float().mean() == pytest.approx(19.5, abs=0.6)
    without = Compose([targets, dict(type='mmpixcon.PackRegions')])(image())
    assert 'crops' not in without['data_samples']


def test_bad_input():
    for settings in (dict(num=0), dict(fill=True), dict(jitter=0.5)):
        with pytest.raises(ValueError, match='RegionTargets: num = '):
            RegionTargets(GRID, **settings)
    with pytest.raises(ValueError, match='the image was moved; put it right after'):
        RegionTargets(GRID).transform(dict(image(), homography_matrix=np.eye(3)))
    with pytest.raises(ValueError, match='RegionCrops: size = 0 must be at least 1'):
        RegionCrops(size=0)
    with pytest.raises(ValueError, match='there are no regions; put RegionTargets before it'):
        RegionCrops().transform(image())
    for transform in (RegionCrops(), PackRegions()):
        results = views()
        del results['regions']
        with pytest.raises(ValueError, match='put SharedProposals after IoUConstrainedViews'):
            transform.transform(results)
    larger = [dict(type='mmdet.Resize', scale=(20, 20), keep_ratio=False)]
    with pytest.raises(ValueError, match=r'must keep the size of a crop, \(8, 8\), got \(20, 20\)'):
        RegionCrops(8, larger).transform(RegionTargets(GRID).transform(image()))
    with pytest.raises(
        FileNotFoundError, match=r'names.npy does not exist: proposals are a folder'
    ):
        RegionTargets(dict(type='mmpixcon.ProposalRegions', path='nowhere'))

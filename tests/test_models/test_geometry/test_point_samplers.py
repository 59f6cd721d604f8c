"""Where points are drawn, cell by cell and region by region, and what is read there."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmselfsup.structures import SelfSupDataSample

from mmpixcon.models.geometry import NearbyPoints, PooledRegions, RegionPoints
from mmpixcon.models.geometry.point_samplers import draw_true, read_points
from mmpixcon.models.geometry.regions import RegionBatch, ViewBatch, raw_centres

pytestmark = pytest.mark.torch_versions

SIZE = (40, 56)  # (H, W) of the views


class Crop:
    """A crop, resized and maybe mirrored, of a raw image of (W, H); knows the way back."""

    def __init__(self, rng: random.Random, raw: tuple[int, int]) -> None:
        self.w, self.h = (rng.randint(side // 3, side) for side in raw)
        self.left, self.top = (rng.randint(0, s - c) for s, c in zip(raw, (self.w, self.h)))
        self.flip = rng.random() < 0.5

    @property
    def homography(self) -> np.ndarray:
        height, width = SIZE
        x, y = width / self.w, height / self.h
        matrix = np.array([[x, 0, -self.left * x], [0, y, -self.top * y], [0, 0, 1]])
        return np.array([[-1, 0, width], [0, 1, 0], [0, 0, 1]]) @ matrix if self.flip else matrix

    def raw(self, row: int, column: int, resolution: int) -> tuple[float, float]:
        """The center of a cell, by hand."""
        x, y = (column + 0.5) / resolution, (row + 0.5) / resolution
        x = 1 - x if self.flip else x
        return self.left + x * self.w, self.top + y * self.h

    def meets(self, other: Crop) -> bool:
        return all(
            a + length > b and b + size > a
            for a, length, b, size in (
                (self.left, self.w, other.left, other.w),
                (self.top, self.h, other.top, other.h),
            )
        )


def random_batch(seed, count=5, kind='boxes', num_regions=6):
    """Crops of both views of each image, and samples with regions of a kind."""
    rng, gen = random.Random(seed), np.random.default_rng(seed)
    raws = [(rng.randint(30, 90), rng.randint(30, 90)) for _ in range(count)]
    crops = [[Crop(rng, raw) for raw in raws] for _ in range(2)]
    samples = []
    for i, (width, height) in enumerate(raws):
        regions = np.zeros((num_regions, 4), np.float32)
        meta = dict(ori_shape=(height, width), homography_matrix=[c[i].homography for c in crops])
        there = rng.randint(1, num_regions)
        if kind == 'labels':
            meta['region_labels'] = gen.integers(0, there + 1, (7, 7), dtype=np.uint8)
            regions[:there] = 0, 0, width, height
        else:
            corners = gen.uniform(0, 1, (there, 2, 2)) * (width, height)
            regions[:there] = np.concatenate([corners.min(1), corners.max(1)], axis=1)
        samples.append(SelfSupDataSample(metainfo=dict(meta, regions=regions)))
    return crops, samples


def views_of(crops, map_shape=(5, 7)):
    return tuple(
        ViewBatch.from_homographies(np.stack([c.homography for c in view]), map_shape, SIZE)
        for view in crops
    )


def lies_in(sample, region, x, y):
    """Whether a raw point lies in a region, by hand."""
    height, width = sample.ori_shape
    if 'region_labels' in sample:
        labels = sample.region_labels
        side = len(labels)
        return labels[math.floor(y / height * side), math.floor(x / width * side)] == region + 1
    x1, y1, x2, y2 = sample.regions[region]
    return x1 <= x < x2 and y1 <= y < y2


@pytest.mark.parametrize('kind', ['boxes', 'labels'])
@pytest.mark.parametrize('seed', range(4))
def test_members_are_found_by_hand_too(seed, kind):
    crops, samples = random_batch(seed, kind=kind)
    regions = RegionBatch.from_samples(samples)
    for view, crop in zip(views_of(crops), crops):
        members = regions.members(raw_centres([view], 9)[0]).view(5, 6, 9, 9)
        for i, sample in enumerate(samples):
            for r in range(6):
                for row in range(9):
                    for column in range(9):
                        expected = lies_in(sample, r, *crop[i].raw(row, column, 9))
                        assert members[i, r, row, column] == expected
        assert members.any() and not members.all()
    assert regions.exist.sum(1).tolist() == [int(s.regions.any(1).sum()) for s in samples]


@pytest.mark.parametrize('kind', ['boxes', 'labels'])
@pytest.mark.parametrize('seed', range(4))
def test_points_lie_in_the_region_that_they_were_drawn_for(seed, kind):
    crops, samples = random_batch(seed, kind=kind)
    # A map of as many cells: each point reads one cell, which tells where it is.
    sampler = RegionPoints(resolution=8, num_regions=5, num_points=3)
    views = views_of(crops, (8, 8))
    torch.manual_seed(seed)
    pairs = sampler(views, samples)
    regions = RegionBatch.from_samples(samples)
    members = [regions.members(raw_centres([view], 8)[0]) for view in views]
    for i, sample in enumerate(samples):
        shared = {r for r in range(6) if all(m[i, r].any() for m in members)}
        assert pairs.valid[i] == bool(shared)
        if not shared:
            assert not pairs.positive[i].any()
            continue
        # Which region a point may belong to, from where it is in either view.
        possible = []
        for view in (0, 1):
            weights, cells = pairs.weights[view][i].max(1)
            assert torch.equal(weights, torch.ones(15))
            raw = [crops[view][i].raw(c // 8, c % 8, 8) for c in cells.tolist()]
            possible.append([{r for r in shared if lies_in(sample, r, *xy)} for xy in raw])
        groups = pairs.positive[i].int()
        assert groups.diagonal().all() and torch.equal(groups, groups.T)
        for group in groups.unique(dim=0):
            drawn = group.nonzero()[:, 0].tolist()
            assert len(drawn) % 3 == 0
            common = set.intersection(*(possible[v][j] for v in (0, 1) for j in drawn))
            assert common
    exist = sum(int(s.regions.any(1).sum()) for s in samples)
    both = int((members[0].any(2) & members[1].any(2)).sum())
    assert pairs.stats['regions_in_both_views'] == pytest.approx(both / exist)
    assert pairs.stats['images_with_points'] == pairs.valid.double().mean()


def test_places_are_drawn_evenly():
    mask = torch.rand(3, 40) < 0.3
    mask[2] = False
    mask[2, [0, 39]] = True
    drawn = draw_true(mask, 30000)
    for row, places in zip(mask, drawn):
        actual = places.bincount(minlength=40)
        share = actual[row] / 30000
        assert actual[~row].sum() == 0
        assert (share - 1 / row.sum()).abs().max() < 0.02
    # Of nothing: some place, for the caller to leave out.
    assert draw_true(torch.zeros(2, 5, dtype=torch.bool), 4).max() < 5


@pytest.mark.parametrize('resolution', [4, 16, 31])
def test_reading_points_equals_upsampling_then_picking(resolution):
    crops, samples = random_batch(0)
    views = views_of(crops)
    feature_map = torch.randn(5, 5, 7, 3, dtype=torch.float64, requires_grad=True)
    size = (resolution, resolution)
    cells = torch.randint(resolution**2, (5, 12))

    def upsampled(x):
        x = F.interpolate(x.permute(0, 3, 1, 2), size, mode='bilinear', align_corners=False)
        return x.flatten(2).mT

    picked = upsampled(feature_map).gather(1, cells[..., None].expand(-1, -1, 3))
    weights = views[0].upsampling(resolution, torch.float64)[cells]
    got, want = read_points(feature_map, weights), F.normalize(picked, dim=2)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(x.sin().sum(), feature_map)[0] for x in (got, want)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
    # Pooled: the mean over a region's cells of the upsampled map.
    sampler = PooledRegions(resolution, num_regions=4)
    torch.manual_seed(0)
    pairs = sampler(views, samples)
    torch.manual_seed(0)
    _, members, valid, _ = sampler.draw_regions(views, samples)
    assert torch.equal(valid, pairs.valid)
    rows = upsampled(feature_map)
    for i in valid.nonzero()[:, 0]:
        for k in range(4):
            mean = rows[i, members[0][i, k]].mean(0)
            got = read_points(feature_map, pairs.weights[0])[i, k]
            torch.testing.assert_close(got, F.normalize(mean, dim=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('seed', range(4))
def test_nearby_points_are_positives(seed):
    crops, samples = random_batch(seed)
    torch.manual_seed(seed)
    pairs = NearbyPoints(resolution=6, num_points=20, ratio=0.9)(views_of(crops, (6, 6)), samples)
    for i in range(5):
        raw = [
            [crops[v][i].raw(c // 6, c % 6, 6) for c in pairs.weights[v][i].argmax(1).tolist()]
            for v in (0, 1)
        ]
        limit = 0.9 * max(math.hypot(crops[v][i].w / 6, crops[v][i].h / 6) for v in (0, 1))
        expected = [[math.dist(a, b) < limit for b in raw[1]] for a in raw[0]]
        assert pairs.positive[i].tolist() == expected
        assert pairs.valid[i] == any(map(any, expected))
    assert pairs.positive.any()


@pytest.mark.parametrize('sampler', [RegionPoints(8), PooledRegions(8), NearbyPoints(8)])
def test_views_that_do_not_overlap_have_no_points(sampler):
    crops, samples = random_batch(1, count=2, num_regions=1)
    for one in samples:
        one.set_metainfo(dict(regions=np.array([[0, 0, 900, 900]], np.float32)))
    crops[0][0].left, crops[1][0].left = 0, 5000
    pairs = sampler(views_of(crops), samples)
    assert pairs.valid.tolist() == [False, crops[0][1].meets(crops[1][1])]
    assert not pairs.positive[0].any() and pairs.positive[1].any()
    assert pairs.stats['images_with_points'] == 0.5


def test_no_points_on_padding():
    crops, samples = random_batch(2, count=3)
    homographies = np.stack([c.homography for c in crops[0]])
    # Image in the upper half, the left quarter, or everywhere.
    shapes = np.array([(20, 56), (40, 14), (40, 56)])
    view = ViewBatch.from_homographies(homographies, (5, 7), SIZE, shapes)
    there = ~raw_centres([view], 8)[0].isnan().any(2).view(3, 8, 8)
    assert there[0, :4].all() and not there[0, 4:].any()
    assert there[1, :, :2].all() and not there[1, :, 2:].any() and there[2].all()
    for one in samples:
        one.set_metainfo(dict(regions=np.array([[-999, -999, 999, 999]], np.float32)))
    for kind in (0, 1):
        if kind:
            for one in samples:
                one.set_metainfo(dict(region_labels=np.ones((2, 2), np.uint8)))
        members = RegionBatch.from_samples(samples).members(raw_centres([view], 8)[0])
        assert torch.equal(members.view(3, 8, 8), there)


def test_regions_smaller_than_a_cell_are_not_drawn():
    crops, samples = random_batch(2, count=1, num_regions=2)
    crop = crops[0][0]
    crops[1] = [crop]
    # Between two cell centers; and the whole image.
    x, y = crop.raw(0, 0, 8)
    samples[0].set_metainfo(
        dict(regions=np.array([[x + 0.1, y + 0.1, x + 0.2, y + 0.2], [0, 0, 99, 99]], np.float32))
    )
    pairs = RegionPoints(8, num_regions=3, num_points=2)(views_of(crops), samples)
    assert pairs.valid.all() and pairs.positive.all()
    assert pairs.stats['regions_in_both_views'] == 0.5


def test_bad_input_is_named():
    crops, samples = random_batch(3, count=2)
    with pytest.raises(ValueError, match=r'model.sampler.resolution = 0: give a whole number'):
        RegionPoints(resolution=0)
    with pytest.raises(ValueError, match=r'model.sampler.num_points = 2.5'):
        NearbyPoints(num_points=2.5)
    with pytest.raises(ValueError, match=r'model.sampler.ratio = 0'):
        NearbyPoints(ratio=0)
    with pytest.raises(ValueError, match=r'no regions: .*mmpixcon.GridRegions'):
        RegionPoints()(views_of(crops), [SelfSupDataSample(metainfo=dict(ori_shape=(9, 9)))])
    samples[1].set_metainfo(dict(regions=np.zeros((2, 4), np.float32)))
    with pytest.raises(ValueError, match='regions has several shapes in a batch'):
        RegionPoints()(views_of(crops), samples)
    with pytest.raises(ValueError, match='not invertible'):
        ViewBatch.from_homographies(np.zeros((2, 3, 3)), (4, 4), SIZE)

"""Geometry of two views, through mmdet's real transforms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmengine.registry import init_default_scope

from mmpixcon.datasets.transforms import RandomResizedCrop
from mmpixcon.models.geometry import PixelPairs, ViewGrid, transform_points


def ramp(height: int = 120, width: int = 160) -> np.ndarray:
    """A float image whose first two channels are the x and y of each pixel's center."""
    y, x = np.mgrid[:height, :width].astype(np.float32) + 0.5
    return np.stack([x, y, np.zeros_like(x)], axis=-1)


def results_of(img: np.ndarray) -> dict:
    return dict(img=img, img_shape=img.shape[:2], ori_shape=img.shape[:2])


GEOMETRY = {
    'flip': [dict(type='RandomFlip', prob=1.0)],
    'vertical': [dict(type='RandomFlip', prob=1.0, direction='vertical')],
    'resize': [dict(type='Resize', scale=(240, 90), keep_ratio=False)],
    'choice': [
        dict(type='RandomChoiceResize', resize_type='Resize', scales=[(200, 150)], keep_ratio=True),
        dict(type='RandomCrop', crop_size=(70, 90), allow_negative_crop=True),
        dict(type='RandomFlip', prob=1.0),
        dict(type='Resize', scale=(140, 130), keep_ratio=False),
    ],
}


@pytest.mark.parametrize('name', GEOMETRY)
def test_homography_says_where_each_pixel_came_from(name):
    init_default_scope('mmpixcon')
    results = results_of(ramp())
    for cfg in GEOMETRY[name]:
        results = MMDET_TRANSFORMS.build(cfg)(results)
    check_against_ramp(results)


def check_against_ramp(results: dict) -> None:
    """The color of a pixel is its raw position: compare with the homography's."""
    height, width = results['img'].shape[:2]
    view = ViewGrid(results['homography_matrix'], (height, width), (height, width), (height, width))
    raw = view.raw_centres.view(height, width, 2)
    seen = torch.from_numpy(results['img'][..., :2].copy()).double()
    inner = (slice(4, -4), slice(4, -4))
    # Interpolation repeats the border: half a pixel's error there only.
    assert (raw[inner] - seen[inner]).abs().max() < 0.02


@pytest.mark.parametrize('seed', range(5))
def test_random_resized_crop_records_its_homography(seed):
    np.random.seed(seed)
    results = RandomResizedCrop(scale=(96, 130), crop_ratio_range=(0.3, 0.9))(results_of(ramp()))
    assert results['img'].shape[:2] == results['img_shape'] == (96, 130)
    check_against_ramp(results)


def test_cell_centres_cover_the_padded_input():
    view = ViewGrid(torch.eye(3), (2, 4), (64, 128), (40, 100))
    expected = [[x, y] for y in (16.0, 48) for x in (16.0, 48, 80, 112)]
    assert view.centres.tolist() == expected
    # Row 2 is below the image's 40 pixels, column 4 right of its 100.
    assert view.valid.tolist() == [True, True, True, False] + [False] * 4
    assert view.footprint().tolist() == [[0, 0], [100, 0], [100, 40], [0, 40]]


def test_positives_of_a_flipped_view_are_mirrored():
    size = (64, 64)
    flip = torch.tensor([[-1, 0, 64.0], [0, 1, 0], [0, 0, 1]])
    pairs = PixelPairs(
        ViewGrid(torch.eye(3), (4, 4), size, size), ViewGrid(flip, (4, 4), size, size), S=9
    )
    # Two cells of a 4 x 4 grid are k columns apart 4, 6, 4, 2 times of 16.
    times = (4, 6, 4, 2)
    mean = sum(times[i] * times[j] * 16 * math.hypot(i, j) for i in range(4) for j in range(4))
    assert pairs.threshold == pytest.approx(mean / 16**2 / 9, rel=1e-12)
    # th = 3.6 is below the step of 16: the only positive is the mirror image.
    mirror = {}
    for block in pairs.blocks():
        for anchor, mask in zip(block.anchors.tolist(), block.positive):
            full = torch.zeros(4, 4, dtype=torch.bool)
            full[block.rows, block.cols] = mask
            mirror[anchor] = full.flatten().nonzero().flatten().tolist()
    assert mirror == {r * 4 + c: [r * 4 + 3 - c] for r in range(4) for c in range(4)}


def test_window_is_a_bound_on_the_positives():
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        turn = torch.randn(3, 3, generator=generator, dtype=torch.float64)
        matrix = torch.eye(3, dtype=torch.float64) + turn * torch.tensor(
            [[0.3, 0.3, 20], [0.3, 0.3, 20], [2e-3, 2e-3, 0]]
        )
        view = ViewGrid(matrix, (9, 12), (90, 120), (90, 120))
        points = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 100
        low, high = points.amin(0) - 15.0, points.amax(0) + 15.0
        ((rows, cols),) = view.windows(low[None], high[None])
        near = (torch.cdist(points, view.raw_centres) <= 15).any(0).view(9, 12)
        outside = near.clone()
        outside[rows, cols] = False
        assert not outside.any()


def test_transform_points_divides_by_the_last_coordinate():
    matrix = torch.tensor([[2, 0, 1.0], [0, 4, 2], [0, 0, 2]]).double()
    mapped = transform_points(torch.tensor([[3.0, 5.0]]).double(), matrix)
    assert mapped.tolist() == [[3.5, 11.0]]

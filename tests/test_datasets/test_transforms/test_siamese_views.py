"""Siamese DETR's views: the threshold, the geometry, the proposals."""

from __future__ import annotations

import numpy as np
import pytest

from mmpixcon.datasets.proposals.store import write_proposals
from mmpixcon.datasets.transforms import (
    IoUConstrainedViews,
    RandomSharedRegions,
    SharedProposals,
)
from mmpixcon.datasets.transforms.shared_proposals import draw_moves, shared_rectangle


def iou(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(sides, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.8])
def test_the_threshold_holds_for_every_sample(threshold):
    views = IoUConstrainedViews(iou=threshold)
    actual = []
    for seed in range(1500):
        np.random.seed(seed)
        height, width = np.random.randint(16, 500, 2)
        (first, second), size = views.rectangles(int(height), int(width))
        assert size[0] <= height and size[1] <= width
        for box in (first, second):
            assert 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
        actual.append(iou(first, second))
    assert min(actual) >= threshold
    # Corners move from not at all to all the way.
    assert min(actual) < threshold + 0.05 and max(actual) > threshold + 0.6 * (1 - threshold)


def test_without_moved_corners_the_threshold_is_met_exactly(monkeypatch):
    views = IoUConstrainedViews(iou=0.5, area=(1, 1), aspect_ratio=(1, 1))
    monkeypatch.setattr(views, '_inwards', lambda: np.zeros((2, 2)))
    (first, second), size = views.rectangles(4000, 4000)
    assert size == (4000, 4000)
    assert iou(first, second) == pytest.approx(0.5, abs=2e-3)
    assert first[:2].tolist() == [0, 0] and second[2:].tolist() == [4000, 4000]


def test_rounding_never_costs_the_threshold(monkeypatch):
    views = IoUConstrainedViews(iou=0.5)
    # Corners that stay: nothing else raises the IoU.
    monkeypatch.setattr(views, '_inwards', lambda: np.zeros((2, 2)))
    for seed in range(1500):
        np.random.seed(seed)
        height, width = np.random.randint(16, 120, 2)
        (first, second), _ = views.rectangles(int(height), int(width))
        assert iou(first, second) >= 0.5


def sample(seed, shape=(120, 160)):
    """An image whose pixels say where they are."""
    np.random.seed(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    img = np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)
    return dict(img=img, img_shape=shape, ori_shape=shape)


@pytest.mark.parametrize('flip', [0.0, 1.0])
def test_pixels_are_where_the_homography_says(flip):
    views = IoUConstrainedViews(flip_prob=flip)
    for seed in range(5):
        results = views(sample(seed))
        sizes = {img.shape[:2] for img in results['img']}
        assert len(sizes) == 1 and sizes == set(results['img_shape'])
        for img, matrix in zip(results['img'], results['homography_matrix']):
            assert (matrix[0, 0] < 0) == bool(flip)
            height, width = img.shape[:2]
            for x, y in [(width // 2, height // 2), (width // 3, height // 4)]:
                raw = np.linalg.inv(matrix) @ [x + 0.5, y + 0.5, 1]
                # Pixel centers at whole numbers and a half; its color is its column and row.
                np.testing.assert_allclose(img[y, x, :2] + 0.5, raw[:2], atol=1.5)


def test_views_change_places_and_are_mirrored_together():
    views = IoUConstrainedViews(flip_prob=0.5)
    first, mirrored = [], []
    for seed in range(40):
        results = views(sample(seed))
        matrices = [np.linalg.inv(m) for m in results['homography_matrix']]
        width = results['img_shape'][0][1]
        left = [min(m[0, 2], (m @ [width, 0, 1])[0]) for m in matrices]
        first.append(left[0] < left[1])
        flips = {bool(m[0, 0] < 0) for m in matrices}
        assert len(flips) == 1
        mirrored += flips
    assert 8 < sum(first) < 32 and 8 < sum(mirrored) < 32


def boxes_of(source, seed=0, **options):
    results = IoUConstrainedViews()(sample(seed))
    results = SharedProposals(source, **options)(results)
    overlap = shared_rectangle(results['homography_matrix'], results['img_shape'])
    return results['regions'], overlap


@pytest.mark.parametrize('seed', range(20))
def test_proposals_lie_in_the_overlap(seed):
    source = dict(type='RandomRegions', num=60)
    boxes, overlap = boxes_of(source, seed, num=10)
    assert boxes.shape == (10, 4) and boxes.dtype == np.float32
    np.testing.assert_allclose(boxes[0], overlap, atol=1e-4)
    assert (boxes[:, :2] >= overlap[:2] - 1e-3).all() and (boxes[:, 2:] <= overlap[2:] + 1e-3).all()
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    # Copies may be a fifth narrower and lower.
    assert (areas >= 0.8**2 * 0.05 * areas[0]).all()


def test_the_first_of_the_source_in_its_order(monkeypatch):
    shared = SharedProposals(dict(type='GridRegions', n=2), num=4, min_area=0.2)
    given = np.array(
        [[10, 10, 90, 90], [0, 0, 21, 21], [50, 50, 100, 100], [20, 20, 80, 80], [0, 0, 99, 99]]
    )
    monkeypatch.setattr(shared.source, 'boxes', lambda results: given)
    results = shared(dict(homography_matrix=[np.eye(3)] * 2, img_shape=[(100, 100)] * 2))
    # The second is too small; the last is one too many.
    expected = [[0, 0, 100, 100], [10, 10, 90, 90], [50, 50, 100, 100], [20, 20, 80, 80]]
    assert results['regions'].tolist() == expected


def test_proposals_outside_are_cut_or_left_out(monkeypatch):
    shared = SharedProposals(dict(type='GridRegions', n=2), num=4, jitter=0.0)
    given = [[-50, -20, 60, 70], [-30, 0, -1, 90], [0, 200, 90, 300], [30, 40, 5000, 5000]]
    monkeypatch.setattr(shared.source, 'boxes', lambda results: np.array(given))
    # What both show: from (20, 10) to (100, 90).
    second = np.array([[1.0, 0, -20], [0, 1, -10], [0, 0, 1]])
    shapes = [(90, 100), (90, 90)]
    results = shared(dict(homography_matrix=[np.eye(3), second], img_shape=shapes))
    expected = [[20, 10, 100, 90], [20, 10, 60, 70], [30, 40, 100, 90], [20, 10, 60, 70]]
    assert results['regions'].tolist() == expected


def test_an_image_without_proposals_is_named_or_gets_others(tmp_path):
    write_proposals(tmp_path / 'found', ['1.jpg'], [[[10, 10, 90, 90]]])
    made = IoUConstrainedViews()(sample(0) | dict(img_path='2.jpg'))
    source = dict(type='ProposalRegions', path=str(tmp_path / 'found'))
    with pytest.raises(ValueError, match=r'2\.jpg has no proposals in .*missing=dict'):
        SharedProposals(source)(dict(made))
    source.update(missing=dict(type='GridRegions', n=3), max_regions=9)
    shared = SharedProposals(source, num=5)
    boxes = shared(dict(made))['regions']
    assert shared.source.missed == 1
    # Cells of 53 x 40, cut to what both views show.
    overlap = shared_rectangle(made['homography_matrix'], made['img_shape'])
    edges = [*np.linspace(0, 160, 4), *np.linspace(0, 120, 4), *overlap]
    assert np.abs(boxes[1:, :, None] - edges).min(2).max() < 1e-3
    # Listed, but without any: what both show, and copies of it.
    write_proposals(tmp_path / 'none', ['2.jpg'], [np.zeros((0, 4))])
    source = dict(type='ProposalRegions', path=str(tmp_path / 'none'))
    boxes = SharedProposals(source, num=5, jitter=0.0)(dict(made))['regions']
    np.testing.assert_allclose(boxes, np.tile(overlap, (5, 1)), rtol=1e-6)


@pytest.mark.parametrize('given', [[[40, 40, 80, 80]], []], ids=['one', 'none'])
def test_copies_with_moved_edges_make_up_the_number(monkeypatch, given):
    shared = SharedProposals(dict(type='GridRegions', n=2), num=30)
    monkeypatch.setattr(shared.source, 'boxes', lambda results: np.array(given))
    results = shared(dict(homography_matrix=[np.eye(3)] * 2, img_shape=[(100, 200)] * 2))
    boxes = results['regions']
    original = np.array(given[0] if given else [0, 0, 200, 100])
    copies = boxes[1 + len(given) :]
    sides = np.tile(original[2:] - original[:2], 2)
    moved = (copies - original) / sides
    assert len(boxes) == 30
    if given:
        # Nothing is cut off at the overlap's edges.
        assert len(np.unique(copies, axis=0)) == len(copies)
    assert abs(moved).max() <= 0.1 + 1e-6 and abs(moved).max() > 0.05
    assert (boxes >= 0).all() and (boxes[:, 2] <= 200).all() and (boxes[:, 3] <= 100).all()


def test_moves_are_those_of_the_released_code():
    np.random.seed(0)
    moves = draw_moves(20000, 0.1)
    assert moves.shape == (20000, 4) and abs(moves).max() < 0.1
    # 2 sigmoid(e) - 1 of a standard normal e has this deviation (numerical integration).
    np.testing.assert_allclose(moves.std(0), 0.1 * 0.4165, rtol=0.02)
    np.testing.assert_allclose(moves.mean(0), 0, atol=1e-3)


@pytest.mark.parametrize('shape', [(120, 160), (50, 400)])
def test_random_boxes_in_the_overlap(shape):
    source = RandomSharedRegions(num=200, min_area=0.1, max_ratio=3.0)
    kept = []
    for seed in range(20):
        results = IoUConstrainedViews(aspect_ratio=(0.5, 2))(sample(seed, shape))
        left, top, right, bottom = shared_rectangle(
            results['homography_matrix'], results['img_shape']
        )
        np.random.seed(seed)
        boxes = source.boxes(results)
        np.random.seed(seed)
        shares = source._shares()
        expected = []
        for x, y, w, h in shares:
            x1, y1 = left + x * (right - left), top + y * (bottom - top)
            height = h * (bottom - y1)
            least = 0.1 * (right - left) * (bottom - top) / height
            width = least + w * (right - x1 - least)
            fits = x1 + least < right
            for m in results['homography_matrix']:
                flat = abs(m[0, 0] * width) / abs(m[1, 1] * height)
                fits = fits and 1 / 3 <= flat <= 3
            if fits:
                expected.append([x1, y1, x1 + width, y1 + height])
        np.testing.assert_allclose(boxes, np.reshape(expected, (-1, 4)), rtol=1e-9)
        kept.append(len(boxes))
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        assert (areas >= 0.1 * (right - left) * (bottom - top) * (1 - 1e-9)).all()
        assert (boxes >= [left, top, left, top]).all()
        assert (boxes <= np.array([right, bottom, right, bottom]) + 1e-9).all()
    assert 0 < np.mean(kept) < 200
    boxes, overlap = boxes_of(dict(type='RandomSharedRegions'))
    np.testing.assert_allclose(boxes[0], overlap, atol=1e-4)
    assert len(np.unique(boxes, axis=0)) == 10


def test_the_rectangle_that_two_views_share():
    crop = np.array([[2.0, 0, -20], [0, 4, -40], [0, 0, 1]])
    mirrored = np.array([[-1.0, 0, 60], [0, 1, 0], [0, 0, 1]])
    # From (10, 10) to (40, 35), and from (0, 0) to (60, 30).
    actual = shared_rectangle([crop, mirrored], [(100, 60), (30, 60)])
    np.testing.assert_allclose(actual, [10, 10, 40, 30])
    with pytest.raises(ValueError, match='share nothing'):
        shared_rectangle([crop, np.eye(3)], [(100, 60), (9, 9)])
    with pytest.raises(ValueError, match='turned or sheared'):
        shared_rectangle([np.array([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]), crop], [(9, 9)] * 2)


def test_bad_settings():
    for options, message in (
        (dict(iou=1.0), r'iou = 1\.0 must be in'),
        (dict(area=(0.5, 1.5)), r'area = \(0\.5, 1\.5\)'),
        (dict(flip_prob=2), 'flip_prob = 2'),
    ):
        with pytest.raises(ValueError, match=message):
            IoUConstrainedViews(**options)
    with pytest.raises(ValueError, match='num = 0 must be at least 1'):
        SharedProposals(dict(type='GridRegions'), num=0)
    with pytest.raises(ValueError, match=r'min_area = 0 must be in \(0, 1\), max_ratio = 8'):
        RandomSharedRegions(min_area=0)
    with pytest.raises(ValueError, match='stands after IoUConstrainedViews'):
        RandomSharedRegions().boxes(dict(ori_shape=(9, 9), homography_matrix=np.eye(3)))
    with pytest.raises(ValueError, match='must keep the size'):
        IoUConstrainedViews([dict(type='mmdet.Resize', scale=(8, 8))])(sample(0))

"""Two views and the regions in both: where they are drawn, and by which tool."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib.patches import Polygon

from mmpixcon.datasets.transforms import IoUConstrainedViews, SharedProposals
from mmpixcon.datasets.transforms.shared_proposals import shared_rectangle
from mmpixcon.visualization import draw_shared_regions, region_corners
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'analysis_tools' / 'browse_views.py'
SIAMESE = """
_base_ = '{configs}/moco/mocov2_r18_1xb32-100e_bccd.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmpixcon.IoUConstrainedViews'),
            dict(type='mmpixcon.SharedProposals', source=dict(type='RandomRegions', num=100)),
            {pack},
        ]
    )
)
"""


def test_corners_of_a_mirrored_view():
    # Of a crop at (10, 20), twice as large, 100 wide, mirrored.
    matrix = np.array([[-2.0, 0, 120], [0, 2, -40], [0, 0, 1]])
    actual = region_corners(np.array([[15, 25, 35, 30]], np.float32), matrix)
    assert actual.tolist() == [[[90, 10], [50, 10], [50, 20], [90, 20]]]


@pytest.fixture
def pair():
    np.random.seed(3)
    results = dict(img=np.random.randint(256, size=(120, 160, 3), dtype=np.uint8))
    results.update(img_shape=(120, 160), ori_shape=(120, 160))
    raw = results['img']
    results = IoUConstrainedViews(flip_prob=1.0)(results)
    results = SharedProposals(dict(type='RandomRegions', num=60), num=4)(results)
    return raw, results['img'], results['homography_matrix'], results['regions']


def polygons(axes):
    return [patch.get_xy()[:4] for patch in axes.patches if isinstance(patch, Polygon)]


def test_the_same_region_is_drawn_where_both_views_have_it(pair):
    raw, views, homographies, regions = pair
    figure = draw_shared_regions(raw, views, homographies, regions, title='photo')
    assert figure.get_suptitle() == 'photo  4 regions'
    raw_axes, *view_axes = figure.axes
    # Both footprints, then the regions.
    footprints, boxes = polygons(raw_axes)[:2], polygons(raw_axes)[2:]
    overlap = shared_rectangle(homographies, [view.shape[:2] for view in views])
    inside = [max(f[:, k].min() for f in footprints) for k in (0, 1)]
    inside += [min(f[:, k].max() for f in footprints) for k in (0, 1)]
    np.testing.assert_allclose(inside, overlap, atol=1e-6)
    assert len(boxes) == 4
    for box, region in zip(boxes, regions):
        np.testing.assert_allclose([*box.min(0), *box.max(0)], region)
    for axes, view, matrix in zip(view_axes, views, homographies):
        actual = polygons(axes)
        assert [text.get_text() for text in axes.texts] == ['0', '1', '2', '3']
        for polygon, region in zip(actual, regions):
            np.testing.assert_allclose(polygon, region_corners(region[None], matrix)[0])
            assert polygon.min() >= -1e-4
            assert (polygon.max(0) <= np.array(view.shape[1::-1]) + 1e-4).all()
    # One color a region, in all three.
    colors = [[p.get_edgecolor() for p in axes.patches][-4:] for axes in figure.axes]
    assert colors[0] == colors[1] == colors[2] and len(set(colors[0])) == 4


def test_regions_without_area_only_fill_up_a_batch(pair):
    raw, views, homographies, regions = pair
    regions[2] = 0
    figure = draw_shared_regions(raw, views, homographies, regions)
    assert [text.get_text() for text in figure.axes[1].texts] == ['0', '1', '3']


@pytest.fixture
def siamese_config(tmp_path):
    """A pair as a list of views, or as branches with regions as their ground truth."""

    def write(pack):
        path = tmp_path / 'siamese.py'
        path.write_text(SIAMESE.format(configs=CONFIGS, pack=f"dict(type='mmpixcon.{pack}')"))
        return path

    return write


@pytest.mark.slow
def test_both_ways_of_packing_give_the_same_picture(siamese_config, bccd_root, tmp_path):
    pictures = []
    for pack in ('PackViews', 'PackRegions'):
        out = tmp_path / pack
        command = [TOOL, siamese_config(pack), '--data-root', bccd_root, '--num', 1, '--out', out]
        status, printed, error = run_tool(*command)
        assert status == 0, error[-2000:]
        pictures.append(cv2.imread(printed.split()[-1]).astype(int))
    assert abs(pictures[0] - pictures[1]).mean() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['siamese', 'plrc', 'pixcon'])
def test_the_tool_draws_what_the_pipeline_yields(kind, siamese_config, bccd_root, tmp_path):
    config = dict(
        siamese=siamese_config('PackViews'),
        plrc=CONFIGS / 'plrc' / 'plrc_r18_1xb32-100e_bccd.py',
        pixcon=CONFIGS / 'pixcon' / 'pixcon_deformable-detr_r18_1xb8-24e_bccd.py',
    )[kind]
    out = tmp_path / 'views'
    command = [TOOL, config, '--data-root', bccd_root, '--num', 2, '--out', out]
    status, printed, error = run_tool(*command)
    assert status == 0, error[-2000:]
    pictures = printed.split()[-2:]
    for picture in pictures:
        height, width = cv2.imread(picture).shape[:2]
        assert (height, width) == (416, 1200)
    first = cv2.imread(pictures[0])
    run_tool(*command)
    assert np.array_equal(cv2.imread(pictures[0]), first)


def test_views_without_regions_are_refused(bccd_root, tmp_path):
    config = CONFIGS / 'moco' / 'mocov2_r18_1xb32-100e_bccd.py'
    status, _, error = run_tool(TOOL, config, '--data-root', bccd_root, '--out', tmp_path)
    assert status == 1
    assert (
        'mocov2_r18_1xb32-100e_bccd.py: train_dataloader.dataset.pipeline gives 2 images' in error
    )
    assert 'two views with regions (Siamese DETR, PLRC)' in error
    config = CONFIGS / 'stock' / 'detr_r18_1xb8-24e_bccd.py'
    _, _, error = run_tool(TOOL, config, '--data-root', bccd_root, '--out', tmp_path)
    assert 'train_dataloader.dataset.pipeline gives one image without regions' in error

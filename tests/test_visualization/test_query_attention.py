"""Attention of queries: pictures, the detectors of checkpoints, and the tool."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmpixcon.apis.inspection import load_for_inspection
from mmpixcon.datasets.preparation.coco_boxes import boxes_of_photo, read_coco_boxes
from mmpixcon.registry import MODELS
from mmpixcon.visualization.query_attention import draw_boxes, draw_points, draw_weights
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'analysis_tools' / 'query_attention.py'
DETR = CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py'
DEFORMABLE = CONFIGS / 'stock' / 'deformable-detr_r18_1xb8-12e_scenes.py'
PIXCON = CONFIGS / 'pixcon' / 'pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
FASTER = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def test_boxes_have_their_color_and_their_name_inside():
    image = np.zeros((400, 600, 3), np.uint8)
    boxes = torch.tensor([[20.0, 10, 60, 50], [500, -20, 700, 130]])
    drawn = draw_boxes(image, boxes, ['', '7'])
    assert not image.any()
    assert drawn[50, 40].tolist() == [60, 60, 230] and not drawn[30, 40].any()
    # Its name is on a ground of its color, though its corner is above the picture.
    second = (drawn == [60, 200, 60]).all(-1)
    assert second[:20].any() and (drawn == 255).all(-1).any()


def test_weights_lie_over_the_image_without_its_padding():
    weights = torch.zeros(4, 6)
    weights[1, 2] = 1
    # 64 x 96 with padding, cells of 16 x 16.
    drawn = draw_weights(np.zeros((48, 80, 3), np.uint8), weights, (64, 96))
    assert drawn.shape == (48, 80, 3)
    red = drawn[..., 2].astype(int) - drawn[..., 0]
    rows, columns = np.nonzero(red > 0)
    assert abs(rows.mean() - 23.5) < 1 and abs(columns.mean() - 39.5) < 1


def test_points_are_larger_with_more_weight():
    image = np.zeros((320, 320, 3), np.uint8)
    points = torch.tensor([[80.0, 80, 0.8], [240, 240, 0.2], [1e9, -1e9, 0.1]])
    drawn = draw_points(image, points).max(-1) > 60
    areas = []
    for center in (80, 240):
        rows, columns = np.nonzero(drawn[center - 40 : center + 40, center - 40 : center + 40])
        assert abs(rows.mean() - 40) < 0.6 and abs(columns.mean() - 40) < 0.6
        areas.append(len(rows))
    # The largest has a radius of 10.
    assert areas[0] == pytest.approx(np.pi * 10**2, rel=0.15)
    assert areas[0] / areas[1] == pytest.approx(4, rel=0.2)
    assert drawn.sum() == sum(areas)


def test_boxes_of_photos(tmp_path):
    path = tmp_path / 'coco.json'
    content = dict(
        images=[dict(id=3, file_name='a/1.jpg'), dict(id=4, file_name='2.jpg')],
        annotations=[
            dict(image_id=3, bbox=[1, 2, 3, 4]),
            dict(image_id=3, bbox=[0, 0, 9, 9], iscrowd=1),
        ],
    )
    path.write_text(json.dumps(content))
    boxes = read_coco_boxes(path)
    assert list(boxes) == ['a/1.jpg', '2.jpg']
    assert boxes_of_photo(boxes, '/data/a/1.jpg').tolist() == [[1, 2, 4, 6]]
    assert boxes_of_photo(boxes, 'x/2.jpg').shape == (0, 4)
    assert boxes_of_photo(boxes, 'b/1.jpg') is None
    path.write_text('[]')
    with pytest.raises(ValueError, match=r'coco\.json is not a COCO file'):
        read_coco_boxes(path)


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Of random detectors; DETR's without class layers, as after pretraining."""
    folder = tmp_path_factory.mktemp('checkpoints')
    for name, config in (('detr', DETR), ('pixcon', PIXCON), ('faster', FASTER)):
        torch.manual_seed(0)
        model = MODELS.build(Config.fromfile(config).model)
        model.init_weights()
        state = {k: v for k, v in model.state_dict().items() if 'fc_cls' not in k or name != 'detr'}
        torch.save(dict(state_dict=state), folder / f'{name}.pth')
    return folder


def test_a_wrapped_detector_sees_photos_as_the_stock_one(checkpoints, scenes_root):
    photo = sorted((scenes_root / 'val').iterdir())[0]
    inputs = []
    for config in (DEFORMABLE, PIXCON):
        loaded = load_for_inspection(config, checkpoints / 'pixcon.pth')
        assert type(loaded.detector).__name__ == 'DeformableDETR'
        assert not loaded.detector.training
        inputs.append(loaded.read(photo))
    torch.testing.assert_close(inputs[0].inputs, inputs[1].inputs)
    image = cv2.imread(str(photo))
    np.testing.assert_array_equal(inputs[0].image, image)
    assert inputs[0].scale == (1.0, 1.0)
    # As ImageNet's mean and deviation make it.
    expected = (image[0, 0, ::-1] - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    np.testing.assert_allclose(inputs[0].inputs[0, :, 0, 0], expected, rtol=1e-4)
    with pytest.raises(RuntimeError, match=r'faster\.pth, less than min_loaded = 0\.9'):
        load_for_inspection(DETR, checkpoints / 'faster.pth')
    pretraining = CONFIGS / 'siamese_detr' / 'siamese-detr_detr_r50_32xb8-60e_imagenet.py'
    with pytest.raises(ValueError, match=r'imagenet\.py has no test_dataloader to read photos'):
        load_for_inspection(pretraining, checkpoints / 'detr.pth')
    with pytest.raises(FileNotFoundError, match=r'config nowhere\.py does not exist'):
        load_for_inspection('nowhere.py', checkpoints / 'detr.pth')


def models(checkpoints):
    return [
        *('--model', f'DETR={DETR},{checkpoints / "detr.pth"}'),
        *('--model', f'deformable={PIXCON},{checkpoints / "pixcon.pth"}'),
    ]


@pytest.mark.slow
@pytest.mark.parametrize('chosen', ['queries', 'annotations', 'scores'])
def test_the_tool_draws_and_prints(chosen, checkpoints, scenes_root, tmp_path):
    out = tmp_path / 'out' / 'picture.png'
    annotations = scenes_root / 'annotations' / 'val.json'
    options = dict(
        queries=['--queries', 3, 17],
        annotations=['--annotations', annotations, '--count', 2],
        scores=['--count', 2],
    )[chosen]
    photos = sorted((scenes_root / 'val').iterdir())
    status, printed, error = run_tool(
        TOOL, *photos[:2], *models(checkpoints), *options, '--out', out
    )
    assert status == 0, error[-2000:]
    height, width = cv2.imread(str(out)).shape[:2]
    assert height > width > 600
    lines = re.findall(r'^(\S+) (DETR|deformable): query (\d+), score [\d.]+(.*)$', printed, re.M)
    if chosen == 'queries':
        assert [line[2] for line in lines] == ['3', '17'] * 4
    if chosen != 'annotations':
        assert len(lines) == 8 and not any(line[3] for line in lines)
        return
    boxes = read_coco_boxes(annotations)
    assert len(lines) == 2 * sum(min(len(boxes[path.name]), 2) for path in photos[:2])
    # Both models on the same objects.
    for path in photos[:2]:
        objects = [
            [line[3].split()[-1] for line in lines if line[:2] == (path.name, name)]
            for name in ('DETR', 'deformable')
        ]
        assert objects[0] == objects[1] and len(set(objects[0])) == len(objects[0])


def test_what_is_wrong_is_named(checkpoints, scenes_root, bccd_root, tmp_path):
    photo = sorted((scenes_root / 'val').iterdir())[0]
    command = [TOOL, photo, '--out', tmp_path / 'a.png']
    _, _, error = run_tool(*command, *models(checkpoints), '--queries', 40)
    assert 'query_attention: --queries: DETR has queries 0 to 39' in error
    annotations = ['--annotations', bccd_root / 'val.json']
    _, _, error = run_tool(*command, *models(checkpoints), *annotations)
    assert f'{photo} is not listed in {bccd_root}/val.json' in error
    faster = ['--model', f'a={FASTER},{checkpoints / "faster.pth"}']
    status, _, error = run_tool(*command, *faster)
    assert status == 1 and 'FasterRCNN has no decoder with object queries' in error

"""The share of the variance of states that lies between images."""

from __future__ import annotations

import json
import re

import pytest
import torch
from mmengine.config import Config

from mmpixcon.apis.inspection import load_for_inspection
from mmpixcon.evaluation.image_share import image_share, queries_of
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'analysis_tools' / 'image_share.py'
DETR = CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py'
FASTER = CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def test_states_of_queries_of_images_and_of_both():
    torch.manual_seed(0)
    queries, images = torch.randn(1, 6, 8), torch.randn(4, 1, 8)
    assert image_share(queries.expand(4, -1, -1)) == 0
    assert image_share(images.expand(-1, 6, -1)) == 1
    # What they add up to has both variances.
    both = image_share(queries + images)
    parts = [states.var((0, 1), correction=0).sum() for states in (images, queries)]
    torch.testing.assert_close(both, parts[0] / sum(parts))
    assert image_share(torch.ones(4, 6, 8)).isnan()


def test_shares_add_up_to_the_whole_variance():
    states = torch.randn(5, 7, 3)
    between_images = states - states.mean(0)
    whole = states - states.mean((0, 1))
    expected = between_images.square().sum() / whole.square().sum()
    assert image_share(states).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.fixture(scope='module')
def photos(scenes_root):
    return sorted((scenes_root / 'val').iterdir())[:4]


def test_a_detector_as_its_training_begins_and_with_other_settings(photos):
    torch.manual_seed(3)
    loaded = load_for_inspection(
        DETR, options={'test_dataloader.dataset.pipeline.Resize.scale': (96, 80)}
    )
    torch.manual_seed(3)
    again = load_for_inspection(DETR)
    photo = loaded.read(photos[0])
    assert max(photo.inputs.shape[2:]) == 96 < max(again.read(photos[0]).inputs.shape[2:])
    states, boxes = queries_of(loaded.detector, photo.inputs, photo.samples)
    assert states.shape == (1, Config.fromfile(DETR).model.num_queries, 256)
    assert boxes.shape == (1, states.shape[1], 4) and boxes.min() > 0 and boxes.max() < 1
    torch.testing.assert_close(
        queries_of(again.detector, photo.inputs, photo.samples), (states, boxes)
    )
    faster = load_for_inspection(FASTER).detector
    with pytest.raises(ValueError, match='FasterRCNN has no decoder with object queries'):
        queries_of(faster, photo.inputs, photo.samples)


@pytest.mark.slow
def test_the_tool_measures_checkpoints_and_beginnings(scenes_root, tmp_path):
    torch.manual_seed(0)
    loaded = load_for_inspection(DETR)
    with torch.no_grad():
        # Each box is half of the photo wide, and a quarter high.
        last = loaded.detector.bbox_head.fc_reg
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.25]).logit(eps=1e-6))
    torch.save(loaded.detector.state_dict(), tmp_path / 'a.pth')
    # Of the photos of the folder, the last ones are listed.
    *others, first, last = sorted((scenes_root / 'val').iterdir())
    chosen = [first, last]
    assert others
    content = json.loads((scenes_root / 'annotations' / 'val.json').read_text())
    names = {path.name for path in chosen}
    content['images'] = [image for image in content['images'] if image['file_name'] in names]
    (tmp_path / 'last.json').write_text(json.dumps(content))
    command = (TOOL, scenes_root / 'val', '--annotations', tmp_path / 'last.json')
    models = ('--model', f'begin={DETR}', '--model', f'trained={DETR},{tmp_path / "a.pth"}')
    status, out, err = run_tool(*command, *models)
    assert status == 0, err[-2000:]
    rows = {row[0]: [*map(float, row[1:])] for row in re.findall(
        r'^\| (begin|trained) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$', out, re.M
    )}  # fmt: skip
    inputs = [loaded.read(path) for path in chosen]
    states = [queries_of(loaded.detector, one.inputs, one.samples)[0] for one in inputs]
    expected = image_share(torch.cat(states)).item()
    assert rows['trained'] == [pytest.approx(expected, abs=6e-4), 0.5, 0.25]
    # The same seed, and other boxes.
    assert rows['begin'][0] == rows['trained'][0] and rows['begin'][1:] != [0.5, 0.25]


def test_the_tool_names_what_is_wrong(scenes_root):
    photo = sorted((scenes_root / 'val').iterdir())[0]
    twice = ('--model', f'a={DETR}') * 2
    status, _, err = run_tool(TOOL, photo, *twice)
    assert status == 2 and 'two are named a' in err
    status, _, err = run_tool(TOOL, photo, '--model', f'a={DETR},')
    assert status == 2 and 'is no NAME=CONFIG,CHECKPOINT' in err
    status, _, err = run_tool(TOOL, photo, *twice[:2])
    assert status == 1 and 'photos: 1; give at least two' in err

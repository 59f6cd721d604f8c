"""``mmpixcon fit``: a detector and everything beside it, from photos and labels."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from typer.testing import CliRunner

from mmpixcon.commands.app import app
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS, ROOT

BCCD = ROOT / 'examples' / 'bccd'


def run(*arguments):
    return CliRunner().invoke(app, ['fit', *map(str, arguments)])


@pytest.mark.slow
def test_a_fit_leaves_a_stock_detector_and_goes_on(cells, tmp_path):
    out = tmp_path / 'out'
    command = [
        '--train', cells, '--detector', 'faster-rcnn_r18', '--method', 'pixcon', '--out', out,
        '--iterations', 4, '--batch-size', 2, '--workers', 0, '--scale', '96x96', '--ema',
        '--early-stopping', 3, '--device', 'cpu',
    ]  # fmt: skip
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert '| train | 10 photos, ' in result.output
    assert 'mmpixcon detect' in result.output
    assert 'Loading and preparing' not in result.output and 'mmengine' not in result.output
    pictures = {'detections.png', 'precision_recall.png', 'confusion.png'}
    assert pictures <= {path.name for path in out.glob('*.png')}
    state = CheckpointLoader.load_checkpoint(str(out / 'best.pth'), 'cpu')
    init_default_scope('mmdet')
    stock = Config.fromfile(CONFIGS / 'stock' / 'faster-rcnn_r18_fpn_1xb8-24e_bccd.py')
    keys = MODELS.build(stock.model).load_state_dict(state['state_dict'], strict=False)
    assert keys.missing_keys == keys.unexpected_keys == []
    config = Config.fromfile(out / 'config.py')
    assert config.model.type == 'mmpixcon.PixelContrastDetector'
    assert '_base_' not in (out / 'config.py').read_text()
    # What is evaluated and saved is the average of the weights; the weights stand beside it.
    (trained,) = (out / 'runs').glob('pixcon*/seed_0/iter_4.pth')
    whole = CheckpointLoader.load_checkpoint(str(trained), 'cpu')
    name = 'rpn_head.rpn_conv.weight'
    assert not whole['ema_state_dict'][f'module.{name}'].equal(whole['state_dict'][name])
    (best,) = trained.parent.glob('best*.pth')
    best = CheckpointLoader.load_checkpoint(str(best), 'cpu')
    assert best['state_dict'][name].equal(state['state_dict'][name])
    again = run(*command, '--json')
    assert again.exit_code == 0, again.output
    assert 'done before' in again.stderr
    content = json.loads(again.stdout)
    assert set(content['metrics']) >= {'coco/bbox_mAP', 'coco/bbox_mAP_50'}
    other = run(*command[:-2], '--seed', 0, '--lr', 0.1, '--device', 'cpu')
    assert other.exit_code == 2
    assert 'optim_wrapper.optimizer.lr: 0.0001 -> 0.1' in other.output


def test_names_are_listed():
    result = run('--list')
    assert result.exit_code == 0
    assert 'faster-rcnn_r18' in result.output and 'vicreg' in result.output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], '--train is missing'),
        (['--train', 'gone'], 'gone does not exist'),
        (['--train', BCCD, '--method', 'dino'], '--method dino is unknown'),
        (['--train', BCCD, '--detector', 'yolo'], '--detector yolo is unknown'),
        (['--train', BCCD, '--percent', 0], '--percent 0 must be above 0'),
        (['--train', BCCD, '--early-stopping', 0], '--early-stopping 0 must be at least 1'),
        (['--train', BCCD, '--cfg-options', 'x'], '--cfg-options x is not KEY=VALUE'),
        (['--train', BCCD, '--scale', '9'], 'is not WIDTHxHEIGHT'),
    ],
)
def test_what_is_wrong_is_told(arguments, message, tmp_path):
    result = run(*arguments, '--out', tmp_path)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / 'runs').exists()


def test_bad_labels_end_with_the_status_of_check(tmp_path):
    content = json.loads((BCCD / 'val.json').read_text())
    content['images'][1]['id'] = content['images'][0]['id']
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    result = run('--train', tmp_path / 'labels.json', '--out', tmp_path / 'out')
    assert result.exit_code == 1
    assert 'Training would go wrong with these data' in result.output

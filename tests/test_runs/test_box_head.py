"""What a pretrained transformer's start is worth: only the box and class head learns."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict

from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.runs import quick, scalars, weights

DETECTORS = {
    'detr': 'DETR',
    'conditional-detr': 'ConditionalDETR',
    'deformable-detr': 'DeformableDETR',
}
PATHS = sorted(CONFIGS.glob('transfer/*_box-head_*.py'))
SMALL = [path for path in PATHS if '_r18_' in path.stem]
# The layers that give classes, another number of them here than in the checkpoint.
CLASSES = re.compile(r'fc_cls\.|cls_branches\.')


def test_each_detector_on_each_data_set():
    actual = {(path.stem.split('_')[0], path.stem.rsplit('_', 1)[1]) for path in PATHS}
    expected = {(name, data) for name in DETECTORS for data in ('scenes', 'bccd')}
    full = ('detr', 'conditional-detr-100q', 'deformable-detr')
    assert actual == expected | {(name, 'voc0712') for name in full}


@pytest.mark.slow
@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_the_head_learns_and_recall_is_reported(path: Path):
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(copy.deepcopy(cfg.model))
    variant = path.stem.split('_')[0].removesuffix('-100q')
    assert type(model.detector).__name__ == DETECTORS[variant]
    heads = {n for n, _ in model.detector.named_parameters() if n.startswith('bbox_head.')}
    assert set(model.trainable) == heads and any('reg' in name for name in heads)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert evaluator.type == 'mmpixcon.CocoRecallMetric' and evaluator.metric == 'bbox'
    epochs = 50 if 'voc' in path.stem else 12
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[-1].end == epochs


def pretrained(path: Path, folder: Path) -> str:
    """A checkpoint of the config's detector with seven classes."""
    cfg = Config.fromfile(path).model.detector
    cfg.bbox_head.num_classes = 7
    torch.manual_seed(1)
    model = MODELS.build(cfg)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), folder / 'pretrained.pth')
    return str(folder / 'pretrained.pth')


@pytest.mark.slow
@pytest.mark.parametrize('path', SMALL, ids=lambda path: path.stem)
def test_nothing_but_the_head_moves(path: Path, scenes_root: Path, bccd_root: Path, tmp_path: Path):
    root = scenes_root if path.stem.endswith('scenes') else bccd_root
    cfg = quick(
        f'transfer/{path.name}', root, tmp_path, train_cfg__max_epochs=1, train_cfg__val_interval=1
    )
    with pytest.raises(ValueError, match=r'load_from: this config starts from a checkpoint'):
        Runner.from_cfg(copy.deepcopy(cfg)).train()
    checkpoint = pretrained(path, tmp_path)
    cfg.update(load_from=checkpoint, experiment_name=f'second-{path.stem}')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2 and all(np.isfinite(scalars(runner, 'train/loss')))
    source = torch.load(checkpoint, weights_only=True)['state_dict']
    moved = set()
    for key, value in weights(runner).items():
        if not key.startswith('bbox_head.'):
            assert torch.equal(value, source[key]), key
        elif value.shape == source[key].shape and not torch.equal(value, source[key]):
            moved.add(key)
        assert (value.shape == source[key].shape) != bool(CLASSES.search(key)), key
    # A warm-up's first steps, yet the boxes' layers have begun to learn.
    assert moved and all('reg' in key for key in moved)
    metrics = {
        name.removeprefix('val/') for name in runner.message_hub.log_scalars if 'AR@' in name
    }
    assert metrics == {'coco/bbox_AR@1', 'coco/bbox_AR@10', 'coco/bbox_AR@100'}
    # A checkpoint of the stock detector, as every other.
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    load_state_dict(MODELS.build(copy.deepcopy(cfg.model.detector)), saved, strict=True)


def test_the_fragment_fits_a_config_of_ones_own(tmp_path: Path):
    """As its comment says, on DAB-DETR of mmdet."""
    lines = [
        line.removeprefix('#   ')
        for line in (CONFIGS / '_base_/transfer/box_head.py').read_text().splitlines()
        if line.startswith('#   ')
    ]
    assert len(lines) == 7
    mine = tmp_path / 'mine.py'
    stock = 'mmdet::dab_detr/dab-detr_r50_8xb2-50e_coco.py'
    mine.write_text('\n'.join(lines).replace('YOUR_CONFIG.py', stock))
    cfg = Config.fromfile(mine)
    assert cfg.model.type == 'mmpixcon.FrozenDetector'
    assert cfg.model.trainable == [r'^bbox_head\.'] and cfg.model.detector.type == 'DABDETR'
    assert cfg.test_evaluator.type == 'mmpixcon.CocoRecallMetric'
    assert cfg.test_evaluator.ann_file == 'data/coco/annotations/instances_val2017.json'
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[0].milestones) == (12, [11])

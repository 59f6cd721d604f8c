"""Every shipped config: it loads, it is listed, and the full ones build on real photos."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import yaml
from mmengine.config import Config

from mmpixcon.registry import DATASETS, MODELS

from ..conftest import CONFIGS, ROOT

METHODS = sorted(p for p in CONFIGS.glob('*/*.py') if p.parent.name != '_base_')
FULL = [p for p in METHODS if p.stem.endswith('_coco')]


@pytest.mark.parametrize('path', METHODS, ids=lambda path: path.stem)
def test_config_says_what_its_name_says(path):
    cfg = Config.fromfile(path)
    detector = cfg.model.get('detector', cfg.model)
    assert (cfg.model.type == 'mmpixcon.PixelContrastDetector') == path.stem.startswith('pixcon')
    assert f'_r{detector.backbone.depth}_' in path.stem
    batch = cfg.train_dataloader.batch_size
    assert f'xb{batch}-' in path.stem
    epochs = {'1x': 12}.get(path.stem.rsplit('_', 1)[0].split('-')[-1], cfg.train_cfg.max_epochs)
    assert f'-{epochs}e_' in path.stem or '-1x_' in path.stem
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.auto_scale_lr.base_batch_size > 0
    head = detector.get('bbox_head') or detector.roi_head.bbox_head
    classes = cfg.train_dataloader.dataset.get('metainfo', {}).get('classes')
    assert head.num_classes == (len(classes) if classes else 80)


def test_metafile_lists_every_config():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    listed = set()
    for metafile in index['Import']:
        for model in yaml.safe_load((ROOT / metafile).read_text())['Models']:
            assert (ROOT / model['Config']).stem == model['Name']
            listed.add(ROOT / model['Config'])
    assert listed == {p for p in METHODS if p.parent.name not in ('stock', 'transfer')}


@pytest.mark.slow
@pytest.mark.parametrize('path', FULL, ids=lambda path: path.stem)
def test_full_config_builds_and_makes_views_of_a_photo(path, bccd_root):
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(copy.deepcopy(cfg.model))
    assert model.alpha == 0
    assert model.beta == 1
    assert model.S == (9.0,)
    assert model.momentum_encoder.momentum == 0.99
    dataset = cfg.train_dataloader.dataset
    dataset.update(
        data_root=str(bccd_root),
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
        indices=2,
    )
    np.random.seed(0)
    sample = DATASETS.build(dataset)[0]
    assert sample['inputs']['momentum'].shape == (3, 640, 640)
    assert min(sample['inputs']['detection'].shape[1:]) >= 384
    matrix = sample['data_samples']['detection'].homography_matrix
    assert abs(np.linalg.det(matrix)) > 0.3

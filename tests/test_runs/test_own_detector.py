"""The five lines of docs/extending.md, on a stock config that PixCon ships nothing for."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmpixcon.registry import DATASETS, HOOKS, MODELS
from tests.helpers.configs import ROOT


@pytest.mark.slow
def test_five_lines_make_a_config_that_trains(scenes_root, tmp_path):
    page = (ROOT / 'docs' / 'extending.md').read_text()
    lines = re.search(r"```python\n(_base_ = \['YOUR_CONFIG\.py'.*?)```", page, re.DOTALL)[1]
    assert len(lines.strip().splitlines()) == 5
    path = tmp_path / 'mine.py'
    path.write_text(
        lines.replace('YOUR_CONFIG.py', 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py')
    )
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    cfg.train_dataloader.dataset.update(
        data_root=str(scenes_root),
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=('disc', 'triangle', 'ring', 'cross')),
    )
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = MODELS.build(cfg.model).train()
    assert type(model.detector).__name__ == 'RetinaNet'
    data = model.data_preprocessor(pseudo_collate([dataset[0]]), True)
    assert data['inputs']['momentum'].shape == (1, 3, 640, 640)
    total, logs = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert torch.isfinite(total)
    assert {'loss_cls', 'loss_bbox', 'loss_pixel_cos'} <= set(logs)
    hooks = [type(HOOKS.build(hook)).__name__ for hook in cfg.custom_hooks]
    assert hooks == ['PixelContrastHook', 'PlainCheckpointHook', 'FiniteLossHook']

"""DETR by the recipe of "Self-supervised learning for Object Detection"."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.registry import MODELS

from ..conftest import CONFIGS
from .test_train import quick, scalars

NAME = 'finetune/detr-adam_r18_1xb4-8e_scenes.py'


def test_one_rate_halved_after_half_the_epochs_and_no_clipping() -> None:
    cfg = Config.fromfile(CONFIGS / NAME)
    assert cfg.optim_wrapper == dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
    (schedule,) = cfg.param_scheduler
    assert (schedule.milestones, schedule.gamma) == ([cfg.train_cfg.max_epochs / 2], 0.5)
    # The rest is the stock detector's.
    stock = Config.fromfile(CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py').model
    for key in ('encoder', 'decoder', 'bbox_head', 'num_queries', 'train_cfg'):
        assert cfg.model[key] == stock[key], key


@pytest.mark.slow
def test_trains_from_a_checkpoint_of_barlow_twins(scenes_root: Path, tmp_path: Path) -> None:
    twins = Config.fromfile(CONFIGS / 'barlow_twins' / 'barlowtwins_r18_1xb32-100e_scenes.py')
    backbone = MODELS.build(twins.model.backbone)
    backbone.init_weights()
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_100.pth')
    checkpoint = str(tmp_path / 'epoch_100.pth')
    options = dict(model__backbone__init_cfg__checkpoint=checkpoint, train_cfg__max_epochs=1)
    runner = Runner.from_cfg(quick(NAME, scenes_root, tmp_path, **options))
    runner.model.init_weights()
    for key, value in runner.model.backbone.state_dict().items():
        assert torch.equal(value, state[f'backbone.{key}']), key
    before = runner.model.backbone.conv1.weight.clone()
    runner.train()
    losses = scalars(runner, 'train/loss')
    assert len(losses) == 2 and all(math.isfinite(loss) for loss in losses)
    # All of the backbone learns, at the rate of the rest: Adam's first steps are as long as it.
    moved = (runner.model.backbone.conv1.weight - before).abs().max().item()
    assert moved == pytest.approx(1.5e-4, rel=0.4)

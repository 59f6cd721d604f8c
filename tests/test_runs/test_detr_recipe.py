"""DETR by the recipe of "Self-supervised learning for Object Detection"."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.recipes.recipe import read_recipe
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.runs import model_of, quick, scalars

DETR = 'finetune/detr-adam_r18_1xb4-40e_scenes.py'
CONDITIONAL = 'finetune/conditional-detr-adam_r18_1xb4-40e_scenes.py'
DEFORMABLE = 'finetune/deformable-detr-single-scale-adam_r18_1xb4-40e_scenes.py'
TWINS = CONFIGS / 'barlow_twins' / 'barlowtwins_r18_1xb32-100e_scenes.py'


@pytest.mark.parametrize('name', [DETR, CONDITIONAL, DEFORMABLE])
def test_one_rate_halved_after_half_the_epochs_and_no_clipping(name: str) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    assert cfg.optim_wrapper == dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
    (schedule,) = cfg.param_scheduler
    assert (schedule.milestones, schedule.gamma) == ([20], 0.5)
    assert cfg.train_cfg.max_epochs == schedule.end == 40
    assert cfg.train_dataloader.batch_size == 4
    # Pixels as in pretraining.
    twins = Config.fromfile(TWINS).model.data_preprocessor
    for key in ('mean', 'std', 'bgr_to_rgb'):
        assert cfg.model.data_preprocessor[key] == twins.get(key), key


def test_detr_is_the_stock_one() -> None:
    cfg = Config.fromfile(CONFIGS / DETR)
    stock = Config.fromfile(CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py').model
    for key in ('encoder', 'decoder', 'bbox_head', 'num_queries', 'train_cfg'):
        assert cfg.model[key] == stock[key], key


@pytest.mark.parametrize('name', [CONDITIONAL, DEFORMABLE])
def test_the_others_see_the_same_cells_with_as_many_layers_and_queries(name: str) -> None:
    cfg, detr = (Config.fromfile(CONFIGS / n) for n in (name, DETR))
    for key in ('backbone', 'data_preprocessor', 'num_queries'):
        assert cfg.model[key] == detr.model[key], key
    for part in ('encoder', 'decoder'):
        assert cfg.model[part].num_layers == detr.model[part].num_layers
        ours, theirs = (c.model[part].layer_cfg.ffn_cfg for c in (cfg, detr))
        for key in ('feedforward_channels', 'ffn_drop'):
            assert ours[key] == theirs[key], key
    for key in ('data_root', 'ann_file', 'pipeline'):
        assert cfg.train_dataloader.dataset[key] == detr.train_dataloader.dataset[key], key
    assert cfg.val_evaluator == detr.val_evaluator
    # One map, of the same stride.
    image = torch.rand(1, 3, 128, 160)
    for config in (cfg, detr):
        config.model.backbone.init_cfg = None
        model = MODELS.build(config.model).eval()
        (level,) = model.extract_feat(image)
        assert level.shape == (1, 256, 8, 10)


@pytest.mark.slow
@pytest.mark.parametrize('name', [DETR, CONDITIONAL, DEFORMABLE])
def test_trains_from_a_checkpoint_of_barlow_twins(
    name: str, scenes_root: Path, tmp_path: Path
) -> None:
    twins = Config.fromfile(TWINS)
    backbone = MODELS.build(twins.model.backbone)
    backbone.init_weights()
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_100.pth')
    checkpoint = str(tmp_path / 'epoch_100.pth')
    options = dict(model__backbone__init_cfg__checkpoint=checkpoint, train_cfg__max_epochs=1)
    runner = Runner.from_cfg(quick(name, scenes_root, tmp_path, **options))
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


@pytest.mark.slow
@pytest.mark.parametrize('name', [DETR, DEFORMABLE])
def test_goes_on_from_updetr(name: str, scenes_root: Path, tmp_path: Path) -> None:
    """Of the same detector, whole: with the options of the recipe."""
    recipe = read_recipe(CONFIGS / 'recipes' / 'detr_adam_scenes.py')
    (fine_tuned,) = (
        s for s in recipe.stages.values() if 'load_from' in s.init and s.config == CONFIGS / name
    )
    pretraining = recipe.stages[fine_tuned.init['load_from']]
    detector = model_of(pretraining.config)
    detector.init_weights()
    state = detector.state_dict()
    torch.save(dict(state_dict=state), tmp_path / 'updetr.pth')
    options = dict(train_cfg__max_epochs=1, load_from=str(tmp_path / 'updetr.pth'))
    cfg = quick(name, scenes_root, tmp_path, **options)
    cfg.merge_from_dict({'model.backbone.init_cfg': fine_tuned.options['model.backbone.init_cfg']})
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert all(math.isfinite(loss) for loss in scalars(runner, 'train/loss'))
    for key, value in runner.model.state_dict().items():
        # The class branch is new: the scenes have other classes than the pretext.
        if not key.startswith('bbox_head.') or 'reg' in key:
            moved = (value.float() - state[key].float()).abs().max().item()
            assert moved < 3e-4 or 'running' in key or 'tracked' in key, (key, moved)

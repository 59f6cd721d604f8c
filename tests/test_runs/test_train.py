"""Short training runs of the shipped configs through the real Runner."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.runner import Runner

from mmpixcon.apis.config import merge_options
from mmpixcon.registry import HOOKS
from tests.helpers.runs import quick, scalars, weights

pytestmark = pytest.mark.slow

DETECTORS = ['deformable-detr_r18', 'detr_r18', 'faster-rcnn_r18_fpn']
HOOK = 'mmpixcon.PixelContrastHook'


@pytest.mark.parametrize('detector', DETECTORS)
def test_scenes(detector, scenes_root, tmp_path):
    cfg = quick(f'pixcon/pixcon_{detector}_1xb8-12e_scenes.py', scenes_root, tmp_path)
    cfg.custom_hooks[0].update(
        stats_interval=1, beta=dict(start=0.5, end=1.0, stop=4, by_epoch=False)
    )
    assert cfg.custom_hooks[0].type == HOOK
    runner = Runner.from_cfg(cfg)
    runner.train()
    model = runner.model
    assert runner.iter == 4
    # The average moved, and not all the way.
    online = model.online_encoder['neck'].state_dict()
    average = model.momentum_encoder.neck.state_dict()
    name = next(n for n in online if n.endswith('conv.weight'))
    assert not torch.equal(online[name], average[name])
    assert (online[name] - average[name]).abs().max() < 0.1
    assert scalars(runner, 'train/pixcon/beta') == [0.5, 0.625, 0.75, 0.875]
    maps = dict(zip(DETECTORS, (3, 1, 5)))[detector]
    level = model.levels[0] % maps
    for stat in ('positives_per_anchor', 'anchor_share', 'positive_similarity', 'feature_std'):
        assert len(scalars(runner, f'train/pixcon/l{level}_{stat}')) == 4


@pytest.mark.parametrize('detector', [*DETECTORS, 'dn-detr_r18', 'dn-deformable-detr_r18'])
def test_bccd(detector, bccd_root, tmp_path):
    cfg = quick(
        f'pixcon/pixcon_{detector}_1xb8-24e_bccd.py',
        bccd_root,
        tmp_path,
        train_cfg__max_epochs=1,
        train_cfg__val_interval=5,
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    losses = scalars(runner, 'train/loss_pixel_cos')
    assert len(losses) == 2
    assert all(-1 <= loss <= 1 and loss != 0 for loss in losses)


def test_channels_last_as_usual(scenes_root, tmp_path):
    name = 'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
    losses = []
    # As on the command line.
    option = {'default_hooks.channels_last.type': 'mmpixcon.ChannelsLastHook'}
    for folder, options in dict(a={}, b=option).items():
        epochs = dict(train_cfg__max_epochs=1, train_cfg__val_interval=5)
        cfg = quick(name, scenes_root, tmp_path / folder, **epochs)
        merge_options(cfg, options)
        runner = Runner.from_cfg(cfg)
        runner.train()
        losses.append(torch.tensor(scalars(runner, 'train/loss')))
    assert len(losses[0]) == 2
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    weight = runner.model.detector.backbone.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_momentum_update_is_equation_2_after_each_step(scenes_root, tmp_path):
    cfg = quick(
        'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
        scenes_root,
        tmp_path,
        train_cfg__max_epochs=1,
    )
    seen = []

    def record(runner):
        model = runner.model
        seen.append(
            (
                copy.deepcopy(model.online_encoder['neck'].state_dict()),
                copy.deepcopy(model.momentum_encoder.neck.state_dict()),
            )
        )

    runner = Runner.from_cfg(cfg)
    hook = next(h for h in runner.hooks if type(h).__name__ == 'PixelContrastHook')
    before, after = hook.before_train_iter, hook.after_train_iter
    hook.before_train_iter = lambda r, *a, **k: (record(r), before(r, *a, **k))
    hook.after_train_iter = lambda r, *a, **k: (after(r, *a, **k), record(r))
    runner.train()
    assert len(seen) == 4
    start_online, start_average = seen[0]
    for name, value in start_online.items():
        assert torch.equal(value, start_average[name])
    for (_, old), (online, new) in (seen[:2], seen[2:]):
        for name, value in new.items():
            torch.testing.assert_close(value, 0.99 * old[name] + 0.01 * online[name])


def test_accumulated_gradients_move_the_average_once_a_step(scenes_root, tmp_path):
    cfg = quick(
        'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
        scenes_root,
        tmp_path,
        optim_wrapper__accumulative_counts=2,
        train_cfg__max_epochs=1,
        train_dataloader__batch_size=2,
    )
    runner = Runner.from_cfg(cfg)
    updates = []
    average = runner.model.momentum_encoder
    original = average.update
    average.update = lambda **online: (updates.append(runner.iter), original(**online))
    runner.train()
    assert updates == [1, 3]


@pytest.mark.torch_versions
def test_resumed_run_ends_where_the_uninterrupted_one_does(scenes_root, tmp_path):
    name = 'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
    whole = Runner.from_cfg(quick(name, scenes_root, tmp_path / 'whole', experiment_name='whole'))
    whole.train()
    path = tmp_path / 'whole' / 'epoch_1.pth'
    # What is saved needs no allow-list.
    torch.load(path, weights_only=True)
    cfg = quick(name, scenes_root, tmp_path / 'resumed', experiment_name='resumed')
    cfg.load_from, cfg.resume = str(path), True
    resumed = Runner.from_cfg(cfg)
    resumed.train()
    assert resumed.iter == whole.iter == 4
    expected = weights(whole)
    for key, value in weights(resumed).items():
        assert torch.equal(value, expected[key]), key


def test_the_hook_refuses_another_model(scenes_root, tmp_path):
    cfg = quick('stock/deformable-detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path)
    cfg.custom_hooks = [dict(type=HOOK)]
    with pytest.raises(TypeError, match=r'needs model.type = PixelContrastDetector'):
        Runner.from_cfg(cfg).train()


def test_a_schedule_of_a_weight_that_is_off_is_refused(scenes_root, tmp_path):
    cfg = quick('pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path)
    cfg.custom_hooks[0].alpha = dict(start=0, end=1, stop=1)
    with pytest.raises(ValueError, match=r'model\.alpha is 0'):
        Runner.from_cfg(cfg).train()


def test_mixing_data_sets_are_refused_by_name(scenes_root, tmp_path):
    cfg = quick('pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path)
    inner = cfg.train_dataloader.dataset
    loading, views = inner.pipeline[:2], inner.pipeline[2:]
    inner.pipeline = loading
    mosaic = dict(type='Mosaic', img_scale=(64, 64))
    cfg.train_dataloader.dataset = dict(
        type='MultiImageMixDataset', dataset=inner, pipeline=[mosaic, *views]
    )
    with pytest.raises(ValueError, match=r'train_dataloader\.dataset: Mosaic moves pixels'):
        Runner.from_cfg(cfg).train()


def test_a_schedule_from_zero_leaves_no_parameter_out(scenes_root, tmp_path):
    cfg = quick('pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py', scenes_root, tmp_path)
    runner = Runner.from_cfg(cfg)
    model = runner.model
    model.beta = 0.0
    data = model.data_preprocessor(next(iter(runner.build_dataloader(cfg.train_dataloader))), True)
    total, logs = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert logs['loss_pixel_cos'].item() == 0
    assert all(p.grad is not None for p in model.predictor.parameters())


def test_every_schedule_of_the_hook_is_at_work(scenes_root, tmp_path):
    cfg = quick(
        'pixcon/ablations/pixcon-two-level_deformable-detr_r18_1xb8-12e_scenes.py',
        scenes_root,
        tmp_path,
    )
    ramp = dict(stop=4, by_epoch=False)
    cfg.model.alpha = 0.5
    cfg.custom_hooks[0].update(
        alpha=dict(start=0.0, end=0.5, **ramp),
        beta=dict(start=0.2, end=1.0, **ramp),
        momentum=dict(start=0.9, end=1.0, shape='cosine', **ramp),
        S=[8.0, dict(start=2.0, end=4.0, **ramp)],
        stats_interval=1,
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert scalars(runner, 'train/pixcon/alpha') == pytest.approx([0, 0.125, 0.25, 0.375])
    assert scalars(runner, 'train/pixcon/beta') == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert scalars(runner, 'train/pixcon/S_0') == [8.0] * 4
    assert scalars(runner, 'train/pixcon/S_1') == [2.0, 2.5, 3.0, 3.5]
    assert runner.model.S == (8.0, 3.5)
    momentum = scalars(runner, 'train/pixcon/momentum')
    assert momentum == pytest.approx([0.9, 0.9146447, 0.95, 0.9853553])
    # L_NCE at weight 0, then not.
    nce = scalars(runner, 'train/loss_pixel_nce')
    assert len(nce) == 3 and all(value > 0 for value in nce)


def test_S_of_another_number_of_levels_is_refused(scenes_root, tmp_path):
    cfg = quick('pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path)
    cfg.custom_hooks[0].S = [9.0, 4.5]
    with pytest.raises(ValueError, match=r'S for 2 levels, but model.levels = \[-1\]'):
        Runner.from_cfg(cfg).train()
    with pytest.raises(ValueError, match='S = 0 must be positive'):
        HOOKS.build(dict(type=HOOK, S=0))

"""The hook logs whether queries use image and features, in a run of a shipped config."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from mmpixcon.engine.hooks import RegionConditionHook
from tests.helpers.region_models import inputs, pretext
from tests.helpers.runs import quick_pretraining, scalars


@pytest.mark.slow
@pytest.mark.parametrize('method', ['updetr', 'detreg'])
def test_a_run_logs_both_losses(method, scenes_root, tmp_path):
    name = f'{method}/{method}_conditional-detr_r18_1xb8-50e_scenes'
    cfg = quick_pretraining(name, scenes_root, tmp_path)
    cfg.model.detector.backbone.init_cfg = None
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.get('source', {}).get('type') == 'ProposalRegions':
            step.source = dict(type='RandomRegions', num=5)
    hook = next(h for h in cfg.custom_hooks if h.type == 'mmpixcon.RegionConditionHook')
    hook.interval = 2
    runner = Runner.from_cfg(cfg)
    runner.train()
    image_shares = scalars(runner, 'train/image_share')
    assert len(image_shares) == 2 and all(0 < share < 1 for share in image_shares)
    names = ('bbox_own_features', 'bbox_other_features')
    if method == 'detreg':
        assert not any(f'train/{name}' in runner.message_hub.log_scalars for name in names)
        return
    own, other = (scalars(runner, f'train/{name}') for name in names)
    # Of four steps the second and the last.
    assert len(own) == len(other) == 2 and all(0 < loss < 10 for loss in own) and own != other
    shares = scalars(runner, 'train/own_region_share')
    assert len(shares) == 4 and all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize('method', ['SiameseDETR', 'UPDETR'])
def test_training_keeps_its_random_numbers(method):
    # Boxes move at random, and queries lose their features.
    model = pretext(method)
    images, data_samples = inputs(method)
    stock = model.data_preprocessor.forward
    # The batch is preprocessed; crops are not.
    model.data_preprocessor.forward = lambda data, training: (
        data if 'data_samples' in data else stock(data, training)
    )
    hub = MessageHub(f'{method} hub')
    runner = SimpleNamespace(model=model, message_hub=hub, iter=0)
    state = torch.get_rng_state()
    data = dict(inputs=images, data_samples=data_samples)
    RegionConditionHook(interval=1).after_train_iter(runner, 0, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert 'train/bbox_other_features' in hub.log_scalars
    assert model.training and not model.detector.backbone.training


def test_bad_interval():
    with pytest.raises(ValueError, match='interval = 0 must be at least 1'):
        RegionConditionHook(interval=0)

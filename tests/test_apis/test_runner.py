"""What the command line changes in a config."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper

from mmpixcon.apis.runner import use_mixed_precision


@pytest.mark.parametrize(
    ('capability', 'expected'), [((7, 5), 'float16'), ((8, 0), 'bfloat16'), ((9, 0), 'bfloat16')]
)
def test_mixed_precision_of_the_card(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda: capability)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', clip_grad=dict(max_norm=0.1))))
    use_mixed_precision(cfg)
    wrapper = cfg.optim_wrapper
    assert (wrapper.type, wrapper.dtype) == ('AmpOptimWrapper', expected)
    assert wrapper.dtype in AmpOptimWrapper.valid_dtypes
    assert wrapper.clip_grad.max_norm == 0.1
    # bfloat16 has the range of float32.
    assert wrapper.loss_scale == ('dynamic' if expected == 'float16' else dict(enabled=False))


def test_mixed_precision_as_asked_for():
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', loss_scale=2.0)))
    use_mixed_precision(cfg, 'bfloat16')
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.optim_wrapper.loss_scale == dict(enabled=False)
    use_mixed_precision(cfg, 'float16')
    assert (cfg.optim_wrapper.dtype, cfg.optim_wrapper.loss_scale) == ('float16', 'dynamic')

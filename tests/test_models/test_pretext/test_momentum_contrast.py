"""The step that MoCo, DetCo and PLRC share."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from tests.helpers.pretext_models import detco, our_moco, plrc, samples, sgd, views


@pytest.mark.parametrize('build, count', [(our_moco, 2), (detco, 4), (plrc, 2)])
def test_accumulated_gradients_move_the_average_once_a_step(build, count):
    model = build()
    # Views are tensors already, in float64.
    model.data_preprocessor = nn.Identity()
    model.data_preprocessor.forward = lambda data, training: data
    wrapper = OptimWrapper(sgd(model), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    average = dict(model.momentum_encoder.named_parameters())
    online = nn.ModuleDict(model.online_encoder)
    for step in range(4):
        before = {name: value.clone() for name, value in average.items()}
        model.train_step(dict(inputs=views(count), data_samples=samples()), wrapper)
        followed = dict(online.named_parameters())
        assert len(average) > 60
        for name, value in average.items():
            kept = before[name]
            if step % 2:
                # Both have moved: the optimizer has made its step before.
                expected = 0.9 * kept + 0.1 * followed[name]
                torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)
            else:
                assert torch.equal(value, kept), name
        if step % 2:
            assert any(not torch.equal(value, before[name]) for name, value in average.items())

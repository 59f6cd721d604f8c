"""EmbeddingMonitorHook: its numbers by hand, when it looks, its picture."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from mmpixcon.engine.hooks import EmbeddingMonitorHook
from mmpixcon.evaluation.embeddings import (
    correlation_statistics,
    cross_correlation,
    draw_matrix,
    effective_rank,
)


def test_effective_rank_by_hand():
    # Two directions with singular values 3 and 1, around any mean.
    z = torch.tensor([[3.0, 0, 0], [-3.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]]) + 7
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert effective_rank(z).item() == pytest.approx(math.exp(entropy), rel=1e-6)
    assert effective_rank(torch.tensor([[1.0, 2], [2, 4], [3, 6]])).item() == pytest.approx(1)
    assert effective_rank(torch.full((4, 3), 0.3)).item() == 0
    assert effective_rank(torch.tensor([[1.0, math.inf], [2, 3]])).isnan()
    isotropic = torch.cat([torch.eye(5), -torch.eye(5)]) * 2
    assert effective_rank(isotropic).item() == pytest.approx(5, rel=1e-6)


def test_cross_correlation_is_numpys():
    first, second = torch.randn(40, 3).double(), torch.randn(40, 3).double()
    expected = np.corrcoef(first.T, second.T)[:3, 3:]
    np.testing.assert_allclose(cross_correlation(first, second, 0.0), expected, atol=1e-9)
    actual = correlation_statistics(torch.tensor([[1.0, 0.3], [-0.4, 0.5]]))
    assert actual['diagonal_mean'] == pytest.approx(0.75)
    assert actual['off_diagonal_rms'] == pytest.approx(math.sqrt((0.09 + 0.16) / 2))


class Head(nn.Module):
    def forward(self, first, second):
        return (first - second).square().mean()


class Pictures:
    def __init__(self):
        self.seen = []

    def add_image(self, name, image, step):
        self.seen.append((name, image.shape, step))


@pytest.fixture
def runner(request):
    return SimpleNamespace(
        model=nn.ModuleDict(dict(head=Head())),
        message_hub=MessageHub.get_instance(request.node.name),
        visualizer=Pictures(),
        iter=0,
        logger=logging.getLogger(request.node.name),
    )


def test_it_looks_every_interval(runner):
    hook = EmbeddingMonitorHook(interval=2, draw_interval=4)
    hook.before_train(runner)
    z = torch.randn(8, 3)
    for _ in range(5):
        hook.before_train_iter(runner, runner.iter)
        runner.model['head'](z, z)
        hook.after_train_iter(runner, runner.iter)
        runner.iter += 1
    actual = {k: v.data[0] for k, v in runner.message_hub.log_scalars.items()}
    assert {len(values) for values in actual.values()} == {2}
    assert actual['train/diagonal_mean'][0] == pytest.approx(1, abs=1e-4)
    deviation = z.std(0, correction=0)
    assert actual['train/dimension_std_min'][0] == pytest.approx(deviation.min().item())
    assert actual['train/dimension_std_mean'][0] == pytest.approx(deviation.mean().item())
    assert actual['train/effective_rank'][0] == pytest.approx(effective_rank(z).item())
    assert runner.visualizer.seen == [('cross_correlation', (512, 512, 3), 4)]
    hook.after_train(runner)
    assert not runner.model['head']._forward_pre_hooks


def test_states_of_queries_are_those_of_the_last_layer(runner):
    hook = EmbeddingMonitorHook(interval=1, draw_interval=1, paired=False)
    hook.before_train(runner)
    states, references = torch.randn(3, 2, 5, 4), torch.rand(2, 5, 1)
    hook.before_train_iter(runner, 0)
    runner.model['head'](states, references)
    hook.after_train_iter(runner, 0)
    actual = {k: v.data[0] for k, v in runner.message_hub.log_scalars.items()}
    rows = states[2].reshape(10, 4)
    assert actual.pop('train/effective_rank') == pytest.approx(effective_rank(rows).item())
    deviation = rows.std(0, correction=0)
    assert actual.pop('train/dimension_std_min') == pytest.approx(deviation.min().item())
    assert actual.pop('train/dimension_std_mean') == pytest.approx(deviation.mean().item())
    assert not actual and not runner.visualizer.seen


def test_constant_embeddings_are_a_warning(runner, caplog):
    hook = EmbeddingMonitorHook(interval=1, draw_interval=0)
    hook.before_train(runner)
    constant, line = torch.full((8, 3), 0.5), torch.arange(8.0)[:, None] * torch.ones(3)
    spread = torch.randn(8, 3)
    warned = []
    for z in (spread, constant, line, spread, line):
        hook.before_train_iter(runner, runner.iter)
        runner.model['head'](z, z)
        caplog.clear()
        hook.after_train_iter(runner, runner.iter)
        warned.append([record.message for record in caplog.records])
    assert [len(messages) for messages in warned] == [0, 1, 0, 0, 1]
    assert warned[1][0].startswith('effective_rank is 0.00: the embeddings of all images')
    assert 'train_dataloader' in warned[1][0] and 'lower optim_wrapper' in warned[1][0]
    values = runner.message_hub.log_scalars.values()
    assert all(np.isfinite(value.data[0]).all() for value in values)


def test_bad_settings(runner):
    with pytest.raises(KeyError, match=r"module = 'neck'.*has no such module; its own are head"):
        EmbeddingMonitorHook('neck').before_train(runner)
    with pytest.raises(ValueError, match='draw_interval = 3 a multiple'):
        EmbeddingMonitorHook(interval=2, draw_interval=3)


def test_matrix_as_a_picture():
    drawn = draw_matrix(np.array([[1.0, 0.0], [-1.0, 0.5]]), side=4)
    assert drawn.shape == (4, 4, 3)
    assert drawn[0, 0].tolist() == [178, 24, 43] and drawn[0, 3].tolist() == [255] * 3
    assert drawn[3, 0].tolist() == [33, 102, 172]
    assert drawn[3, 3].tolist() == [216, 140, 149]

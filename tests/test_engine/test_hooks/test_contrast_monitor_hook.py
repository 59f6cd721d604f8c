"""ContrastMonitorHook: what it measures, when it warns, what it refuses."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from torch import nn

from mmpixcon.engine.hooks import ContrastMonitorHook
from mmpixcon.models.contrast import MemoryBank


class Log(logging.Handler):
    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append((record.levelname, record.getMessage()))


@pytest.fixture
def runner():
    logger = logging.Logger('monitor')
    handler = Log()
    logger.addHandler(handler)
    hub = MessageHub.get_instance(f'monitor {id(handler)}')
    model = nn.ModuleDict(dict(a=MemoryBank(8, 4), b=MemoryBank(8, 4)))
    return SimpleNamespace(
        model=model, logger=logger, message_hub=hub, iter=0, texts=handler.texts, world_size=1
    )


def see(hook, runner, values):
    for value in values:
        hook.after_train_iter(runner, runner.iter, outputs=dict(feature_std=torch.tensor(value)))
        runner.iter += 1


def test_statistics_of_the_banks_by_hand(runner):
    a, b = runner.model['a'], runner.model['b']
    a.keys[:] = torch.eye(4).repeat(2, 1)
    b.keys[:] = torch.eye(4)[0]
    # The ring of a: its newest two are rows 1 and 2, its oldest rows 3 and 4.
    a.pointer.fill_(3)
    actual = ContrastMonitorHook.bank_statistics(runner)
    # Each channel of a is 1 in a quarter of the rows; times the root of 4 channels.
    assert actual['bank_std'] == pytest.approx((0.1875**0.5 * 2 + 0) / 2, rel=1e-6)
    newest, oldest = torch.tensor([0, 0.5, 0.5, 0]), torch.tensor([0.5, 0, 0, 0.5])
    drift = 1 - F.cosine_similarity(newest, oldest, dim=0).item()
    assert drift == 1.0
    assert actual['bank_drift'] == pytest.approx((drift + 0) / 2, abs=1e-6)
    # Centered, a has three directions alike; b none.
    assert actual['bank_rank'] == pytest.approx((3 + 0) / 2, rel=1e-6)
    assert actual['bank_dimension_std_min'] == pytest.approx((0.1875**0.5 + 0) / 2, rel=1e-6)
    runner.model = nn.Linear(1, 1)
    assert ContrastMonitorHook.bank_statistics(runner) == {}


def test_the_rank_is_that_of_the_newest_keys(runner, monkeypatch):
    monkeypatch.setattr('mmpixcon.engine.hooks.contrast_monitor_hook.RANKED', 3)
    bank = runner.model['a']
    bank.keys[:] = 0
    # Written across the end of the ring.
    bank.pointer.fill_(7)
    bank.enqueue(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0], [0.5, 0, 0, 0]]))
    bank.keys[3:6] = torch.eye(4)[1:]
    runner.model = nn.ModuleDict(dict(a=bank))
    assert ContrastMonitorHook.bank_statistics(runner)['bank_rank'] == pytest.approx(1)


def test_the_banks_are_looked_at_every_interval(runner):
    see(ContrastMonitorHook(interval=3), runner, [0.5] * 7)
    assert len(runner.message_hub.get_scalar('train/bank_std').data[0]) == 2
    assert len(runner.message_hub.get_scalar('train/bank_drift').data[0]) == 2


def test_one_warning_a_collapse(runner):
    hook = ContrastMonitorHook(threshold=0.1, patience=3)
    see(hook, runner, [0.01, 0.01, 0.2, 0.01, 0.01])
    assert runner.texts == []
    see(hook, runner, [0.01] * 5)
    assert len(runner.texts) == 1
    level, text = runner.texts[0]
    assert level == 'WARNING'
    assert text.startswith('feature_std was below 0.1 for 3 iterations') and 'collapse' in text
    see(hook, runner, [0.5, 0.01, 0.01, 0.01, 0.01])
    assert len(runner.texts) == 2


def test_a_model_without_feature_std_is_left_alone(runner):
    hook = ContrastMonitorHook(patience=1)
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.zeros(())))
    hook.after_train_iter(runner, 0, outputs=None)
    assert runner.texts == []


def test_less_than_a_batch_is_refused(runner):
    data = torch.utils.data.TensorDataset(torch.zeros(8))
    runner.train_dataloader = torch.utils.data.DataLoader(data, batch_size=32, drop_last=True)
    with pytest.raises(ValueError, match=r'8 images on 1 process.*batch_size = 32.*lower train'):
        ContrastMonitorHook().before_train(runner)
    runner.train_dataloader = torch.utils.data.DataLoader(data, batch_size=8, drop_last=True)
    ContrastMonitorHook().before_train(runner)


def test_bad_settings():
    with pytest.raises(ValueError, match='interval = 0 and patience = 200 must be at least 1'):
        ContrastMonitorHook(interval=0)

"""Processes that torchrun started again."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import distributed

from mmpixcon.engine.restarts import fresh_store, join_again

pytestmark = pytest.mark.torch_versions


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> distributed.TCPStore:
    """A store as torchrun keeps it, and the environment of its only process after a restart."""
    store = distributed.TCPStore('127.0.0.1', 0, 1, is_master=True, wait_for_workers=False)
    environment = dict(
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(store.port),
        RANK='0',
        LOCAL_RANK='0',
        WORLD_SIZE='1',
        GROUP_WORLD_SIZE='1',
        TORCHELASTIC_USE_AGENT_STORE='True',
        TORCHELASTIC_RESTART_COUNT='2',
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return store


def test_each_restart_has_names_of_its_own(
    agent: distributed.TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.set('address', 'of a process that is gone')
    found = fresh_store()
    assert (found['rank'], found['world_size']) == (0, 1)
    found['store'].set('address', 'of this one')
    assert found['store'].get('address') == b'of this one'
    assert agent.get('address') == b'of a process that is gone'
    # Machines need not have counted as many restarts.
    monkeypatch.setenv('GROUP_WORLD_SIZE', '2')
    assert fresh_store() == {}
    monkeypatch.setenv('GROUP_WORLD_SIZE', '1')
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '0')
    assert fresh_store() == {}


def test_a_group_with_gpus_is_started_as_mmengine_does(
    agent: distributed.TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: None)
    monkeypatch.setattr(distributed, 'init_process_group', lambda **given: started.append(given))
    cfg = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(timeout=90))))
    join_again(cfg)
    (given,) = started
    assert (given['backend'], given['rank'], given['world_size']) == ('nccl', 0, 1)
    assert given['timeout'] == datetime.timedelta(seconds=90)
    assert isinstance(given['store'], distributed.PrefixStore)
    for left_alone in (
        dict(launcher='slurm'),
        dict(launcher='pytorch', env_cfg=dict(dist_cfg=dict(init_backend='deepspeed'))),
    ):
        join_again(Config(left_alone))
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '0')
    join_again(cfg)
    assert len(started) == 1

"""Errors from deep inside torch, with the config key that they come from."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from mmpixcon.apis.runner import explained


@pytest.mark.parametrize('model', [dict(num_queries=900), dict(detector=dict(num_queries=900))])
def test_more_queries_than_cells(model):
    with (
        pytest.raises(RuntimeError, match=r'model\.num_queries = 900 are more than the cells'),
        explained(Config(dict(model=model))),
    ):
        torch.zeros(85).topk(900)


def test_too_little_shared_memory():
    text = 'DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...'
    with (
        pytest.raises(RuntimeError, match=r'--shm-size 8g.*num_workers=0'),
        explained(Config(dict(model=dict()))),
    ):
        raise RuntimeError(text)


def test_others_stay_as_they_are():
    with pytest.raises(RuntimeError, match=r'^else$'), explained(Config(dict(model=dict()))):
        raise RuntimeError('else')

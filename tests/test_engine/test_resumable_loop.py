"""Resuming iteration-based training without reading past data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mmengine.runner import Runner

pytestmark = pytest.mark.torch_versions

ASPECT = {'batch_sampler': {'type': 'AspectRatioBatchSampler'}}
FINITE = {'sampler': {'type': 'DefaultSampler', 'shuffle': True}}


@pytest.mark.slow
@pytest.mark.parametrize('loader', [{}, ASPECT, FINITE, {**ASPECT, **FINITE}])
@pytest.mark.parametrize('workers', [0, 2])
def test_data_go_on_in_the_same_order(
    tiny_runner: Callable[..., Runner], loader: dict, workers: int
) -> None:
    options = {'loader': loader, 'workers': workers, 'val': False, 'length': 9, 'interval': 8}
    whole = tiny_runner('whole', iters=14, **options)
    whole.train()
    tiny_runner('parts', iters=8, **options).train()
    resumed = tiny_runner('parts', iters=14, resume=True, **options)
    resumed.train()
    assert len(whole.model.seen) == 14
    assert resumed.model.seen == whole.model.seen[8:]


def test_past_data_are_not_read(tiny_runner: Callable[..., Runner]) -> None:
    tiny_runner('a', iters=8, val=False, interval=8).train()
    resumed = tiny_runner('a', iters=10, val=False, resume=True)
    dataset = resumed.train_dataloader.dataset
    assert dataset.read == []
    resumed.train()
    seen = [index for batch in resumed.model.seen for index in batch]
    assert len(seen) == 4
    assert dataset.read == seen


def test_the_order_is_that_of_the_stock_loop(tiny_runner: Callable[..., Runner]) -> None:
    ours = tiny_runner('ours', iters=7, val=False)
    ours.train()
    stock = tiny_runner('stock', iters=7, val=False, loop='IterBasedTrainLoop')
    stock.train()
    assert ours.model.seen == stock.model.seen

"""Resuming iteration-based training without reading past data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mmengine.runner import IterBasedTrainLoop, Runner

from mmpixcon.engine.runner.resumable_loop import SkippingIterator

pytestmark = pytest.mark.torch_versions

ASPECT = {'batch_sampler': {'type': 'AspectRatioBatchSampler'}}
FINITE = {'sampler': {'type': 'DefaultSampler', 'shuffle': True}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ('workers', 'loader'),
    [(0, {}), (0, ASPECT), (0, FINITE), (0, {**ASPECT, **FINITE}), (2, {})],
)
def test_data_go_on_in_the_same_order(
    tiny_runner: Callable[..., Runner], loader: dict, workers: int
) -> None:
    options = {'loader': loader, 'workers': workers, 'val': False, 'length': 9, 'interval': 8}
    whole = tiny_runner('whole', iters=14, **options)
    whole.train()
    tiny_runner('parts', iters=8, **options).train()
    resumed = tiny_runner('parts', iters=14, resume=True, **options)
    resumed.train()
    assert len(whole.model.indices) == 14
    assert resumed.model.indices == whole.model.indices[8:]


def test_past_data_are_not_read(tiny_runner: Callable[..., Runner]) -> None:
    tiny_runner('a', iters=8, val=False, interval=8).train()
    resumed = tiny_runner('a', iters=10, val=False, resume=True)
    dataset = resumed.train_dataloader.dataset
    assert dataset.read == []
    resumed.train()
    seen = [index for batch in resumed.model.indices for index in batch]
    assert len(seen) == 4
    assert dataset.read == seen


def test_the_order_is_that_of_the_stock_loop(tiny_runner: Callable[..., Runner]) -> None:
    ours = tiny_runner('ours', iters=7, val=False)
    ours.train()
    stock = tiny_runner('stock', iters=7, val=False, loop='IterBasedTrainLoop')
    stock.train()
    assert ours.model.indices == stock.model.indices


@pytest.mark.parametrize('loader', [{}, ASPECT, FINITE])
@pytest.mark.parametrize('number', [0, 1, 7])
def test_skipping_at_once_as_the_fork_does(
    tiny_runner: Callable[..., Runner], loader: dict, number: int
) -> None:
    """The fork's loop calls ``skip_iter``, before it draws the first batch."""
    batches = []
    for name in ('drawn', 'skipped'):
        runner = tiny_runner(name, iters=9, val=False, length=9, loader=loader)
        dataloader = runner.build_dataloader(runner._train_dataloader, seed=runner.seed)
        iterator = SkippingIterator(dataloader)
        if name == 'drawn':
            for _ in range(number):
                next(iterator)
        else:
            iterator.skip_iter(number)
            assert dataloader.dataset.read == []
        batches.append([next(iterator)['index'].tolist() for _ in range(6)])
    assert batches[0] == batches[1]


@pytest.mark.parametrize('from_the_start', [False, True])
def test_the_fork_can_be_told_to_begin_with_the_first_images(
    tiny_runner: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch, from_the_start: bool
) -> None:
    """By ``fast_forward_on_resume`` of its loop, whose name says the opposite."""
    drawn = []

    def run(loop: IterBasedTrainLoop) -> None:
        if not loop.fast_forward_on_resume:
            loop.dataloader_iterator.skip_iter(loop.iter)
        drawn.extend(next(loop.dataloader_iterator)['index'].tolist() for _ in range(2))

    whole = tiny_runner('whole', iters=6, val=False)
    whole.train()
    loop = tiny_runner('resumed', iters=6, val=False).train_loop
    monkeypatch.setattr(IterBasedTrainLoop, 'run', run)
    loop.fast_forward_on_resume = from_the_start
    loop._iter = 4
    loop.run()
    assert drawn == (whole.model.indices[:2] if from_the_start else whole.model.indices[4:])

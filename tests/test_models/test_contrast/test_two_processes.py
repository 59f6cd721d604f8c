"""Gathering, shuffled keys, bank and methods in two gloo processes equal one process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope

from mmpixcon.models.contrast import MemoryBank, ShuffledKeys, gather_rows, gather_with_gradient
from mmpixcon.models.geometry import point_samplers
from mmpixcon.registry import MODELS
from tests.helpers.pretext_models import NECK, detco, our_moco, plrc, samples, sgd, views
from tests.helpers.pretext_models import build as build_model
from tests.helpers.processes import in_two_processes

pytestmark = pytest.mark.slow
EXCLUDE_SELF = 'PLRC, exclude_self'
METHODS = ('MoCo', 'DetCo', 'PLRC', EXCLUDE_SELF, 'VICReg', 'BarlowTwins')
FIXED = dict(type='mmdet.ResNet', depth=18, base_channels=8, out_indices=(3,), norm_eval=True)


def global_loss(rows):
    """Depends on every pair of rows."""
    return (rows @ rows.T).exp().mean()


def rows_of(rank: int | None):
    torch.manual_seed(3)
    rows = torch.randn(6, 4).double()
    return rows if rank is None else rows[3 * rank : 3 * rank + 3]


def every_other(mask, count):
    """In the place of ``draw_true``: the same places, however many images there are."""
    rank = mask.cumsum(-1)
    target = 1 + 2 * torch.arange(count) % rank[..., -1:].clamp(min=1)
    return torch.searchsorted(rank, target).clamp(max=mask.shape[-1] - 1)


def correlation_heads():
    """Barlow Twins' head, ours and mmselfsup's."""
    init_default_scope('mmselfsup')
    loss = dict(type='mmselfsup.CrossCorrelationLoss')
    stock = dict(type='mmselfsup.LatentCrossCorrelationHead', in_channels=4, loss=loss)
    ours = dict(type='mmpixcon.CrossCorrelationHead')
    return dict(ours_barlow=MODELS.build(ours), stock_barlow=MODELS.build(stock).double())


def build(name: str):
    """A method, with the number of its views."""
    if name == 'MoCo':
        return our_moco(backbone=FIXED), 2
    if name == 'DetCo':
        return detco(backbone=dict(FIXED, out_indices=(0, 1, 2, 3))), 4
    if name in ('VICReg', 'BarlowTwins'):
        cfg = dict(backbone=FIXED, neck=NECK)
        if name == 'VICReg':
            return build_model(dict(type='mmpixcon.VICReg', **cfg)), 2
        head = dict(type='mmpixcon.CrossCorrelationHead')
        return build_model(dict(type='mmselfsup.BarlowTwins', head=head, **cfg)), 2
    strategy = dict(strategy=1, exclude_self=True) if name == EXCLUDE_SELF else dict(strategy=3)
    affinity = dict(type='mmpixcon.PointAffinityLoss', **strategy)
    return plrc(backbone=FIXED, negatives='all', affinity_loss=affinity), 2


def step_of(name: str, rank: int | None):
    """One step with half of the batch, or with all of it; PLRC skips an image."""
    torch.manual_seed(0)
    model, count = build(name)
    inputs, data_samples = views(count, batch=4), []
    if name in ('PLRC', EXCLUDE_SELF):
        # Maps of 2 x 2.
        inputs = [torch.randn(4, 3, 64, 64).double() for _ in inputs]
        data_samples = samples(4, apart=(1,), size=64)
    if rank is not None:
        own = slice(2 * rank, 2 * rank + 2)
        inputs, data_samples = [x[own] for x in inputs], data_samples[own]
    wrapped = model if rank is None else MMDistributedDataParallel(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_samplers, 'draw_true', every_other)
        losses = wrapped(inputs, data_samples, mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    optimizer = sgd(model)
    total.backward()
    optimizer.step()
    return total.item(), {k: v.clone() for k, v in model.state_dict().items()}


def worker(rank: int, port: int, folder: Path) -> None:
    # Not importable beside mmcv 2.1 before mmpixcon is.
    from mmselfsup.models.utils import GatherLayer

    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    actual = {}
    # Gradients through gathered rows, averaged as DistributedDataParallel does.
    for name, gather in (('ours', gather_with_gradient), ('dropped', GatherLayer.apply)):
        rows = rows_of(rank).requires_grad_()
        gathered = gather(rows)
        if isinstance(gathered, tuple):
            gathered = torch.cat(gathered)
        global_loss(gathered).backward()
        actual[name] = rows.grad / 2
    # Batches of unequal size.
    uneven = torch.arange(5.0)[:, None] if rank == 0 else torch.arange(5.0, 7.0)[:, None]
    gathered, own = gather_rows(uneven)
    actual['gathered'], actual['own'] = gathered, gathered[own]
    torch.manual_seed(rank)
    images, patches = uneven.repeat(1, 2), uneven.repeat(1, 3) + 10
    shuffled = ShuffledKeys(images, patches)
    actual['dealt'] = torch.cat([batch[:, :1] for batch in shuffled.batches], 1)
    mine, everyones = shuffled.restore(shuffled.batches[0] * 2)
    actual['mine'], actual['everyones'] = mine, everyones
    torch.manual_seed(0)
    bank = MemoryBank(10, 2)
    bank.enqueue(everyones)
    bank.enqueue(everyones)
    actual['bank'] = bank.keys
    for name, head in correlation_heads().items():
        rows = rows_of(rank).requires_grad_()
        head(rows, rows_of(rank).square()).backward()
        actual[name] = rows.grad / 2
    for name in METHODS:
        actual[name] = step_of(name, rank)
    torch.save(actual, folder / f'rank{rank}.pth')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    in_two_processes(worker, folder)
    return [torch.load(folder / f'rank{r}.pth', weights_only=True) for r in range(2)]


def test_gradients_through_gathered_rows_are_exact(ranks):
    rows = rows_of(None).requires_grad_()
    global_loss(rows).backward()
    # Two processes' mean of a loss that both compute: half of each one's share.
    ours = torch.cat([actual['ours'] for actual in ranks])
    torch.testing.assert_close(ours, rows.grad, rtol=1e-9, atol=1e-12)
    dropped = torch.cat([actual['dropped'] for actual in ranks])
    assert (dropped - rows.grad).abs().max() > 0.1 * rows.grad.abs().max()


def test_gradients_of_barlow_twins_are_exact(ranks):
    rows = rows_of(None).requires_grad_()
    head = correlation_heads()['ours_barlow']
    head(rows, rows_of(None).square()).backward()
    ours = torch.cat([actual['ours_barlow'] for actual in ranks])
    torch.testing.assert_close(ours, rows.grad, rtol=1e-9, atol=1e-12)
    # mmselfsup's: own statistics, and about half of the gradient.
    stock = torch.cat([actual['stock_barlow'] for actual in ranks])
    assert (stock - rows.grad).abs().max() > 0.1 * rows.grad.abs().max()


def test_rows_of_unequal_batches(ranks):
    for actual, own in zip(ranks, (torch.arange(5.0), torch.arange(5.0, 7.0))):
        assert actual['gathered'].flatten().tolist() == list(range(7))
        assert torch.equal(actual['own'].flatten(), own)


def test_keys_are_dealt_and_come_back(ranks):
    dealt = torch.cat([actual['dealt'] for actual in ranks])
    # The views of an image stay together, each is dealt once.
    assert torch.equal(dealt[:, 1], dealt[:, 0] + 10)
    assert sorted(dealt[:, 0].tolist()) == list(range(7))
    assert dealt[:, 0].tolist() != list(range(7))
    assert [len(actual['dealt']) for actual in ranks] == [5, 2]
    for actual, own in zip(ranks, (range(5), range(5, 7))):
        assert actual['mine'][:, 0].tolist() == [2 * i for i in own]
        assert actual['everyones'][:, 0].tolist() == [2 * i for i in range(7)]
    assert torch.equal(ranks[0]['bank'], ranks[1]['bank'])
    expected = [2.0 * i for i in (3, 4, 5, 6)]
    assert ranks[0]['bank'][:4, 0].tolist() == expected


@pytest.mark.parametrize('name', METHODS)
def test_a_step_equals_one_process(ranks, name):
    loss, weights = step_of(name, None)
    assert sum(actual[name][0] for actual in ranks) / 2 == pytest.approx(loss, rel=1e-9)
    for key, value in weights.items():
        for actual in ranks:
            torch.testing.assert_close(actual[name][1][key], value, rtol=1e-7, atol=1e-9, msg=key)

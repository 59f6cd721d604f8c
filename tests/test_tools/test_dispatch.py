"""No step dispatches many operators more than its floor, or waits for the device more often."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.configs import ROOT
from tests.helpers.processes import load_tool, run_tool

DISPATCH = ROOT / 'tools' / 'benchmarks' / 'dispatch.py'

# Operators and waits beyond the floor's with 4 images: what was counted, and a tenth. A loop over
# images, layers or regions, or an .item(), is more.
BOUNDS = {
    'PixCon, coarsest level': (80, 0),
    'PixCon, all levels': (215, 0),
    'PixCon, all levels, both losses': (470, 0),
    'MoCo v2': (36, 0),
    'DetCo': (99, 0),
    'PLRC': (156, 0),
    'PLRC, strategy 2': (184, 0),
    'PLRC, strategy 3': (261, 0),
    'Barlow Twins': (70, 0),
    'VICReg': (72, 0),
    # The class loss and two of boxes make small tensors on the CPU, and the costs are copied.
    'Siamese DETR': (460, 4),
    'UP-DETR': (372, 4),
    'DETReg': (361, 3),
}


@pytest.fixture(scope='module')
def dispatch():
    return load_tool(DISPATCH)


@pytest.mark.slow
@pytest.mark.parametrize('method', BOUNDS)
def test_steps_stay_near_their_floors(dispatch, method):
    assert set(BOUNDS) == set(dispatch.METHODS)
    side = 128 if method.startswith('PixCon') else 64
    cfg = dispatch.config_of(method, 'small')
    measured = dispatch.step_of(cfg, batch=4, size=(side, side), patch=32)
    step, floor = dispatch.count(measured.step), dispatch.count(measured.floor)
    operators, waits = BOUNDS[method]
    more = step.operators.total() - floor.operators.total()
    assert more <= operators, (step.operators - floor.operators).most_common(20)
    assert step.waits.total() - floor.waits.total() <= waits, step.waits - floor.waits


@pytest.mark.slow
def test_table():
    status, out, err = run_tool(
        DISPATCH, '--size', 'small', '--batch', 2, '--methods', 'MoCo v2', '--top', 3
    )
    assert status == 0, err
    assert 'MoCo v2: waits for none' in out and 'of the floor' in out


@pytest.fixture(scope='module')
def counting():
    return load_tool(DISPATCH.with_name('counting.py'))


def work_of(counting, function, *tensors):
    with counting.counted() as work:
        function(*tensors)
    return work


WAITS = {
    'item': lambda x: x.sum().item(),
    'boolean index': lambda x: x[x > 0],
    'nonzero': lambda x: x.nonzero(),
    'unique': lambda x: x.unique(),
    'cpu': lambda x: x.cpu().sum(),
    'tolist': lambda x: x.tolist(),
    'numpy': lambda x: np.asarray(x),
    'upload': lambda x: x.new_tensor([1.0]),
    'repeat_interleave': lambda x: torch.repeat_interleave(x.long()),
    'masked_select': lambda x: x.masked_select(x > 0),
}


@pytest.mark.parametrize('why', WAITS)
def test_a_wait_is_counted(counting, why):
    assert work_of(counting, WAITS[why], torch.rand(3)).waits == {why: 1}


def test_other_waits(counting):
    x = torch.rand(3)
    assert work_of(counting, bool, x.sum() > 0).waits == {'item': 1}
    assert work_of(counting, torch.linalg.inv, torch.eye(2)).waits == {'linalg check': 1}
    assert work_of(counting, lambda t: t[t > 0].add_(1), x).waits == {'boolean index': 1}


def on_the_host():
    """Numbers that the device has nothing to do with."""
    matrix = torch.from_numpy(np.eye(2))
    torch.linalg.inv(matrix)[matrix > 0].tolist()
    return torch.tensor([1.0, 2.0]).sum().item()


def test_the_host_does_not_wait_for_itself(counting):
    work = work_of(counting, on_the_host)
    assert not work.waits and not work.operators


def test_copies_to_the_device(counting):
    x = torch.rand(3)
    blocking = work_of(counting, lambda t: t + torch.arange(3.0).to(t.device), x)
    assert blocking.waits == {'upload': 1} and blocking.operators == {'upload': 1, 'add': 1}
    ready = work_of(counting, lambda t: t + torch.arange(3.0).to(t.device, non_blocking=True), x)
    assert not ready.waits
    made_there = work_of(counting, lambda t: t + torch.arange(3.0, device=t.device), x)
    assert not made_there.waits and made_there.operators == {'arange': 1, 'add': 1}
    # What comes from there can be waited for.
    there = work_of(counting, lambda t: torch.ones(3).to(t.device, non_blocking=True).tolist(), x)
    assert there.waits == {'tolist': 1}


def test_operators_of_both_passes(counting):
    x = torch.rand(3, requires_grad=True)
    work = work_of(counting, lambda t: (t.view(3, 1) * 2).sum().backward(), x)
    assert work.operators['mul'] == 2 and work.operators['sum'] == 1
    assert not work.operators['view'] and not work.operators['detach']
    fills = work_of(counting, lambda t: t.masked_fill_(t > 2, 0), torch.rand(3))
    assert not fills.waits
    lists = work_of(counting, lambda a, b: torch._foreach_add_([a, b], 1), x.detach(), x.detach())
    assert lists.operators == {'_foreach_add_': 1}
    mixed = work_of(counting, lambda a, b: torch._foreach_add_([a, b], 1), x.detach(), x.long())
    assert mixed.operators['_foreach_add_'] == 2

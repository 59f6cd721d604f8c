"""Trainings that are killed end as if they had not been: a few runs of the benchmark."""

from __future__ import annotations

import importlib
import random

import pytest
import torch

from mmpixcon.datasets.scenes.write import write_scenes
from tests.helpers.configs import ROOT

BENCHMARKS = ROOT / 'tools' / 'benchmarks'


@pytest.fixture(scope='module')
def faults():
    # By name: processes that are started find their function by it.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module('faults')


@pytest.fixture(scope='module')
def reference(faults, tmp_path_factory):
    """VICReg, left alone."""
    folder = tmp_path_factory.mktemp('faults')
    data = folder / 'scenes'
    write_scenes(data, num_train=12, num_val=2)
    faults.write_grid(data)
    case, *_ = faults.cases_of('VICReg', data, folder / 'VICReg')
    return faults.Reference(case, folder / 'left_alone')


@pytest.mark.slow
@pytest.mark.parametrize('turn', [0, 1, 2], ids=['SIGKILL', 'file', 'signal'])
def test_it_ends_as_if_it_had_not_been_killed(faults, reference, tmp_path, turn):
    outcome = faults.try_faults(reference, tmp_path / 'run', turn, random.Random(f'0 {turn}'))
    assert outcome.lost == '' and outcome.exact, outcome
    # Three files, the pointer to each, two that are removed.
    assert reference.moments == 6 * 3 + 2 * 2
    assert len(outcome.faults) == 1 and 'status' in outcome.faults[0]


def test_what_is_lost_is_told(faults, tmp_path):
    assert faults._lost(tmp_path) == ''
    (tmp_path / 'ledger').write_text('epoch_1.pth\nepoch_2.pth\n')
    torch.save(dict(state_dict={}), tmp_path / 'epoch_1.pth')
    told = 'epoch_2.pth was saved, and --resume finds epoch_1.pth'
    assert faults._lost(tmp_path) == told
    torch.save(dict(state_dict={}), tmp_path / 'epoch_1_iter_7.pth')
    (tmp_path / 'last_checkpoint').write_text('epoch_1_iter_7.pth')
    assert faults._lost(tmp_path) == ''


def test_states_are_compared_bit_for_bit(faults):
    state = dict(weights=[torch.tensor([1.0, 2.0])], step=(3, 'x'))
    assert faults.equal(state, dict(weights=[torch.tensor([1.0, 2.0])], step=(3, 'x')))
    near = torch.nextafter(torch.tensor([1.0, 2.0]), torch.tensor(9.0))
    assert not faults.equal(state, dict(weights=[near], step=(3, 'x')))
    assert not faults.equal(state, dict(weights=state['weights'], step=(4, 'x')))
    assert not faults.equal(state, dict(weights=state['weights']))

"""What a card must hold for a config, and the way to hold less."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.configs import ROOT
from tests.helpers.processes import load_tool, run_tool

MEMORY = ROOT / 'tools' / 'benchmarks' / 'memory.py'


@pytest.fixture(scope='module')
def memory():
    return load_tool(MEMORY)


@pytest.fixture(scope='module')
def dispatch():
    return load_tool(MEMORY.with_name('dispatch.py'))


def test_batches_and_sizes_are_the_configs(memory, dispatch):
    found = {
        method: memory.inputs_of(dispatch.config_of(method, 'full')) for method in dispatch.METHODS
    }
    for method, inputs in found.items():
        if method.startswith('PixCon'):
            assert (inputs.batch, inputs.size) == (3, (1333, 800))
        elif method in ('MoCo v2', 'DetCo') or method.startswith('PLRC'):
            assert (inputs.batch, inputs.size) == (32, (224, 224))
        elif method in ('Barlow Twins', 'VICReg'):
            assert (inputs.batch, inputs.size) == (256, (224, 224))
    assert found['DetCo'].patch == 64 and found['UP-DETR'].patch == 128
    # Two pictures of an image; 600 x 480, as a square.
    assert found['Siamese DETR'].batch == 2 * found['UP-DETR'].batch == 16
    assert found['UP-DETR'].size == (544, 544)


def test_cards(memory):
    assert [memory.smallest_card(peak) for peak in (1, 21.8, 22, 60, 72.8, None)] == [
        '24 GB', '24 GB', '40 GB', '80 GB', 'none', 'none',
    ]  # fmt: skip
    inputs = memory.Inputs(3, (1333, 800))
    assert memory.row('PixCon', inputs, 12.0, 10.0) == [
        'PixCon', '3 x 1333 x 800', '12.0', '10.0', '1.20', '24 GB',
    ]  # fmt: skip
    assert memory.row('PixCon', inputs, None, 10.0)[2:] == ['too much', '10.0', '-', 'none']


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_it_says_so():
    status, _, error = run_tool(MEMORY)
    assert status == 1 and 'memory is measured on a GPU, and torch finds none' in error


@pytest.mark.slow
@pytest.mark.parametrize('part', ['step', 'floor'])
def test_two_steps_are_taken(memory, dispatch, part):
    cfg = dispatch.config_of('MoCo v2', 'small')
    cfg.train_dataloader.batch_size = 4
    # In this process, which may hold freed memory already: from 0 on.
    assert 0 <= memory.peak_of(part, cfg, 'bfloat16', 'cpu') < 2


@pytest.mark.slow
@pytest.mark.parametrize('method', ['MoCo v2', 'PixCon, all levels'])
def test_checkpoints_in_the_backbone_change_no_gradient(memory, dispatch, method):
    gradients, recomputed = [], []
    for with_cp in (False, True):
        cfg = dispatch.config_of(method, 'small')
        if with_cp:
            memory.set_with_cp(cfg)
        measured = dispatch.step_of(cfg, 2, (128, 128), 64)
        model = measured.model
        backbone = model.detector.backbone if 'PixCon' in method else model.backbone
        calls = []
        backbone.layer4[0].conv1.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        torch.manual_seed(1)
        measured.step().backward()
        recomputed.append(len(calls))
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert recomputed == [1, 2]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-7)

"""The template's method: its equation, and a short training by its config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

import mmpixcon  # noqa: F401  (OpenMMLab's packages are importable together after it)

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_the_loss_is_its_equation(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    from view_agreement import view_agreement_loss

    p, z = torch.randn(2, 5, 7, dtype=torch.float64).unbind()
    p.requires_grad_()
    z.requires_grad_()
    expected = -sum((a / a.norm()) @ (b / b.norm()) for a, b in zip(p, z.detach(), strict=True)) / 5
    actual = view_agreement_loss(p, z)
    torch.testing.assert_close(actual, expected)
    (gradient,) = torch.autograd.grad(expected, p)
    actual.backward()
    torch.testing.assert_close(p.grad, gradient)
    assert z.grad is None


@pytest.mark.slow
def test_the_config_trains(tmp_path):
    command = [
        sys.executable, ROOT / 'tools' / 'train.py', HERE / 'view-agreement_r18_1xb32-100e_bccd.py',
        '--work-dir', tmp_path, '--data-root', f'{ROOT}/examples/bccd/', '--cfg-options',
        'train_cfg.max_epochs=1', 'default_hooks.logger.interval=1',
        'train_dataloader.dataset.indices=8', 'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT), str(HERE), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        command, env=dict(os.environ, PYTHONPATH=path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (scalars,) = tmp_path.rglob('scalars.json')
    losses = [json.loads(line)['loss'] for line in scalars.read_text().splitlines()]
    assert len(losses) == 2
    # A cosine, and untrained.
    assert all(-1 <= loss <= 1 for loss in losses)
    state = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'), 'cpu')['state_dict']
    assert {key.split('.')[0] for key in state} == {'backbone', 'neck', 'predictor'}

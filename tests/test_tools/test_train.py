"""The train and test tools, run as users run them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

HERE = Path(__file__).parent
CONFIG = HERE / 'tiny_config.py'
SCENES = ROOT / 'configs/stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def run(*command: object) -> str:
    """Run a program; return what it printed."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        'PORT': str(port),
        'PYTHONPATH': os.pathsep.join((str(ROOT), str(HERE))),
        'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    }
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def weights(path: Path) -> list[float]:
    """Slope and intercept."""
    state = torch.load(path, weights_only=True)['state_dict']
    return [state['line.weight'].item(), state['line.bias'].item()]


def expected(batch: int, steps: int, lr: float = 0.1) -> list[float]:
    """Gradient descent on the line, by hand."""
    w = b = 0.0
    for step in range(steps):
        xs = [(step * batch + i) % 16 / 16 for i in range(batch)]
        errors = [w * x + b - 2 * x for x in xs]
        w, b = (
            w - lr * 2 * sum(e * x for e, x in zip(errors, xs)) / batch,
            b - lr * 2 * sum(errors) / batch,
        )
    return [w, b]


@pytest.mark.slow
@pytest.mark.torch_versions
def test_train_and_resume(tmp_path: Path) -> None:
    command = (sys.executable, ROOT / 'tools/train.py', CONFIG, '--work-dir', tmp_path)
    run(*command, '--cfg-options', 'train_cfg.max_iters=2')
    assert weights(tmp_path / 'iter_2.pth') == pytest.approx(expected(4, 2))
    printed = run(*command, '--resume')
    assert '2 of 2 tensors of TinyLine (100%) found in' in printed
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))
    run(*command, '--resume', tmp_path / 'iter_2.pth')
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))


def test_the_learning_rate_follows_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    status, _, error = run_tool(
        *(ROOT / 'tools/train.py', CONFIG, '--work-dir', tmp_path),
        *('--auto-scale-lr', '--cfg-options', 'train_cfg.max_iters=1'),
    )
    assert status == 0, error
    assert weights(tmp_path / 'iter_1.pth') == pytest.approx(expected(4, 1, lr=0.05))


@pytest.mark.slow
@pytest.mark.torch_versions
def test_two_processes_on_cpus_equal_one(tmp_path: Path) -> None:
    # Two processes with batches of 2 see, in turn, the items of one batch of 4.
    run(
        *(ROOT / 'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path),
        *('--cfg-options', 'train_dataloader.batch_size=2'),
    )
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))


def refused(tool: str, *arguments: object) -> str:
    """Run a tool in this process, which stops with an error; return that."""
    status, _, printed = run_tool(ROOT / 'tools' / tool, *arguments)
    assert status != 0
    return printed


def test_what_is_missing_is_named_before_anything_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    printed = refused('train.py', tmp_path / 'no.py')
    assert f'Config {tmp_path}/no.py does not exist' in printed
    printed = refused('train.py', SCENES, '--data-root', tmp_path / 'none')
    assert f'{tmp_path}/none  (train_dataloader.dataset.' in printed
    assert 'data_root)' in printed and 'make_scenes.py' in printed
    printed = refused('train.py', CONFIG, '--resume', tmp_path / 'no.pth')
    assert f'Checkpoint {tmp_path}/no.pth, given by --resume, does not exist' in printed


def test_the_test_tool_names_a_missing_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    assert f'Checkpoint {tmp_path}/no.pth' in refused('test.py', CONFIG, tmp_path / 'no.pth')
    printed = refused('test.py', CONFIG, 'x.pth', '--out', 'x.txt')
    assert '--out writes a pickle file' in printed

"""What users type: mim train, kill it, resume, mim test, and mmdet's own test."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.helpers.configs import CONFIGS

pytestmark = pytest.mark.slow

PIXCON = 'pixcon_deformable-detr_r18_1xb8-12e_scenes.py'
STOCK = CONFIGS / 'stock' / 'deformable-detr_r18_1xb8-12e_scenes.py'
SHORT = [
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'train_dataloader.batch_size=4',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'randomness.seed=0',
]
TEST = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']


class Mim:
    """A started ``mim``, in a process group of its own.

    Args:
        *arguments: Of the command line.
        cwd (Path): Where it runs.
    """

    def __init__(self, *arguments: object, cwd: Path) -> None:
        # A file: a pipe that nobody reads stops the process once it is full.
        self.log = tempfile.TemporaryFile('w+')  # noqa: SIM115
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / 'mim'), *map(str, arguments)],
            cwd=cwd,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # One thread: two of them run at a time, on two cores.
            env=os.environ | {'PYTHONWARNINGS': 'ignore', 'OMP_NUM_THREADS': '1'},
        )

    def kill(self) -> None:
        """Stop it and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def output(self, ok: bool = True, timeout: float = 600) -> str:
        """What it printed, once it has ended."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.log.seek(0)
        text = self.log.read()
        assert (code == 0) == ok, text[-3000:]
        return text


def average_precision(output: str) -> list[str]:
    actual = re.findall(r'coco/bbox_mAP: (\S+)\s+coco/bbox_mAP_50: (\S+)', output)
    assert actual, output[-2000:]
    return actual[-1]


@pytest.fixture(scope='module')
def trained(scenes_root, tmp_path_factory) -> Path:
    """A work folder: trained by mim for three epochs, killed during it, resumed."""
    folder = tmp_path_factory.mktemp('mim')
    arguments = ['train', 'mmpixcon', PIXCON, '--data-root', scenes_root, '--work-dir', 'run']
    options = ['--cfg-options', *SHORT, 'train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    run = Mim(*arguments, *options, cwd=folder)
    try:
        deadline = time.time() + 300
        # last_checkpoint is written once the checkpoint is whole.
        while not (folder / 'run' / 'last_checkpoint').exists():
            assert run.process.poll() is None, run.output(ok=False)[-3000:]
            assert time.time() < deadline
            time.sleep(0.05)
    finally:
        run.kill()
    first = folder / 'run' / 'epoch_1.pth'
    assert first.exists()
    assert not (folder / 'run' / 'epoch_3.pth').exists()
    output = Mim(*arguments, '--resume', *options, cwd=folder).output()
    assert 'resumed epoch' in output
    assert re.search(r'Epoch\(train\) +\[3\]\[4/4\]', output)
    assert 'Epoch(train)   [1]' not in output
    return folder


def test_killed_and_resumed(trained):
    checkpoint = torch.load(trained / 'run' / 'epoch_3.pth', weights_only=True)
    assert checkpoint['meta']['epoch'] == 3
    assert checkpoint['meta']['iter'] == 12
    assert {k.split('.')[0] for k in checkpoint['state_dict']} >= {'backbone', 'pixcon'}
    assert 'detector' not in {k.split('.')[0] for k in checkpoint['state_dict']}


def test_stock_mmdet_gives_the_same_detections_and_ap(trained, scenes_root):
    checkpoint = trained / 'run' / 'epoch_3.pth'
    ours = Mim(
        'test', 'mmpixcon', PIXCON, '--checkpoint', checkpoint, '--data-root', scenes_root,
        '--work-dir', 'ours', '--out', 'ours.pkl', '--cfg-options', *TEST, cwd=trained,
    )  # fmt: skip
    stock = Mim(
        'test', 'mmdet', STOCK, '--checkpoint', checkpoint, '--work-dir', 'stock',
        '--out', 'stock.pkl', '--cfg-options', *TEST,
        f'test_dataloader.dataset.data_root={scenes_root}',
        f'test_evaluator.ann_file={scenes_root}/annotations/val.json', cwd=trained,
    )  # fmt: skip
    assert average_precision(ours.output()) == average_precision(stock.output())
    results = []
    for name in ('ours.pkl', 'stock.pkl'):
        with (trained / name).open('rb') as file:
            results.append(pickle.load(file))
    assert len(results[0]) == len(results[1]) == 8
    for a, b in zip(*results):
        assert a['img_id'] == b['img_id']
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(a['pred_instances'][key], b['pred_instances'][key])


def test_bccd(bccd_root, tmp_path):
    output = Mim(
        'train', 'mmpixcon', 'pixcon_deformable-detr_r18_1xb8-24e_bccd.py',
        '--data-root', bccd_root, '--work-dir', 'run', '--cfg-options', *SHORT,
        'train_dataloader.dataset.indices=8', 'val_dataloader.dataset.indices=4',
        'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.logger.interval=1',
        cwd=tmp_path,
    ).output()  # fmt: skip
    losses = [float(x) for x in re.findall(r'loss_pixel_cos: (\S+)', output)]
    assert len(losses) == 2
    assert all(-1 <= loss < 1 and loss != 0 for loss in losses)
    assert (tmp_path / 'run' / 'epoch_1.pth').exists()
    assert average_precision(output)


def test_missing_data_is_named_at_once(tmp_path):
    run = Mim('train', 'mmpixcon', PIXCON, '--data-root', tmp_path / 'nowhere', cwd=tmp_path)
    output = run.output(ok=False, timeout=120)
    assert str(tmp_path / 'nowhere') in output
    assert 'train_dataloader.dataset' in output
    assert '--data-root' in output

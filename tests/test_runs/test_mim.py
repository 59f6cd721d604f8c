"""What users type: mim train, kill it, resume, mim test, and mmdet's own test."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ..conftest import CONFIGS

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


def mim(*arguments: object, cwd: Path, **kwargs) -> subprocess.Popen:
    command = [str(Path(sys.executable).parent / 'mim'), *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {'PYTHONWARNINGS': 'ignore'},
        **kwargs,
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output[-3000:]
    return output


def average_precision(output: str) -> list[str]:
    found = re.findall(r'coco/bbox_mAP: (\S+)\s+coco/bbox_mAP_50: (\S+)', output)
    assert found, output[-2000:]
    return found[-1]


@pytest.fixture(scope='module')
def trained(scenes_root, tmp_path_factory) -> Path:
    """A work folder: trained by mim for three epochs, killed during it, resumed."""
    folder = tmp_path_factory.mktemp('mim')
    arguments = ['train', 'mmpixcon', PIXCON, '--data-root', scenes_root, '--work-dir', 'run']
    options = ['--cfg-options', *SHORT, 'train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    process = mim(*arguments, *options, cwd=folder)
    first = folder / 'run' / 'epoch_1.pth'
    deadline = time.time() + 300
    # last_checkpoint is written once the checkpoint is whole.
    while not (folder / 'run' / 'last_checkpoint').exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.time() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert first.exists()
    assert not (folder / 'run' / 'epoch_3.pth').exists()
    output = finish(mim(*arguments, '--resume', *options, cwd=folder))
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
    ours = mim(
        'test', 'mmpixcon', PIXCON, '--checkpoint', checkpoint, '--data-root', scenes_root,
        '--work-dir', 'ours', '--out', 'ours.pkl', '--cfg-options', *TEST, cwd=trained,
    )  # fmt: skip
    ours_output = finish(ours)
    stock = mim(
        'test', 'mmdet', STOCK, '--checkpoint', checkpoint, '--work-dir', 'stock',
        '--out', 'stock.pkl', '--cfg-options', *TEST,
        f'test_dataloader.dataset.data_root={scenes_root}',
        f'test_evaluator.ann_file={scenes_root}/annotations/val.json', cwd=trained,
    )  # fmt: skip
    stock_output = finish(stock)
    assert average_precision(ours_output) == average_precision(stock_output)
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
    output = finish(
        mim(
            'train',
            'mmpixcon',
            'pixcon_deformable-detr_r18_1xb8-24e_bccd.py',
            '--data-root',
            bccd_root,
            '--work-dir',
            'run',
            '--cfg-options',
            *SHORT,
            'train_dataloader.dataset.indices=8',
            'val_dataloader.dataset.indices=4',
            'train_cfg.max_epochs=1',
            'train_cfg.val_interval=1',
            'default_hooks.logger.interval=1',
            cwd=tmp_path,
        )
    )
    losses = [float(x) for x in re.findall(r'loss_pixel_cos: (\S+)', output)]
    assert len(losses) == 2
    assert all(-1 <= loss < 1 and loss != 0 for loss in losses)
    assert (tmp_path / 'run' / 'epoch_1.pth').exists()
    assert average_precision(output)


def test_missing_data_is_named_at_once(tmp_path):
    process = mim('train', 'mmpixcon', PIXCON, '--data-root', tmp_path / 'nowhere', cwd=tmp_path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert str(tmp_path / 'nowhere') in output
    assert 'train_dataloader.dataset' in output
    assert '--data-root' in output

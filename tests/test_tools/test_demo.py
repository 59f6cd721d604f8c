"""The demo, on few images and for one epoch."""

from __future__ import annotations

import re

import pytest

from ..conftest import ROOT
from ..processes import run_tool

pytestmark = pytest.mark.slow


def test_demo_ends_with_the_table_and_keeps_what_is_done(tmp_path):
    out = tmp_path / 'demo'
    command = [
        ROOT / 'tools' / 'demo.py', '--out', out, '--images', 16, 4,
        '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
        'train_dataloader.batch_size=4',
    ]  # fmt: skip
    status, first, error = run_tool(*command)
    assert status == 0, first[-2000:] + error[-2000:]
    row = r'Deformable DETR{} +([\d.]+) +([\d.]+) +([\d.]+)\n'
    for suffix in ('', r' \+ PixCon'):
        assert re.search(row.format(suffix), first), first
    pictures = re.findall(r'^  (\S+\.(?:png|jpg))$', first, re.MULTILINE)
    assert len(pictures) == 4
    for picture in pictures:
        assert (ROOT / picture).stat().st_size > 1000
    _, again, _ = run_tool(*command)
    assert again.count('already trained') == 2
    status, _, error = run_tool(*command, 'a=1')
    assert status == 1
    assert 'other settings' in error

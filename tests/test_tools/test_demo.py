"""The demo, on few images and for one epoch."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ..conftest import ROOT

pytestmark = pytest.mark.slow


def test_demo_ends_with_the_table_and_keeps_what_is_done(tmp_path):
    out = tmp_path / 'demo'
    command = [
        sys.executable, str(ROOT / 'tools' / 'demo.py'), '--out', str(out), '--images', '16', '4',
        '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
        'train_dataloader.batch_size=4',
    ]  # fmt: skip
    first = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    row = r'Deformable DETR{} +([\d.]+) +([\d.]+) +([\d.]+)\n'
    for suffix in ('', r' \+ PixCon'):
        assert re.search(row.format(suffix), first.stdout), first.stdout
    pictures = re.findall(r'^  (\S+\.(?:png|jpg))$', first.stdout, re.MULTILINE)
    assert len(pictures) == 4
    for picture in pictures:
        assert (ROOT / picture).stat().st_size > 1000
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.stdout.count('already trained') == 2
    other = subprocess.run([*command, 'a=1'], capture_output=True, text=True, timeout=300)
    assert other.returncode != 0
    assert 'other settings' in other.stderr

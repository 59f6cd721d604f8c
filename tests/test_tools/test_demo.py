"""The demo, on few images and for one epoch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from modelindex.load_model_index import load

from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

pytestmark = pytest.mark.slow
ROWS = ('Deformable DETR', 'PLRC, Deformable DETR', 'PLRC, Deformable DETR + PixCon')


def test_demo_ends_with_the_table_and_keeps_what_is_done(tmp_path):
    out = tmp_path / 'demo'
    command = [
        ROOT / 'tools' / 'demo.py', '--out', out, '--images', 16, 4,
        '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
        'train_dataloader.batch_size=4',
    ]  # fmt: skip
    status, first, error = run_tool(*command)
    assert status == 0, first[-2000:] + error[-2000:]
    for row in ROWS:
        number = r'[\d.]+'
        assert re.search(rf'\| {re.escape(row)} \| {number} \| {number} \| [+-][\d.]+ \|', first), (
            first
        )
    files = re.findall(r'^  (\S+\.(?:png|jpg|md|csv|yml))$', first, re.MULTILINE)
    assert {Path(file).name for file in files} >= {
        'results.md',
        'results.csv',
        'metafile.yml',
        'results.png',
        'cost.png',
        'pretraining.png',
        'curves.png',
        'detections.png',
        '000000.png',
    }
    assert all(Path(file).stat().st_size > 100 for file in files)
    index = load(str(out / 'metafile.yml'))
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == sorted(ROWS)
    _, again, _ = run_tool(*command)
    assert again.count('done before') == 4
    status, _, error = run_tool(*command[:-1], 'train_dataloader.batch_size=2')
    assert status == 1
    assert 'train_dataloader.batch_size: 4 -> 2' in error

"""The demo, on few images and for few steps."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
from modelindex.load_model_index import load

from tests.helpers.configs import ROOT

pytestmark = pytest.mark.slow
ROWS = ('random weights, Faster R-CNN', 'VICReg, Faster R-CNN')
PICTURES = {'detections.png', 'curves.png', 'results.png', 'cost.png', 'pretraining.png'}
# The demo's own recipe with few steps a stage. Paths start from the folder of the recipe.
SHORT = f"""
_base_ = r'{ROOT / 'configs' / 'recipes' / 'demo.py'}'
vicreg = r'{ROOT / 'configs' / 'vicreg' / 'vicreg_r18_1xb32-100e_bccd.py'}'
faster_rcnn = r'{ROOT / 'configs' / 'finetune' / 'faster-rcnn_r18_fpn_1xb4-200i_bccd.py'}'
short = {{'train_cfg.max_iters': 2, 'train_cfg.val_interval': 2}}
stages = {{
    'VICReg': dict(
        config=vicreg,
        options={{'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': 100}},
    ),
    'random weights, Faster R-CNN': dict(config=faster_rcnn, options=short),
    'VICReg, Faster R-CNN': dict(config=faster_rcnn, options=short),
}}
"""


@pytest.fixture
def demo(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location('demo', ROOT / 'tools' / 'demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    recipe = tmp_path / 'short.py'
    recipe.write_text(SHORT)
    monkeypatch.setattr(module, 'RECIPE', recipe)
    return module


def test_demo_ends_with_the_table_and_keeps_what_is_done(demo, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'demo'
    command = ['demo.py', '--out', str(out), '--cfg-options', 'default_hooks.logger.interval=1']
    monkeypatch.setattr(sys, 'argv', command)
    demo.main()
    first = capsys.readouterr().out
    for row in ROWS:
        start = row.split(',')[0]
        assert re.search(rf'\| {start} \| [\d.]+ \| [\d.]+ \| [+-][\d.]+ \|', first), first
    # The measured figure is of the full settings.
    assert 'Over five seeds' not in first
    assert {path.name for path in out.glob('*.png')} >= PICTURES
    index = load(str(out / 'metafile.yml'))
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == sorted(ROWS)
    demo.main()
    again = capsys.readouterr().out
    assert again.count('done before') == again.count('VICReg, seed 0: done before') == 1
    assert 'begins' not in again
    monkeypatch.setattr(sys, 'argv', [*command[:-1], 'default_hooks.logger.interval=2'])
    with pytest.raises(SystemExit, match=r'default_hooks\.logger\.interval: 1 -> 2'):
        demo.main()


def test_photos_of_the_demo_show_all_classes(demo):
    photos, classes = demo.read_photos(3)
    assert classes == ['RBC', 'WBC', 'Platelets']
    assert len(photos) == 3
    for path, annotated in photos:
        assert path.is_file()
        assert set(annotated.labels.tolist()) == {0, 1, 2}
        assert (annotated.bboxes[:, 2:] > annotated.bboxes[:, :2]).all()

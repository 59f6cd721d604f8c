"""A recipe whose tools pretend, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

RECIPE = """
seeds = (0, 1)
stages = {
    'pretrain': dict(config='a.py', seeds=(0,)),
    'from scratch, 10%': dict(config='b.py', percent=10, data='photos', options=dict(lift=0)),
    'pretrained, 10%': dict(
        config='b.py', percent=10, data='photos', init=dict(load_from='pretrain')
    ),
    'pretrained, 100%': dict(config='b.py', data='photos', init=dict(load_from='pretrain')),
}
data = dict(photos='photos')
tables = [dict(
    title='Small',
    rows={
        'random': {'10%': 'from scratch, 10%'},
        'pretrained': {'10%': 'pretrained, 10%', '100%': 'pretrained, 100%'},
    },
    metrics=dict(AP='coco/bbox_mAP'),
    paper=dict(pretrained={'100%': dict(AP=60.25)}),
)]
"""
CONFIG = """
model = dict(type='Tiny', data_preprocessor=dict(mean=[{mean}], std=[2.0]))
train_dataloader = dict(
    batch_size=2, dataset=dict(type='Set', data_root='data/', ann_file='train.json')
)
val_dataloader = dict(dataset=dict(data_root='examples/bccd/', ann_file='val.json'))
dataset_name = 'BCCD'
train_cfg = dict(max_epochs=3)
custom_hooks = [dict(type='Hook', value=1)]
"""
# In place of tools/train.py: a checkpoint, and an AP that depends on where it started.
TRAIN = """
import json, pathlib, sys, time
arguments = sys.argv[1:]
config = pathlib.Path(arguments[0])
folder = pathlib.Path(arguments[arguments.index('--work-dir') + 1])
options = dict(a.split('=', 1) for a in arguments[arguments.index('--cfg-options') + 1:])
assert ('--resume' in arguments) == (folder / 'last_checkpoint').exists()
with open('calls', 'a') as f:
    f.write(f'{folder.parent.name}:{options["randomness.seed"]} ')
if pathlib.Path('fail').exists() and pathlib.Path('fail').read_text() in str(folder):
    sys.exit('boom')
(folder / config.name).write_text(config.read_text())
(folder / 'options.json').write_text(json.dumps(options))
logs = folder / '0' / 'vis_data'
logs.mkdir(parents=True, exist_ok=True)
records = [dict(step=1, loss=1.0, time=0.5, memory=2048)]
if config.stem == 'a':
    records = [dict(step=s, loss=5.0 / s, feature_std=0.1 * s, time=0.5) for s in (1, 2, 3)]
print('Epoch(train) [2][ 5/10]  lr: 1e-3  eta: 0:00:07  time: 0.5000  loss: 1.2500', flush=True)
if config.stem == 'b':
    ap = 0.2 + 0.1 * int(options['randomness.seed'])
    ap += 0.0 if options.get('lift') == '0' else 0.3
    if 'train_dataloader.dataset.ann_file' in options:
        listed = json.loads(pathlib.Path(options['train_dataloader.dataset.ann_file']).read_text())
        assert len(listed['images']) == 2
        ap -= 0.1
    assert arguments[arguments.index('--data-root') + 1] == 'photos'
    start = options.get('load_from')
    assert (start is None) == (options.get('lift') == '0')
    assert start is None or start.endswith('pretrain/seed_0/epoch_3.pth')
    for s in (2, 3):
        records.append(dict(step=s, loss=1.0, time=0.5))
        records.append({'step': s, 'coco/bbox_mAP': ap * s / 3, 'coco/bbox_mAP_50': ap})
(folder / 'epoch_3.pth').touch()
(folder / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
if pathlib.Path('hang').exists() and pathlib.Path('hang').read_text() in str(folder):
    pathlib.Path('hangs').touch()
    time.sleep(300)
(logs / 'scalars.json').write_text('\\n'.join(map(json.dumps, records)))
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch) -> Path:
    """Of a recipe in an empty working folder, with data and tools."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.py').write_text(CONFIG.format(mean=5.0))
    (tmp_path / 'b.py').write_text(CONFIG.format(mean=1.0))
    (tmp_path / 'photos').mkdir()
    images = ', '.join(f'{{"id": {i}}}' for i in range(20))
    (tmp_path / 'photos' / 'train.json').write_text(f'{{"images": [{images}], "annotations": []}}')
    tools = tmp_path / 'checkout' / 'tools'
    tools.mkdir(parents=True)
    (tools / 'train.py').write_text(TRAIN)
    (tmp_path / 'checkout' / 'configs').mkdir()
    monkeypatch.setattr('mmpixcon.recipes.launch.tools_folder', lambda: tools)
    monkeypatch.setattr('mmpixcon.recipes.papers.tools_folder', lambda: tools)
    path = tmp_path / 'recipe.py'
    path.write_text(RECIPE)
    return path

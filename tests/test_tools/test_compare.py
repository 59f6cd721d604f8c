"""compare.py: runs what isn't done, once; means and deviations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'benchmarks' / 'compare.py'
STOCK = CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py'
PIXCON = CONFIGS / 'pixcon' / 'pixcon_detr_r18_1xb8-12e_scenes.py'
# In place of tools/train.py: logs an AP that depends on config and seed.
FAKE = """
import json, pathlib, sys
config = pathlib.Path(sys.argv[1])
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
seed = int(next(a for a in sys.argv if a.startswith('randomness.seed=')).split('=')[1])
assert sys.argv[sys.argv.index('--data-root') + 1] == 'scenes' and 'model.x=1' in sys.argv
if seed == 9:
    sys.exit('boom')
logs = folder / '0' / 'vis_data'
logs.mkdir(parents=True)
(folder / config.name).write_text('model = dict(type="A")')
ap = 0.1 * seed + (0.05 if 'pixcon' in config.stem else 0)
names = ['mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l']
records = [dict(step=i, loss=1.0, time=t) for i, t in enumerate((3.0, 0.5, 0.7))]
records.append({'step': 1, **{f'coco/bbox_{name}': 0.0 for name in names}})
records.append({'step': 2, **{f'coco/bbox_{name}': ap for name in names}})
(logs / 'scalars.json').write_text('\\n'.join(map(json.dumps, records)))
with open('calls', 'a') as f:
    f.write(f'{seed} ')
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(FAKE)
    for module in ('launch', 'papers'):
        monkeypatch.setattr(f'mmpixcon.recipes.{module}.tools_folder', lambda: tmp_path / 'tools')
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_tool(TOOL, *arguments)


def arguments(*seeds):
    common = ['--work-dir', 'out', '--data-root', 'scenes', '--cfg-options', 'model.x=1']
    return [f'stock={STOCK}', f'PixCon, one level={PIXCON}', *common, '--seeds', *seeds]


def test_means_and_deviations_of_what_was_run_once(run):
    code, out, err = run(*arguments(1, 3))
    assert code == 0, err
    assert '| run | AP | AP50 | AP75 | AP_S | AP_M | AP_L | AP to first |' in out
    # 10 and 30, 15 and 35 per cent: deviation 20 / sqrt(2).
    assert '| stock | 20.0 ± 14.1 |' in out and out.count('| +0.0 |') == 1
    assert '| PixCon, one level | 25.0 ± 14.1 |' in out and out.count('| +5.0 |') == 1
    assert '[4/4] PixCon, one level, seed 3: done in' in out
    for name in ('results.md', 'results.csv', 'metafile.yml', 'results.png'):
        assert Path('out', name).stat().st_size > 0
    assert '| stock | 20.0 ± 10.0 |' in run(*arguments(1, 3, 2))[1]
    # Only the new seed was trained.
    assert Path('calls').read_text().split() == ['1', '1', '3', '3', '2', '2']


def test_a_failed_run_names_its_log(run):
    code, _, err = run(*arguments(9))
    assert code != 0 and err.startswith('compare: 2 runs failed. stock, seed 9: exit code 1')
    assert 'out/stock/seed_9/console.log' in err and 'boom' in err


def test_bad_arguments(run):
    code, _, err = run('stock=nowhere.py')
    assert code != 0 and 'stock=nowhere.py: no such config file; write NAME=CONFIG' in err
    code, _, err = run(f'a={STOCK}', f'a={PIXCON}')
    assert code != 0 and 'two configs have the same name' in err

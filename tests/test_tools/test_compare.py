"""compare.py: runs what isn't done, once; means and deviations."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from ..conftest import CONFIGS, ROOT

STOCK = CONFIGS / 'stock' / 'detr_r18_1xb8-12e_scenes.py'
PIXCON = CONFIGS / 'pixcon' / 'pixcon_detr_r18_1xb8-12e_scenes.py'
# In place of tools/train.py: logs an AP that depends on config and seed.
FAKE = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
seed = int(next(a for a in sys.argv if a.startswith('randomness.seed=')).split('=')[1])
assert '--resume' in sys.argv and 'model.x=1' in sys.argv
if seed == 9:
    sys.exit('boom')
logs = folder / '0' / 'vis_data'
logs.mkdir(parents=True)
ap = 0.1 * seed + (0.05 if 'pixcon' in sys.argv[1] else 0)
names = ['mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l']
records = [dict(step=i, loss=1.0, time=t) for i, t in enumerate((3.0, 0.5, 0.7))]
records.append({'step': 1, **{f'coco/bbox_{name}': 0.0 for name in names}})
records.append({'step': 2, **{f'coco/bbox_{name}': ap for name in names}})
(logs / 'scalars.json').write_text('\\n'.join(map(json.dumps, records)))
with open('calls', 'a') as f:
    f.write(f'{seed} ')
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location('compare', ROOT / 'tools/benchmarks/compare.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / 'train.py').write_text(FAKE)
    monkeypatch.setattr(module, 'TRAIN', tmp_path / 'train.py')
    monkeypatch.chdir(tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['compare.py', *map(str, arguments)])
        module.main()
        return capsys.readouterr().out

    return main


def arguments(*seeds):
    common = ['--work-dir', 'out', '--cfg-options', 'model.x=1', '--seeds', *seeds]
    return [f'stock={STOCK}', f'PixCon, one level={PIXCON}', *common]


def test_means_and_deviations_of_what_was_run_once(run, tmp_path):
    out = run(*arguments(1, 3))
    # 10 and 30, 15 and 35 per cent: deviation 20 / sqrt(2).
    assert '| stock | 20.0 ± 14.1 |' in out
    assert '| PixCon, one level | 25.0 ± 14.1 |' in out
    assert out.count('| +5.0 |') == 1 and out.count('| +0.0 |') == 1
    assert '[4/4] PixCon, one level, seed 3: AP 0.350; 0 min to go' in out
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert [r['s/step'] for r in results['stock']] == [0.7, 0.7]
    assert (tmp_path / 'out/results.md').read_text().startswith('| model | AP | AP50 |')
    assert (tmp_path / 'out/results.png').stat().st_size > 5000
    again = run(*arguments(1, 3, 2))
    assert '| stock | 20.0 ± 10.0 |' in again
    # Only the new seed was trained.
    assert (tmp_path / 'calls').read_text().split() == ['1', '1', '3', '3', '2', '2']


def test_a_failed_run_names_its_log(run, tmp_path):
    with pytest.raises(RuntimeError, match=r'stock, seed 9: exit code 1; see out/stock/seed_9'):
        run(*arguments(9))
    assert 'boom' in next(tmp_path.glob('out/stock/*/console.log')).read_text()


def test_bad_arguments(run, capsys):
    with pytest.raises(SystemExit):
        run('stock=nowhere.py')
    assert 'stock=nowhere.py: no such config file; write NAME=CONFIG' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(f'a={STOCK}', f'a={PIXCON}')
    assert 'two configs have the same name' in capsys.readouterr().err

"""compare_pretraining.py: chains of runs, each done once; one row a method."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from ..conftest import CONFIGS, ROOT

MOCO = CONFIGS / 'moco' / 'mocov2_r18_1xb32-100e_bccd.py'
DETCO = CONFIGS / 'detco' / 'detco_r18_1xb32-100e_bccd.py'
ALL = CONFIGS / 'finetune' / 'faster-rcnn_r18_fpn_1xb4-200i_bccd.py'
TENTH = CONFIGS / 'finetune' / 'faster-rcnn_r18_fpn_1xb4-200i_bccd-10percent.py'
# In place of tools/train.py: a checkpoint, or an AP that depends on where it started.
FAKE = """
import json, pathlib, sys
config = pathlib.Path(sys.argv[1]).stem
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
seed = int(next(a for a in sys.argv if a.startswith('randomness.seed=')).split('=')[1])
with open('calls', 'a') as f:
    f.write(f'{config.split("_")[0]}{"-10" * config.endswith("10percent")}:{seed} ')
if seed == 9 and 'moco' in config:
    sys.exit('boom')
logs = folder / '0' / 'vis_data'
logs.mkdir(parents=True)
if 'faster' not in config:
    assert 'model.x=1' in sys.argv and 'model.y=2' not in sys.argv
    checkpoint = folder / 'epoch_100.pth'
    checkpoint.touch()
    (folder / 'last_checkpoint').write_text(str(checkpoint))
    records = [dict(step=i, loss=3.0 - i, feature_std=0.1 * i) for i in (1, 2)]
else:
    assert 'model.y=2' in sys.argv and 'model.x=1' not in sys.argv
    start = sys.argv[-1]
    with open('told', 'a') as f:
        f.write(' '.join(a for a in sys.argv if 'preprocessor' in a) + '\\n')
    ap = 0.1 * seed + 0.2 * config.endswith('bccd')
    if start != 'model.backbone.init_cfg=None':
        key, _, path = start.partition('=')
        assert key == 'model.backbone.init_cfg.checkpoint'
        assert pathlib.Path(path).name == 'epoch_100.pth' and f'seed_{seed}_' in path
        ap += 0.05 if 'MoCo' in path else 0.1
    names = ['mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l']
    records = [dict(step=1, loss=1.0, time=0.5)]
    records.append({'step': 2, **{f'coco/bbox_{name}': ap for name in names}})
(logs / 'scalars.json').write_text('\\n'.join(map(json.dumps, records)))
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    path = ROOT / 'tools/benchmarks/compare_pretraining.py'
    spec = importlib.util.spec_from_file_location('compare_pretraining', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / 'train.py').write_text(FAKE)
    monkeypatch.setattr(module, 'TRAIN', tmp_path / 'train.py')
    monkeypatch.chdir(tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['compare_pretraining.py', *map(str, arguments)])
        module.main()
        return capsys.readouterr().out

    return main


def arguments(methods, *seeds):
    return [
        *('--pretrain', *methods),
        *('--fine-tune', f'10%={TENTH}', f'100%={ALL}'),
        *('--work-dir', 'out', '--pretrain-options', 'model.x=1'),
        *('--fine-tune-options', 'model.y=2', '--seeds', *seeds),
    ]


def test_rows_of_what_was_run_once(run, tmp_path):
    out = run(*arguments([f'MoCo v2={MOCO}'], 1, 3))
    # 10 and 30 per cent, 20 more with all labels, 5 more with MoCo.
    assert '| random weights | 20.0 ± 14.1 | 20.0 ± 14.1 | +0.0 | 40.0 ± 14.1 |' in out
    assert (
        '| MoCo v2 | 25.0 ± 14.1 | 25.0 ± 14.1 | +5.0 | 45.0 ± 14.1 | 45.0 ± 14.1 | +5.0 |' in out
    )
    assert '| pretraining | 10% AP | 10% AP50 | 10% AP to random | 100% AP |' in out
    assert 'MoCo v2, 100%, seed 3: AP 0.550; 0 runs left, 0 min to go' in out
    calls = (tmp_path / 'calls').read_text().split()
    assert calls.count('mocov2:1') == calls.count('mocov2:3') == 1 and len(calls) == 10
    assert (tmp_path / 'out/results.md').read_text().startswith('| pretraining |')
    numbers = json.loads((tmp_path / 'out/results.json').read_text())
    assert len(numbers) == 8
    assert numbers[0]['pretraining'] == 'MoCo v2' and numbers[0]['AP'] == pytest.approx(0.15)
    for name in ('results.png', 'losses.png'):
        assert (tmp_path / 'out' / name).stat().st_size > 5000
    # One method more costs its own runs only.
    again = run(*arguments([f'MoCo v2={MOCO}', f'DetCo={DETCO}'], 1, 3))
    assert '| DetCo | 30.0 ± 14.1 | 30.0 ± 14.1 | +10.0 | 50.0 ± 14.1 |' in again
    added = (tmp_path / 'calls').read_text().split()[10:]
    assert sorted(added) == sorted(
        f'{kind}:{seed}' for kind in ('detco', 'faster-rcnn', 'faster-rcnn-10') for seed in (1, 3)
    )


def test_pixels_are_normalised_as_in_pretraining(run, tmp_path):
    vicreg = CONFIGS / 'vicreg' / 'vicreg_r18_1xb32-100e_bccd.py'
    run(*arguments([f'MoCo v2={MOCO}', f'VICReg={vicreg}'], 1))
    told = [line.split() for line in (tmp_path / 'told').read_text().splitlines()]
    mean = 'model.data_preprocessor.mean=124.95,119.34,105.57'
    std = 'model.data_preprocessor.std=72.93,70.89,75.735'
    # MoCo's is the detector's own.
    assert sorted(told) == [[], [], [], [], [mean, std], [mean, std]]


def test_a_failed_run_names_its_log(run, tmp_path):
    with pytest.raises(RuntimeError, match='MoCo v2, seed 9: exit code 1; see out/MoCo_v2/seed_9'):
        run(*arguments([f'MoCo v2={MOCO}'], 9))
    assert 'boom' in next(tmp_path.glob('out/MoCo_v2/*/console.log')).read_text()


def test_bad_arguments(run, capsys):
    for methods, message in (
        (['a=nowhere.py'], 'a=nowhere.py: no such config file; write NAME=CONFIG'),
        ([f'random weights={MOCO}'], "'random weights' is the first row"),
    ):
        with pytest.raises(SystemExit):
            run(*arguments(methods, 1))
        assert message in capsys.readouterr().err

"""Finished runs as tables, metafile entries and CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from modelindex.load_model_index import load

from mmpixcon.recipes.finished import collect, read_metrics
from mmpixcon.recipes.leaderboard import (
    as_csv,
    by_name,
    known_collections,
    markdown,
    mean_and_deviation,
    metafile,
)
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

TOOL = ROOT / 'tools' / 'benchmarks' / 'leaderboard.py'
CONFIG = """
dataset_name = 'BCCD'
model = dict(type='mmdet.DETR')
train_dataloader = dict(batch_size=8)
val_dataloader = dict(dataset=dict(data_root='data/advocate/', ann_file='val.json'))
train_cfg = dict(max_epochs=12)
randomness = dict(seed={seed})
"""


def trained(folder: Path, config: str, seed: int, ap: float) -> Path:
    """A work folder of tools/train.py, evaluated twice."""
    logs = folder / '2026' / 'vis_data'
    logs.mkdir(parents=True)
    (folder / f'{config}.py').write_text(CONFIG.format(seed=seed))
    steps = [dict(step=s, loss=1.0, time=0.25 * s, memory=1024 * s) for s in (1, 2, 3)]
    first = {'step': 1, 'coco/bbox_mAP': ap / 2}
    last = {'step': 2, 'coco/bbox_mAP': ap, 'coco/bbox_mAP_50': ap + 0.2}
    records = [steps[0], first, *steps[1:], last]
    (logs / 'scalars.json').write_text('\n'.join(map(json.dumps, records)))
    return folder


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two configs, two seeds each."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        trained(tmp_path / f'w/a{seed}', 'detr_a', seed, 0.2 + 0.02 * seed)
        trained(tmp_path / f'w/b{seed}', 'pixcon_detr_r18_1xb8-12e_scenes', seed, 0.3 + 0.04 * seed)
    return tmp_path / 'w'


def test_mean_and_deviation():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == '2.0 ± 1.0'
    assert mean_and_deviation([1.25]) == '1.2'


def test_runs_are_found_wherever_they_are(runs):
    actual = collect([runs, runs / 'a0'])
    assert [(run.name, run.seed) for run in actual] == [
        ('detr_a', 0),
        ('detr_a', 1),
        ('pixcon_detr_r18_1xb8-12e_scenes', 0),
        ('pixcon_detr_r18_1xb8-12e_scenes', 1),
    ]
    assert actual[0].metrics == {'coco/bbox_mAP': 0.2, 'coco/bbox_mAP_50': 0.4}
    # As the config says, whatever its paths look like.
    assert actual[0].dataset == 'BCCD' and actual[0].seconds == 0.5 and actual[0].memory == 3


def test_a_test_is_read_from_its_file(tmp_path):
    folder = tmp_path / 'test' / '2026'
    folder.mkdir(parents=True)
    (folder / '2026.json').write_text('{"coco/bbox_mAP": 0.4, "data_time": 0.1}\n')
    assert read_metrics(tmp_path / 'test') == {'coco/bbox_mAP': 0.4}
    assert read_metrics(tmp_path) == {}


def test_metrics_of_segmentation_have_no_evaluator_before_them(tmp_path):
    logs = tmp_path / '2026' / 'vis_data'
    logs.mkdir(parents=True)
    records = [{'step': 1, 'loss': 1.0}, {'step': 1, 'aAcc': 90.1, 'mIoU': 65.3, 'time': 0.2}]
    (logs / 'scalars.json').write_text('\n'.join(map(json.dumps, records)))
    assert read_metrics(tmp_path) == {'aAcc': 90.1, 'mIoU': 65.3}


def test_table(runs):
    groups = by_name(collect([runs]))
    metrics = {'AP': 'coco/bbox_mAP', 'AP50': 'coco/bbox_mAP_50'}
    paper = {'detr_a': {'AP': 42.0}}
    assert markdown(groups, metrics, 'detr_a', paper).splitlines() == [
        '| run | AP | AP50 | AP to detr_a | seeds |',
        '| --- | --- | --- | --- | --- |',
        '| detr_a | 21.0 ± 1.4 | 41.0 ± 1.4 | +0.0 | 2 |',
        '| detr_a (paper) | 42.0 |  |  |  |',
        '| pixcon_detr_r18_1xb8-12e_scenes | 32.0 ± 2.8 | 52.0 ± 2.8 | +11.0 | 2 |',
    ]


def test_metafile_is_one_of_model_index(runs, tmp_path):
    groups = by_name(collect([runs]))
    entries = metafile(groups, known_collections(), {'detr_a': {'box AP': 42.0}})
    assert entries['Collections'] == [{'Name': 'DETR'}, {'Name': 'PixCon'}]
    first, second = entries['Models']
    assert first['Name'] == 'detr_a' and second['In Collection'] == 'PixCon'
    assert first['Metadata'] == {
        'Epochs': 12,
        'Batch Size': 8,
        'Training Memory (GB)': 3.0,
        'Seconds a step': 0.5,
        'Seeds': 2,
    }
    assert first['Results'] == [
        {
            'Task': 'Object Detection',
            'Dataset': 'BCCD',
            'Metrics': {
                'box AP': 21.0,
                'box AP deviation': 1.41,
                'box AP50': 41.0,
                'box AP50 deviation': 1.41,
                'box AP (paper)': 42.0,
            },
        }
    ]
    path = tmp_path / 'metafile.yml'
    path.write_text(yaml.safe_dump(entries))
    index = load(str(path))
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == ['detr_a', second['Name']]


def test_a_data_set_without_a_name_is_not_guessed(runs):
    config = Path('w/a0/detr_a.py')
    config.write_text(config.read_text().replace("dataset_name = 'BCCD'", ''))
    entry = metafile(by_name(collect([runs])))['Models'][0]['Results'][0]
    assert entry['Dataset'] == 'unknown: the config has no dataset_name'
    code, out, _ = run_tool(TOOL, runs, '--out', 'board')
    assert code == 0
    assert 'w/a0 (detr_a) does not name the data set that it was evaluated on: write ' in out
    assert out.count('does not name the data set') == 1


def test_csv_has_every_run(runs):
    rows = list(csv.DictReader(as_csv(by_name(collect([runs]))).splitlines()))
    assert len(rows) == 4
    assert rows[3]['coco/bbox_mAP'] == '0.33999999999999997' and rows[3]['seed'] == '1'


def test_from_the_command_line(runs):
    code, out, _ = run_tool(TOOL, runs, '--baseline', 'detr_a', '--out', 'board')
    assert code == 0 and '| detr_a | 21.0 ± 1.4 | 41.0 ± 1.4 | +0.0 | 2 |' in out
    assert 'model-index' not in out
    written = yaml.safe_load(Path('board/metafile.yml').read_text())
    assert (Path('board') / written['Models'][0]['Config']).is_file()
    for name in ('results.md', 'results.csv', 'results.png', 'convergence.png'):
        assert Path('board', name).stat().st_size > 0


def test_pretraining_is_left_out(runs):
    pretrained = trained(runs / 'p', 'plrc_r18', 0, 0.1) / '2026/vis_data/scalars.json'
    pretrained.write_text(json.dumps({'step': 1, 'objects/affinity_precision_mean': 0.3}))
    code, out, _ = run_tool(TOOL, runs, '--out', 'board')
    assert code == 0 and 'plrc_r18 is left out: it was not evaluated by box AP, box AP50' in out
    assert '| detr_a |' in out and '| plrc_r18 |' not in out
    code, out, _ = run_tool(
        TOOL, runs / 'p', '--metrics', 'AP=objects/affinity_precision_mean', '--out', 'board'
    )
    assert code == 0 and '| plrc_r18 | 30.0 | 1 |' in out


def test_numbers_of_a_paper(runs):
    Path('paper.yml').write_text('detr_a: {box AP: 42}')
    code, out, _ = run_tool(TOOL, runs, '--paper', 'paper.yml', '--out', 'board')
    assert code == 0 and '| detr_a (paper) | 42.0 |  |  |' in out
    written = yaml.safe_load(Path('board/metafile.yml').read_text())
    assert written['Models'][0]['Results'][0]['Metrics']['box AP (paper)'] == 42
    for text, message in (
        ('- detr_a', 'paper.yml must have lines RUN: {NAME: VALUE}'),
        ('detr_a: {box AP: high}', 'values as numbers'),
        ('detr_a: {', 'paper.yml is not a YAML file'),
        ('detr_x: {box AP: 42}', "paper.yml has 'detr_x'; there are detr_a, pixcon"),
        ('detr_a: {AP: 42}', "paper.yml has 'AP'; there are box AP, box AP50"),
    ):
        Path('paper.yml').write_text(text)
        code, _, err = run_tool(TOOL, runs, '--paper', 'paper.yml')
        assert code != 0 and err.startswith('leaderboard: --paper ') and message in err


def test_bad_input(runs, tmp_path):
    (tmp_path / 'empty').mkdir()
    for arguments, message in (
        (('nowhere',), 'work folder nowhere does not exist'),
        (('empty',), 'no evaluated run in empty'),
        ((runs, '--paper', 'no.yml'), '--paper no.yml does not exist'),
        ((runs, '--metrics', 'AP'), '--metrics AP: write NAME=METRIC'),
        ((runs, '--baseline', 'x'), "no run is named 'x'; there are detr_a"),
        ((runs, '--metrics', 'AP=coco/segm_mAP'), "has no metric 'coco/segm_mAP'; it has coco/bb"),
    ):
        code, _, err = run_tool(TOOL, *arguments)
        assert code != 0 and err.startswith('leaderboard: ') and message in err
    trained(tmp_path / 'w/again', 'detr_a', 1, 0.9)
    code, _, err = run_tool(TOOL, runs)
    assert code != 0 and 'are both detr_a with seed 1: name one of the folders only' in err

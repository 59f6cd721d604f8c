"""Runs of a recipe: once, resumed, refused when changed; and what is reported of them."""

from __future__ import annotations

import io
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mmpixcon.apis.config import INFORMATION_KEYS
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.execute import READ
from mmpixcon.recipes.finished import collect
from mmpixcon.recipes.launch import Board, Launch, claim, progress_of
from mmpixcon.recipes.report import _cost, _minutes, report
from mmpixcon.recipes.state import (
    ChangedError,
    RunState,
    differences,
    flat,
    read_state,
    slug,
)
from mmpixcon.visualization.curves import draw_curves
from tests.helpers.configs import ROOT
from tests.helpers.recipes import calls, execute, execution


def test_each_run_is_done_once_and_shown_in_one_line(recipe):
    out = execute(recipe)
    assert calls() == [
        'pretrain:0',
        'from_scratch_10percent:0',
        'pretrained_10percent:0',
        'pretrained_100percent:0',
        'from_scratch_10percent:1',
        'pretrained_10percent:1',
        'pretrained_100percent:1',
    ]
    assert (
        '[0/7] pretrain, seed 0: begins\n' in out and '[7/7] pretrained, 100%, seed 1: done' in out
    )
    out = execute(recipe)
    assert calls() == [] and out.count('done before') == 7
    # A seed more is a run more of each.
    execute(recipe, seeds=(0, 1, 2))
    assert calls() == [
        'from_scratch_10percent:2',
        'pretrained_10percent:2',
        'pretrained_100percent:2',
    ]


def test_what_another_command_did_meanwhile_stays(recipe):
    late = execution(recipe)
    assert not any(late.check().values())
    execute(recipe)
    calls()
    # One of them was interrupted.
    unfinished = late.runs[-1]
    state = read_state(late.folder(unfinished))
    replace(state, finished=False).write(late.folder(unfinished))
    out = io.StringIO()
    board = Board(len(late.runs), out)
    for run in late.runs:
        late._run(run, None, board)
    assert calls() == ['pretrained_100percent:1']
    assert out.getvalue().count('done meanwhile') == 6
    assert not list(Path('work').rglob('*.changed'))


def test_a_failed_run_ends_what_builds_on_it_only(recipe):
    Path('fail').write_text('pretrain/')
    with pytest.raises(
        RuntimeError, match=r'1 runs failed, and 4 that build on them were not begun'
    ):
        execute(recipe)
    assert calls() == ['pretrain:0', 'from_scratch_10percent:0', 'from_scratch_10percent:1']
    assert not read_state(Path('work/pretrain/seed_0')).finished
    Path('fail').unlink()
    # It had saved a checkpoint.
    Path('work/pretrain/seed_0/last_checkpoint').write_text('x')
    out = execute(recipe)
    # The interrupted one goes on, the finished ones stay.
    assert calls()[0] == 'pretrain:0' and 'pretrain, seed 0: resumes' in out
    assert out.count('done before') == 2


def test_the_end_of_a_failed_log_is_told(recipe):
    Path('fail').write_text('from_scratch')
    with pytest.raises(
        RuntimeError, match=r'(?s)from scratch, 10%, seed 0: exit code 1.*console.log:.*boom'
    ):
        execute(recipe)


def test_a_changed_config_is_refused_rerun_or_kept(recipe):
    execute(recipe)
    calls()
    text = Path('a.py').read_text().replace('max_epochs=3', 'max_epochs=4')
    Path('a.py').write_text(text)
    with pytest.raises(ChangedError) as caught:
        execute(recipe)
    message = str(caught.value)
    assert 'pretrain, seed 0: work/pretrain/seed_0 is a run of other settings' in message
    assert 'train_cfg.max_epochs: 3 -> 4' in message and '--changed rerun' in message
    execute(recipe, 'keep')
    assert calls() == []
    out = execute(recipe, 'rerun')
    # What builds on it too, nothing else; the old folders stay.
    assert sorted(calls()) == [
        'pretrain:0',
        'pretrained_100percent:0',
        'pretrained_100percent:1',
        'pretrained_10percent:0',
        'pretrained_10percent:1',
    ]
    assert out.count('done before') == 2
    assert Path('work/pretrain/seed_0.changed/epoch_3.pth').exists()
    assert read_state(Path('work/pretrain/seed_0')).settings['train_cfg.max_epochs'] == 4
    execute(recipe)
    assert calls() == []


def test_a_changed_run_that_another_command_is_at_stays(recipe):
    execute(recipe)
    calls()
    Path('a.py').write_text(Path('a.py').read_text().replace('max_epochs=3', 'max_epochs=4'))
    folder = Path('work/pretrain/seed_0')
    with (
        claim(folder),
        pytest.raises(RuntimeError, match=f'another process still writes to {folder}'),
    ):
        execute(recipe, 'rerun')
    assert calls() == [] and read_state(folder).finished
    assert not list(Path('work').rglob('*.changed'))
    # The lock ends with its process.
    execute(recipe, 'rerun')
    assert len(calls()) == 5


def test_what_does_not_matter_reruns_nothing(recipe):
    execute(recipe)
    calls()
    Path('a.py').write_text(f'{Path("a.py").read_text()}\npiece = 3\n')
    execute(recipe)
    assert calls() == []


@pytest.mark.parametrize(
    ('hook', 'kept'),
    [('', None), ('interval=1', '2'), ('max_keep_ckpts=-1', '2'), ('max_keep_ckpts=3', None)],
)
def test_a_config_that_keeps_all_checkpoints_keeps_two(recipe, hook, kept):
    if hook:
        saving = f'default_hooks = dict(checkpoint=dict(type="CheckpointHook", {hook}))\n'
        Path('a.py').write_text(Path('a.py').read_text() + saving)
    execute(recipe)
    options = json.loads(Path('work/pretrain/seed_0/options.json').read_text())
    assert options.get('default_hooks.checkpoint.max_keep_ckpts') == kept
    # Nothing depends on it.
    state = read_state(Path('work/pretrain/seed_0'))
    assert state.settings.get('default_hooks.checkpoint.max_keep_ckpts') != 2


def test_a_name_of_the_data_reruns_nothing(recipe):
    execute(recipe)
    assert 'does not name the data set' not in report(read_recipe(recipe), Path('work'))[0]
    config = Path('b.py')
    config.write_text(config.read_text().replace("dataset_name = 'BCCD'", "dataset_name = 'Cells'"))
    calls()
    execute(recipe)
    assert calls() == [] and not INFORMATION_KEYS & READ


def test_pixels_are_normalized_as_another_stage_does(recipe):
    body = recipe.read_text().replace(
        "data='photos', init=dict(load_from='pretrain')",
        "data='photos', normalize_as='pretrain', init=dict(load_from='pretrain')",
    )
    recipe.write_text(body)
    one = execution(recipe)
    stage = one.recipe.stages['pretrained, 10%']
    assert one._pixels(stage) == {'model.data_preprocessor.mean': [5.0]}
    assert one.settings(('pretrained, 10%', 0))['model.data_preprocessor.mean'] == [5.0]


def test_pixels_of_a_method_are_its_detectors(recipe):
    body = Path('b.py').read_text().replace('model = dict', 'inner = dict')
    Path('b.py').write_text(f"{body}model = dict(type='Around', detector=inner)\n")
    recipe.write_text(
        recipe.read_text().replace("init=dict(load_from='pretrain')", "normalize_as='pretrain'")
    )
    one = execution(recipe)
    actual = one._pixels(one.recipe.stages['pretrained, 10%'])
    assert actual == {'model.detector.data_preprocessor.mean': [5.0]}


def test_folders_of_others_are_refused(recipe):
    folder = Path('work/pretrain/seed_0')
    folder.mkdir(parents=True)
    (folder / 'notes.txt').write_text('mine')
    with pytest.raises(ChangedError, match=r'holds files, but no stage.json: .* --work-dir'):
        execute(recipe)
    state = dict(format=0, version='0.0.1', stage='pretrain')
    (folder / 'stage.json').write_text(json.dumps(state))
    with pytest.raises(ChangedError, match=r'written by mmpixcon 0.0.1 in format 0; this is'):
        execute(recipe)
    (folder / 'stage.json').write_text('{"format": 1')
    with pytest.raises(ChangedError, match=r'cannot be read \(JSONDecodeError\)'):
        execute(recipe)


def test_two_stages_of_one_folder(recipe):
    recipe.write_text(recipe.read_text().replace("'pretrained, 100%'", "'pretrained 10%'"))
    with pytest.raises(ValueError, match="'pretrained, 10%' and 'pretrained 10%' would have the"):
        execution(recipe)


def test_percent_needs_coco_annotations(recipe):
    Path('b.py').write_text(Path('b.py').read_text().replace('train.json', 'train.txt'))
    with pytest.raises(RuntimeError, match=r"percent: .*ann_file = 'train.txt' is not a COCO file"):
        execute(recipe)


def test_commands_of_the_launchers():
    arguments = ('train', Path('c.py'), Path('w/stage/seed_0'), {'a.b': [1, 2.5], 'c': None})
    command = Launch().command(*arguments, data_root='d', resume=True)
    assert command[2].endswith('tools/train.py') and command[3] == 'c.py'
    rest = ['--data-root', 'd', '--resume', '--cfg-options', 'a.b=[1,2.5]', 'c=None']
    assert command[4:] == ['--work-dir', 'w/stage/seed_0', *rest]
    command = Launch('pytorch', 4).command(*arguments)
    assert command[0] == 'bash' and command[1].endswith('dist_train.sh')
    assert command[2:6] == ['c.py', '4', '--work-dir', 'w/stage/seed_0']
    command = Launch('slurm', partition='P').command(*arguments)
    assert command[1].endswith('slurm_train.sh')
    assert command[2:6] == ['P', 'stage', 'c.py', 'w/stage/seed_0']
    tested = ('test', Path('c.py'), Path('w/stage/seed_0'), {}, Path('x.pth'))
    assert Launch().command(*tested)[3:5] == ['c.py', 'x.pth']
    assert '--resume' not in Launch().command(*tested)
    slurm = Launch('slurm', partition='P').command(*tested)
    assert slurm[2:8] == ['P', 'stage', 'c.py', 'x.pth', '--work-dir', 'w/stage/seed_0']


@pytest.mark.parametrize('run', ['train', 'test'])
def test_slurm_gets_the_whole_command(run, tmp_path):
    srun = tmp_path / 'bin' / 'srun'
    srun.parent.mkdir()
    srun.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    checkpoint = Path('x.pth') if run == 'test' else None
    command = Launch('slurm', partition='P').command(
        run, Path('c.py'), Path('w/stage/seed_0'), {'a.b': [1, 2]}, checkpoint, data_root='d'
    )
    path = os.pathsep.join([str(srun.parent), os.environ['PATH']])
    told = subprocess.run(
        command,
        env=os.environ | dict(PATH=path, GPUS='16', SRUN_ARGS='--time 1'),
        check=True,
        text=True,
        capture_output=True,
    ).stdout.splitlines()
    start = ['-p', 'P', '--job-name=stage', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8']
    told_before = ['--signal=TERM@120'] if run == 'train' else []
    start += ['--cpus-per-task=5', '--kill-on-bad-exit=1', *told_before, '--time', '1']
    start += ['python', '-u']
    own = {
        'train': ['c.py', '--work-dir=w/stage/seed_0', '--launcher=slurm'],
        'test': ['c.py', 'x.pth', '--launcher=slurm', '--work-dir', 'w/stage/seed_0'],
    }[run]
    rest = ['--data-root', 'd', '--cfg-options', 'a.b=[1,2]']
    assert told == [*start, str(ROOT / 'tools' / f'{run}.py'), *own, *rest]


@pytest.mark.parametrize(
    ('line', 'news'),
    [
        (
            'INFO - Epoch(train)  [3][ 10/ 50]  lr: 1e-04  eta: 1:02:03  time: 0.5010  data_time: '
            '0.01  grad_norm: 3.1  loss: 12.3456  loss_cls: 1.0',
            'epoch 3, step 10/50, loss 12.3, 0.50 s a step, 1:02:03 left',
        ),
        (
            'Iter(train) [ 20/200]  lr: 1e-02  eta: 2 days, 0:01:00  time: 1.5000  loss: 0.5000',
            'step 20/200, loss 0.5, 1.50 s a step, 2 days, 0:01:00 left',
        ),
        ('Epoch(val) [3][ 5/13]    eta: 0:00:01', 'evaluating, 5/13 batches'),
        ('Epoch(test) [ 5/13]', 'evaluating, 5/13 batches'),
        ('Saving checkpoint at 3 epochs', None),
    ],
)
def test_progress_of_a_line(line, news):
    assert progress_of(line) == news


def test_differences_are_named():
    old, new = flat(dict(a=dict(b=1, c=[1, 2]), d=None)), flat(dict(a=dict(b=2, c=[1, 2]), e=[{}]))
    assert old == {'a.b': 1, 'a.c': [1, 2], 'd': None} and new['e.0'] == {}
    assert differences(old, new) == ['a.b: 1 -> 2', 'd: null -> (none)', 'e.0: (none) -> {}']
    many = differences({str(i): 0 for i in range(20)}, {str(i): 1 for i in range(20)})
    assert len(many) == 9 and many[-1] == 'and 12 more'


def test_a_digest_is_of_everything_that_matters():
    states = [
        RunState('a', 0, {'x': 1}),
        RunState('b', 0, {'x': 1}),
        RunState('a', 1, {'x': 1}),
        RunState('a', 0, {'x': 2}),
    ]
    assert len({state.digest for state in states}) == 4
    assert RunState('a', 0, {'x': 1}, 'c.py', True, 3.0).digest == states[0].digest


def test_cost_is_of_all_that_a_run_starts_from(recipe):
    execute(recipe)
    one = read_recipe(recipe)
    minutes = _minutes(one, Path('work'))
    assert set(minutes) == set(execution(recipe).runs)
    minutes = {run: 10.0 * i + 1 for i, run in enumerate(minutes)}
    costs = {(r.name, r.seed): _cost(one, r, minutes) for r in collect(['work'])}
    pretraining = minutes['pretrain', 0]
    for (name, seed), cost in costs.items():
        own = minutes[name, seed]
        assert cost == (own if 'scratch' in name else own + pretraining)


def test_pretraining_is_drawn(recipe, monkeypatch):
    drawn = []

    def draw(runs, panels):
        drawn.append((runs, draw_curves(runs, panels)))
        return drawn[-1][1]

    monkeypatch.setattr('mmpixcon.recipes.report.draw_curves', draw)
    execute(recipe)
    _, files = report(read_recipe(recipe), Path('work'))
    ((runs, figure),) = drawn
    # What the tables compare has no place there, nor what was not logged.
    assert runs == {'pretrain': Path('work/pretrain/seed_0')}
    assert [axes.get_title() for axes in figure.axes] == ['loss', 'spread of the features']
    assert files[-1] == Path('work/pretraining.png')


def test_folder_names():
    assert slug('MoCo v2, 10%') == 'MoCo_v2_10percent' and slug('a/b: c') == 'a_b_c'

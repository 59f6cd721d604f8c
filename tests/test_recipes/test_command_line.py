"""tools/run_recipe.py: all of a recipe, some stages, killed, by mim, with errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmpixcon.recipes.state import read_state
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool
from tests.helpers.recipes import calls, execute

pytestmark = pytest.mark.slow

TOOL = ROOT / 'tools' / 'run_recipe.py'


def test_from_the_command_line(recipe):
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', '--list')
    assert code == 0 and out.count('not begun') == 7 and calls() == []
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work')
    assert code == 0
    # random: 0.1, 0.2; pretrained 0.4, 0.5, and with all labels 0.5, 0.6.
    rows = [line for line in out.splitlines() if line.startswith('| ')]
    assert rows[0] == '| run | 10% AP | 10% AP to first | 100% AP | 100% AP to first |'
    assert rows[2] == '| random | 15.0 ± 7.1 | +0.0 |  |  |'
    assert rows[3] == '| pretrained | 45.0 ± 7.1 | +30.0 | 55.0 ± 7.1 |  |'
    assert rows[4] == '| pretrained (paper) |  |  | 60.2 |  |'
    assert Path('work/results.md').read_text().count('|') == out.count('|')
    pictures = ('results.png', 'labels.png', 'convergence.png', 'pretraining.png')
    for name in ('results.csv', 'metafile.yml', *pictures):
        assert f'work/{name}\n' in out and (Path('work') / name).stat().st_size > 0, name
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', '--list')
    assert out.count(': done') == 7


def test_killed_and_started_again(recipe):
    Path('hang').write_text('pretrain/')
    # The tools of the fixture, in a process of its own.
    code = (
        'import runpy, sys; from pathlib import Path; import mmpixcon.recipes.launch as launch; '
        'launch.tools_folder = lambda: Path("checkout/tools").resolve(); '
        f'sys.argv[1:] = ["{recipe}", "--work-dir", "work"]; '
        f'runpy.run_path("{TOOL}", run_name="__main__")'
    )
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    process = subprocess.Popen([sys.executable, '-c', code], env=os.environ | {'PYTHONPATH': path})
    deadline = time.monotonic() + 120
    while not Path('hangs').exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert calls() == ['pretrain:0'] and not read_state(Path('work/pretrain/seed_0')).finished
    Path('hang').unlink()
    _, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', '--list')
    assert 'pretrain, seed 0: interrupted' in out
    # From its checkpoint: the training asserts that it is told to resume.
    status, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work')
    assert status == 0 and 'pretrain, seed 0: resumes' in out
    assert calls()[0] == 'pretrain:0' and '| pretrained | 45.0 ± 7.1 | +30.0 |' in out


def test_some_stages_only(recipe):
    work = (TOOL, recipe, '--work-dir', 'work')
    code, out, _ = run_tool(*work, '--only', 'pretrain')
    assert code == 0 and calls() == ['pretrain:0']
    assert out.endswith('\nNo stage of the tables is finished yet.\n')
    code, out, _ = run_tool(*work, '--only', '*, 100%', '--list')
    assert code == 0 and out.splitlines() == [
        'pretrain, seed 0: done',
        'pretrained, 100%, seed 0: not begun',
        'pretrained, 100%, seed 1: not begun',
    ]
    code, out, _ = run_tool(*work, '--only', '*, 100%', '--seeds', '1')
    # A stage's own seeds stay; what it builds on was there.
    assert code == 0 and calls() == ['pretrained_100percent:1']
    rows = [line for line in out.splitlines() if line.startswith('| ')]
    assert rows[2:] == ['| pretrained |  |  | 60.0 |  |', '| pretrained (paper) |  |  | 60.2 |  |']
    code, out, _ = run_tool(*work, '--only', 'from scratch, 10%', 'pretrain')
    assert code == 0 and calls() == ['from_scratch_10percent:0', 'from_scratch_10percent:1']
    # All that is there, whoever ran it.
    rows = [line for line in out.splitlines() if line.startswith('| ')]
    assert [row.split(' |')[0] for row in rows[2:]] == [
        '| random',
        '| pretrained',
        '| pretrained (paper)',
    ]


def test_tables_of_stages_that_are_not_there_are_left_out(recipe):
    body = recipe.read_text()
    other = "dict(tables[0], title='Other', rows=dict(a={'10%': 'pretrained, 10%'}), paper={})"
    recipe.write_text(f'{body}\ntables.insert(0, {other})\n')
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', '--only', 'from*')
    assert code == 0 and '**Small**' in out and '**Other**' not in out
    assert Path('work/results.png').stat().st_size > 0


def test_errors_of_only(recipe):
    for name, message in (
        ('Pretrained, 10 %', "did you mean 'pretrained, 10%'?"),
        ('pretraind*', "did you mean 'pretrain"),
        ('x', "there is 'pretrain', 'from scratch, 10%'"),
    ):
        code, _, err = run_tool(TOOL, recipe, '--only', name)
        assert code != 0 and f'--only has {name!r}, which the recipe does not have' in err
        assert message in err
    # Folders of other stages are nothing to it until they are compared.
    execute(recipe)
    calls()
    Path('a.py').write_text(Path('a.py').read_text().replace('max_epochs=3', 'max_epochs=4'))
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', '--only', 'from*')
    assert code == 0 and calls() == []
    assert '| random |' in out and '| pretrained' not in out
    assert 'Left out, being of other settings: pretrain, seed 0, pretrained, 10%, seed 0' in out
    kept = ('--only', 'from*', '--changed', 'keep')
    code, out, _ = run_tool(TOOL, recipe, '--work-dir', 'work', *kept)
    assert code == 0 and '| pretrained |' in out and 'Left out' not in out
    code, _, err = run_tool(TOOL, recipe, '--work-dir', 'work', '--only', '*100%')
    assert code != 0 and 'pretrain, seed 0: work/pretrain/seed_0 is a run of other' in err


def test_by_mim(tmp_path):
    mim = [str(Path(sys.executable).parent / 'mim'), 'run', 'mmpixcon', 'run_recipe']
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    done = subprocess.run(
        [*mim, 'demo.py', '--list', '--only', 'VICReg'],
        cwd=tmp_path,
        env=os.environ | dict(PATH=path),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0 and 'VICReg, seed 0: not begun' in done.stdout, done.stderr


def test_errors_on_the_command_line(recipe):
    code, _, err = run_tool(TOOL, 'nowhere.py')
    assert code != 0 and 'run_recipe: recipe nowhere.py does not exist; ' in err
    code, _, err = run_tool(TOOL, recipe, '--launcher', 'slurm')
    assert code != 0 and '--launcher slurm needs --partition' in err
    Path('fail').write_text('pretrain/')
    code, _, err = run_tool(TOOL, recipe, '--work-dir', 'work')
    assert code != 0 and 'pretrain, seed 0: exit code 1' in err
    Path('fail').unlink()
    recipe.write_text(recipe.read_text().replace("'coco/bbox_mAP'", "'coco/segm_mAP'"))
    code, _, err = run_tool(TOOL, recipe, '--work-dir', 'work')
    assert code != 0 and "has no metric 'coco/segm_mAP'; it has coco/bbox_mAP, coco/bbox_" in err

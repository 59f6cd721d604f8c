"""``mmpixcon compare``: seeds within a budget. The command runs in test_tools/test_install.py."""

from __future__ import annotations

import json
import re
import types

import pytest
from typer.testing import CliRunner

from mmpixcon.commands import compare as module
from mmpixcon.commands.app import app
from mmpixcon.fitting.comparison import Costs, Outcome
from mmpixcon.recipes.state import RunState
from tests.helpers.configs import ROOT

BCCD = ROOT / 'examples' / 'bccd'


@pytest.fixture
def compare(monkeypatch, tmp_path):
    """Compare without trainings: on a clock that goes on by so many times what they are planned."""
    clock = types.SimpleNamespace(now=0.0, slowness=1.0, seeds=[])
    times = types.SimpleNamespace(
        monotonic=lambda: clock.now, time=lambda: clock.now, strftime=module.time.strftime,
        localtime=module.time.localtime,
    )  # fmt: skip
    costs = Costs({}, {'none': 1.0, 'pixcon': 1.0}, 5.0)

    def run(folder, training, methods, plan, percents, seeds, jobs, *rest):
        # Seeds that are done are not trained again.
        new = len(seeds) - max(clock.seeds, default=0)
        clock.now += clock.slowness * new * 2 * (25 + 5 + plan.iterations)
        clock.seeds.append(len(seeds))
        return f'{len(seeds)} seeds', Outcome('none', ('No method gains.',), {})

    monkeypatch.setattr(module, 'time', times)
    monkeypatch.setattr(module, 'measured_costs', lambda *args: costs)
    # A first look has a folder of its own.
    monkeypatch.setattr(
        module, 'run', lambda folder, *args: run(folder, *args) if folder.name == 'runs' else None
    )

    def invoke(slowness):
        clock.slowness, clock.now = slowness, 0.0
        return clock, CliRunner().invoke(app, [
            'compare', '--train', str(BCCD), '--methods', 'pixcon', '--percents', '10',
            '--budget', '1h', '--jobs', '1', '--detector', 'faster-rcnn_r18', '--device', 'cpu',
            '--out', str(tmp_path),
        ])  # fmt: skip

    return invoke


def test_seeds_that_fit_are_all_trained(compare):
    clock, result = compare(1.0)
    assert result.exit_code == 0, result.output
    assert clock.seeds == [1, 2, 3]
    assert clock.now <= 3600
    assert 'Another seed' not in result.output


def test_no_seed_is_begun_that_ends_after_the_budget_and_the_next_call_goes_on(compare, tmp_path):
    clock, result = compare(1.8)
    assert result.exit_code == 0, result.output
    assert clock.seeds == [1, 2]
    assert clock.now <= 3600
    assert (
        'Another seed would end after the budget of 1h: the trainings took 1.8 times as long as '
        'planned. This is what 2 of 3 seeds say. Run the same command again for the next.'
    ) in result.stderr
    assert (tmp_path / 'results.md').read_text().startswith('2 seeds\n')
    assert json.loads((tmp_path / 'outcome.json').read_text())['winner'] == 'none'
    clock, result = compare(1.8)
    assert clock.seeds == [1, 2, 1, 2, 3]
    assert 'Another seed' not in result.output


def end_of(result):
    hours, minutes = re.search(r'done at about\s+(\d\d):(\d\d)', result.stderr).groups()
    return 60 * int(hours) + int(minutes)


def test_what_is_done_is_not_in_the_time_that_is_left(compare, tmp_path):
    _, result = compare(1.0)
    begun = end_of(result)
    for seed, minutes in enumerate((10.0, 9.5)):
        folder = tmp_path / 'runs' / 'none_10percent' / f'seed_{seed}'
        RunState('none, 10%', seed, {}, minutes=minutes).write(folder)
    _, result = compare(1.0)
    assert (begun - end_of(result)) % (24 * 60) in (19, 20)

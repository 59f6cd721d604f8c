"""A resumed run with another schedule says so, and takes it if it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.hooks import Hook

from mmpixcon.engine.checkpoint.safe_files import find_newest_checkpoint
from mmpixcon.registry import HOOKS as REGISTRY

PLAIN = {'type': 'PlainCheckpointHook'}


@REGISTRY.register_module()
class Rates(Hook):
    """Notes the rate of each step."""

    seen: dict[int, float]

    def __init__(self) -> None:
        self.seen = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen[runner.iter] = runner.optim_wrapper.optimizer.param_groups[0]['lr']


def rates(runner):
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, Rates)]
    return hook.seen


def log_of(runner):
    return '\n'.join(path.read_text() for path in Path(runner.log_dir).glob('*.log'))


def schedule(length, by_epoch):
    return [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=7),
        dict(type='CosineAnnealingLR', T_max=length, by_epoch=by_epoch, begin=0, end=length),
    ]


def run(tiny_runner, name, length, by_epoch, renew=False, **options):
    lengths = dict(epochs=length) if by_epoch else dict(iters=length)
    hooks = (PLAIN, dict(type='ScheduleHook', renew=renew), dict(type='mmpixcon.Rates'))
    runner = tiny_runner(name, **lengths, val=False, hooks=hooks, **options)
    runner._param_schedulers = None
    runner.param_schedulers = schedule(length, by_epoch)
    runner.train()
    return runner


@pytest.mark.parametrize('by_epoch', [True, False], ids=['epochs', 'iterations'])
def test_a_longer_run_has_the_rates_of_the_longer_schedule(tiny_runner, by_epoch):
    short, long = (4, 8) if by_epoch else (9, 20)
    whole = rates(run(tiny_runner, 'whole', long, by_epoch))
    first = run(tiny_runner, 'run', short, by_epoch)
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    resumed = dict(resume=True, load_from=str(checkpoint))
    second = rates(run(tiny_runner, 'run', long, by_epoch, renew=True, **resumed))
    begin = min(second)
    assert begin == (20 if by_epoch else 9)
    assert second == pytest.approx({step: whole[step] for step in second}, rel=1e-9)
    assert len({round(rate, 9) for rate in second.values()}) > 3
    # Without being told to: the checkpoint's, frozen, and a warning.
    frozen = run(tiny_runner, 'frozen', long, by_epoch, **resumed)
    assert rates(frozen) != pytest.approx(second, rel=1e-3)
    text = log_of(frozen)
    assert f'T_max: {short} -> {long}' in text
    assert '--reschedule uses those of the config' in text


def test_the_same_schedule_is_no_news(tiny_runner):
    first = run(tiny_runner, 'run', 4, True)
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    again = run(tiny_runner, 'run', 4, True, resume=True, load_from=str(checkpoint))
    assert '--reschedule' not in log_of(again)

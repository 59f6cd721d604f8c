"""A training that is told to end saves itself in the middle, and goes on as if it had not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmpixcon.engine.checkpoint.safe_files import find_newest_checkpoint
from mmpixcon.engine.hooks import InterruptionHook
from mmpixcon.registry import HOOKS as REGISTRY

pytestmark = pytest.mark.torch_versions
HOOKS = ({'type': 'PlainCheckpointHook'}, {'type': 'InterruptionHook'})
SAVING = dict(type='mmpixcon.SafeCheckpointHook', interval=1, max_keep_ckpts=1)
# Five batches an epoch.
BY_EPOCH = dict(epochs=3, epoch_loop='ResumableEpochBasedTrainLoop', checkpoint=SAVING)
BY_ITERATION = dict(iters=13, interval=4)


@REGISTRY.register_module()
class Kill(Hook):
    """Sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            os.kill(os.getpid(), self.number)


def weights(runner):
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


@pytest.mark.parametrize('options', [BY_EPOCH, BY_ITERATION], ids=['epochs', 'iterations'])
@pytest.mark.parametrize('step', [3, 5, 6, 12])
def test_interrupted_and_resumed_it_has_the_same_weights(tiny_runner, options, step):
    whole = tiny_runner('whole', **options, hooks=HOOKS)
    whole.train()
    kill = dict(type='mmpixcon.Kill', step=step, number=signal.SIGTERM)
    first = tiny_runner('run', **options, hooks=(*HOOKS, kill))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        first.train()
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    meta = torch.load(checkpoint, weights_only=True)['meta']
    assert meta['iter'] == step
    second = tiny_runner('run', **options, hooks=HOOKS, resume=True, load_from=str(checkpoint))
    second.train()
    assert second.iter == whole.iter and second.epoch == whole.epoch
    for name, value in weights(whole).items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    # What was saved in the middle is gone once the end of the epoch is saved.
    assert not list(Path(second.work_dir).glob('epoch_*_iter_*.pth'))


def test_control_c_has_its_own_status(tiny_runner):
    kill = dict(type='mmpixcon.Kill', step=2, number=signal.SIGINT)
    runner = tiny_runner('run', iters=5, hooks=(*HOOKS, kill))
    with pytest.raises(SystemExit) as ended:
        runner.train()
    assert ended.value.code == 130


def test_a_second_signal_ends_at_once_and_its_echo_does_not(monkeypatch):
    hook = InterruptionHook()
    now = [0.0]
    monkeypatch.setattr('time.monotonic', lambda: now[0])
    hook._note(signal.SIGINT, None)
    now[0] = 0.5
    hook._note(signal.SIGTERM, None)
    assert hook.received == signal.SIGINT
    now[0] = 2.0
    with pytest.raises(SystemExit) as ended:
        hook._note(signal.SIGINT, None)
    assert ended.value.code == 130


def test_in_an_evaluation_it_ends_too(tiny_runner):
    runner = tiny_runner('run', **BY_EPOCH, hooks=HOOKS)
    evaluate = runner.val_loop.run_iter

    def tell(idx, data):
        os.kill(os.getpid(), signal.SIGTERM)
        evaluate(idx, data)

    runner.val_loop.run_iter = tell
    with pytest.raises(SystemExit):
        runner.train()
    checkpoint, _ = find_newest_checkpoint(runner.work_dir)
    assert torch.load(checkpoint, weights_only=True)['meta']['iter'] == 5


def test_in_an_evaluation_of_averaged_weights_both_stay_what_they_are(tiny_runner):
    hooks = (*HOOKS, {'type': 'EMAHook', 'ema_type': 'mmdet.ExpMomentumEMA', 'momentum': 0.1})
    whole = tiny_runner('whole', **BY_EPOCH, hooks=hooks)
    whole.train()
    first = tiny_runner('run', **BY_EPOCH, hooks=hooks)
    evaluate = first.val_loop.run_iter

    def tell(idx, data):
        if first.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        evaluate(idx, data)

    first.val_loop.run_iter = tell
    with pytest.raises(SystemExit):
        first.train()
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    second = tiny_runner('run', **BY_EPOCH, hooks=hooks, resume=True, load_from=str(checkpoint))
    second.train()
    ends = [torch.load(f'{r.work_dir}/epoch_3.pth', weights_only=True) for r in (whole, second)]
    for section in ('state_dict', 'ema_state_dict'):
        for name, value in ends[0][section].items():
            assert torch.equal(value, ends[1][section][name]), (section, name)
    # What is saved for others is the average.
    average = ends[0]['state_dict']['head.weight']
    assert not torch.equal(average, whole.model.head.weight)
    assert torch.equal(ends[0]['ema_state_dict']['module.head.weight'], whole.model.head.weight)


def test_bad_settings():
    with pytest.raises(ValueError, match=r'InterruptionHook\.interval = 0'):
        InterruptionHook(0)

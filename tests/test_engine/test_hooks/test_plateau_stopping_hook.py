"""A training stops on a plateau, at the same evaluation whether it was interrupted or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmpixcon.engine.checkpoint.safe_files import find_newest_checkpoint

SAVING = dict(type='mmpixcon.SafeCheckpointHook', interval=1, max_keep_ckpts=1)
# Two evaluations in which a detector has learned nothing, a rise, a plateau of two, a rise that
# is too small, and one that would have come too late.
SCORES = [-1.0, 0.0, 0.1, 0.3, 0.29, 0.3004, 0.9, 0.9]
HOOKS = (
    dict(type='PlainCheckpointHook'),
    dict(type='PlateauStoppingHook', monitor='score', patience=2),
)


def test_scores_of_nothing_do_not_count_and_a_small_rise_is_none(tiny_runner):
    runner = tiny_runner('run', epochs=8, checkpoint=SAVING, scores=SCORES, hooks=HOOKS)
    runner.train()
    assert runner.epoch == 6
    info = runner.message_hub.runtime_info
    assert info['plateau_best_score'] == 0.3
    assert info['plateau_evaluations'] == 2


@pytest.mark.parametrize('interrupted_after', [1, 2, 4, 5])
def test_resumed_it_stops_where_it_would_have(tiny_runner, interrupted_after):
    first = tiny_runner(
        'run', epochs=interrupted_after, checkpoint=SAVING, scores=SCORES, hooks=HOOKS
    )
    first.train()
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    second = tiny_runner(
        'run',
        epochs=8,
        checkpoint=SAVING,
        scores=SCORES[interrupted_after:],
        hooks=HOOKS,
        resume=True,
        load_from=str(checkpoint),
    )
    second.train()
    assert second.epoch == 6
    assert Path(first.work_dir, 'epoch_6.pth').is_file()


@pytest.mark.parametrize('monitor', ['score', 'auto'])
@pytest.mark.parametrize('evaluation', [4, 6])
def test_killed_in_an_evaluation_it_makes_up_for_it(tiny_runner, monitor, evaluation):
    hooks = (HOOKS[0], dict(HOOKS[1], monitor=monitor))
    options = dict(epochs=8, checkpoint=SAVING, hooks=hooks)
    first = tiny_runner('run', **options, scores=SCORES)
    evaluate, done = first.val_loop.run, []

    def killed():
        done.append(first.epoch)
        if len(done) == evaluation:
            raise KeyboardInterrupt
        evaluate()

    first.val_loop.run = killed
    with pytest.raises(KeyboardInterrupt):
        first.train()
    checkpoint, _ = find_newest_checkpoint(first.work_dir)
    assert checkpoint.name == f'epoch_{evaluation}.pth'
    resume = dict(resume=True, load_from=str(checkpoint))
    second = tiny_runner('run', **options, **resume, scores=SCORES[evaluation - 1 :])
    second.train()
    assert second.epoch == 6
    # The small rise is the better score, too.
    best = [path.name for path in Path(first.work_dir).glob('best*')]
    assert best == ['best_score_epoch_6.pth']
    # Once more, and there is nothing to make up for.
    third = tiny_runner('run', **options, resume=True, load_from=f'{first.work_dir}/epoch_6.pth')
    third.val_loop.run = lambda: pytest.fail('evaluated again')
    third.train()
    assert third.epoch == 6


def test_one_that_had_stopped_does_not_go_on(tiny_runner):
    first = tiny_runner('run', epochs=8, checkpoint=SAVING, scores=SCORES, hooks=HOOKS)
    first.train()
    second = tiny_runner(
        'run',
        epochs=8,
        checkpoint=SAVING,
        scores=SCORES[6:],
        hooks=HOOKS,
        resume=True,
        load_from=str(Path(first.work_dir, 'epoch_6.pth')),
    )
    second.train()
    assert second.epoch == 6


def test_no_patience_is_refused(tiny_runner):
    with pytest.raises(ValueError, match=r'PlateauStoppingHook\.patience = 0'):
        tiny_runner('run', epochs=1, hooks=(dict(HOOKS[1], patience=0),))

"""Says when a resumed run has another schedule than its checkpoint, and takes it if told to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict, _ParamScheduler
from mmengine.runner import Runner

from mmpixcon.registry import HOOKS

# What of a scheduler's state follows from where it is, not from its settings.
COURSE = {'last_step', '_global_step', '_last_value', 'verbose', 'param_name'}


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Compares the schedules of a config with those of the checkpoint that is resumed.

    mmengine goes on with the checkpoint's: a run that is made longer keeps its last rate to the
    end. That is a warning here. With ``renew`` the rate goes on as the config has it, from the step
    that was reached: equal to that of a run of this config from the beginning.

    Args:
        renew (bool): whether the schedules of the config are taken. Defaults to False.
    """

    def __init__(self, renew: bool = False) -> None:
        self.renew = renew
        self._renewed = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the schedules, and replace those of the checkpoint if they are renewed.

        Args:
            runner (Runner): runner of the training.
            checkpoint (dict[str, Any]): checkpoint, whose schedules may be changed.

        Raises:
            ValueError: Schedules are to be renewed of a run with several optimizers.
        """
        saved = checkpoint.get('param_schedulers')
        schedulers = runner.param_schedulers
        # Without an own `resume`, weights alone are loaded; a test has no optimizer.
        if not runner._resume or saved is None or not hasattr(runner, '_train_loop'):
            return
        if isinstance(schedulers, dict) or isinstance(runner.optim_wrapper, OptimWrapperDict):
            if self.renew:
                raise ValueError(
                    '--reschedule works with one optimizer, and this run has several: resume '
                    'without it, or start a new run from the checkpoint with load_from'
                )
            return
        changes = list(differences(schedulers or [], saved))
        changes += _lengths(runner, checkpoint)
        if not changes:
            return
        lines = '\n  '.join(changes)
        if not self.renew:
            runner.logger.warning(
                f'The schedule of the config is not that of the checkpoint:\n  {lines}\nThe rate '
                "continues with the checkpoint's schedulers. --reschedule uses those of the config."
            )
            return
        runner.logger.info(f'The schedule of the config is used:\n  {lines}')
        checkpoint['param_schedulers'] = []
        groups = runner.optim_wrapper.optimizer.param_groups
        for group, fresh in zip(checkpoint['optimizer']['param_groups'], groups, strict=True):
            # As the schedulers have it at the first step.
            group['lr'], group['initial_lr'] = fresh['lr'], fresh['initial_lr']
        self._renewed = True

    def before_train(self, runner: Runner) -> None:
        """Bring renewed schedules to the step that was reached.

        Args:
            runner (Runner): runner of the training.
        """
        if not self._renewed:
            return
        self._renewed = False
        by_step = [s for s in runner.param_schedulers if not s.by_epoch]
        by_epoch = [s for s in runner.param_schedulers if s.by_epoch]
        steps, epochs = runner.iter, runner.epoch
        an_epoch = steps // epochs if epochs else 0
        for step in range(1, steps + 1):
            for scheduler in by_step:
                scheduler.step()
            if an_epoch and step % an_epoch == 0 and step // an_epoch <= epochs:
                for scheduler in by_epoch:
                    scheduler.step()


def differences(
    schedulers: Sequence[_ParamScheduler], saved: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Tell in which settings schedulers differ from saved ones.

    Args:
        schedulers (Sequence[_ParamScheduler]): schedulers of a config.
        saved (Sequence[Mapping[str, Any]]): their states in a checkpoint.

    Yields:
        str: a setting with the value of the checkpoint and that of the config.
    """
    if len(schedulers) != len(saved):
        yield f'param_scheduler: {len(saved)} of them -> {len(schedulers)}'
    for number, (scheduler, before) in enumerate(zip(schedulers, saved)):
        now = scheduler.state_dict()
        for key in sorted((now.keys() | before.keys()) - COURSE):
            old, new = before.get(key), now.get(key)
            if _plain(old) != _plain(new):
                yield f'param_scheduler.{number}.{key}: {_plain(old)} -> {_plain(new)}'


def _lengths(runner: Runner, checkpoint: Mapping[str, Any]) -> list[str]:
    """Tell whether the run is to be of another length."""
    hub = checkpoint.get('message_hub')
    info = getattr(hub, 'runtime_info', None) or (
        hub.get('runtime_info', {}) if isinstance(hub, Mapping) else {}
    )
    name = 'max_epochs' if 'max_epochs' in (runner.cfg.get('train_cfg') or {}) else 'max_iters'
    before, now = info.get(name), getattr(runner, name, None)
    return [f'train_cfg.{name}: {before} -> {now}'] if before and now and before != now else []


def _plain(value: Any) -> Any:
    """Make values comparable: tuples, counters and numbers of other types."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 12)
    return value if isinstance(value, (int, str, bool, type(None))) else str(value)

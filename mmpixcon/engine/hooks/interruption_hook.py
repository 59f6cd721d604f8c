"""Saves a training in the middle when it is told to end."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmpixcon.registry import HOOKS

from ..checkpoint.safe_files import ATOMIC, POINTER, AtomicBackend

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A terminal and a parent process may both pass on what was meant once.
ONE_MEANING = 1.0


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Finishes the step, saves a checkpoint and ends the program on SIGTERM and SIGINT.

    ``--resume`` goes on from there, in the middle of an epoch, too, with the next batch of the
    same order. The exit status is that of shells, 143 and 130. A second signal, a second later,
    ends the program at once. During an evaluation it ends before the next step of it; the resumed
    run makes up for it where something depends on it (:class:`SafeCheckpointHook`).

    Args:
        interval (int): steps after which several processes agree whether one of them was told to
            end, which they wait for. One process looks at each step. Defaults to 10.

    Raises:
        ValueError: ``interval`` is below 1.
    """

    # After everything that a step changes: schedules, averages, memory banks.
    priority = 'LOWEST'

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(f'InterruptionHook.interval = {interval} must be at least 1')
        self.interval = interval
        self.received = 0
        self._at = 0.0
        self._before: dict[int, Any] = {}
        self._saved: Path | None = None

    def before_train(self, runner: Runner) -> None:
        """Listen to the signals.

        Args:
            runner (Runner): runner of the training.
        """
        # Python allows it in the main thread alone.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            for number in SIGNALS:
                signal.signal(number, self._note)

    def after_train(self, runner: Runner) -> None:
        """Leave the signals as they were.

        Args:
            runner (Runner): runner of the training.
        """
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """End after a step.

        Args:
            runner (Runner): runner of the training.
            batch_idx (int): number of the batch in its epoch.
            data_batch (Any): not used.
            outputs (dict, optional): not used.

        Raises:
            SystemExit: The program was told to end.
        """
        if self._told(runner.iter + 1):
            self._end(runner, runner.iter + 1)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """End in an evaluation.

        Args:
            runner (Runner): runner of the training.
            batch_idx (int): number of the batch.
            data_batch (Any): not used.
            outputs (Any): not used.

        Raises:
            SystemExit: The program was told to end.
        """
        # Several processes need not have as many batches, and end after the evaluation.
        if self._before and get_world_size() == 1 and self.received:
            for hook in runner.hooks:
                # In an evaluation, the averages are in the model and the weights in their place.
                if isinstance(hook, EMAHook):
                    hook._swap_ema_parameters()
            self._end(runner, runner.iter)

    def after_train_epoch(self, runner: Runner) -> None:
        """Remove a checkpoint of the middle of this epoch once one of its end is there.

        Args:
            runner (Runner): runner of the training.
        """
        for path in Path(runner.work_dir).glob('epoch_*_iter_*.pth'):
            pointer = Path(runner.work_dir) / POINTER
            if is_main_process() and Path(pointer.read_text().strip()).name != path.name:
                path.unlink(missing_ok=True)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal; end at once on a second one."""
        now = time.monotonic()
        if self.received and now - self._at > ONE_MEANING:
            raise SystemExit(128 + self.received)
        if not self.received:
            self.received, self._at = number, now

    def _told(self, step: int) -> bool:
        """Return whether any of the processes was told to end."""
        if get_world_size() == 1:
            return bool(self.received)
        if step % self.interval:
            return False
        flag = torch.tensor(self.received, device=get_device())
        all_reduce(flag, 'max')
        self.received = int(flag)
        return bool(self.received)

    def _end(self, runner: Runner, step: int) -> None:
        """Save a checkpoint and end the program.

        Raises:
            SystemExit: always.
        """
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        name = f'epoch_{runner.epoch}_iter_{step}.pth' if by_epoch else f'iter_{step}.pth'
        path = Path(runner.work_dir) / name
        runner.save_checkpoint(
            runner.work_dir,
            name,
            meta=dict(epoch=runner.epoch, iter=step),
            by_epoch=False,
            backend_args=dict(backend=ATOMIC),
        )
        if is_main_process():
            AtomicBackend().put(str(path).encode(), path.with_name(POINTER))
        # Who starts several processes ends them all once one of them has ended.
        barrier()
        status = 128 + self.received
        runner.logger.warning(
            f'{signal.Signals(self.received).name}: the training was saved after step {step} as '
            f'{path}. The same command with --resume goes on from there.'
        )
        self.after_train(runner)
        raise SystemExit(status)

"""Saves checkpoints so that an interruption at any moment loses none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmpixcon.registry import HOOKS

from ..checkpoint.safe_files import ATOMIC, POINTER, AtomicBackend, removals_last
from .plateau_stopping_hook import PlateauStoppingHook

# Name in the message hub, which checkpoints keep, of the step that was evaluated last.
EVALUATED = 'evaluated_iter'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, in an order in which nothing can be lost.

    - A checkpoint and the pointer to it, ``last_checkpoint``, appear under their names once they
      are whole and on the disk.
    - An outdated checkpoint, the best one included, is removed after the new one and the pointer
      are there. So there is one more on the disk for a moment.
    - A checkpoint that is saved before an evaluation is saved again after it, where something is
      kept of it (``save_best``, :class:`PlateauStoppingHook`). A run that was cut off in between
      makes up for the evaluation when it is resumed.
    - In a work folder that was moved or copied, its own best checkpoint is meant, not that of the
      folder before.

    Args:
        *args: arguments of ``CheckpointHook``.
        **kwargs: arguments of ``CheckpointHook``.
    """

    out_dir: str
    backend_args: dict | None
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]
    # Step of the newest checkpoint, and how many were written.
    saved_step = -1
    written = 0

    def before_train(self, runner: Runner) -> None:
        """Choose how files are written.

        Args:
            runner (Runner): runner of the training.
        """
        local = '://' not in str(self.out_dir or runner.work_dir)
        if self.backend_args is None and self.file_client_args is None and local:
            self.backend_args = dict(backend=ATOMIC)
        super().before_train(runner)
        if local and is_main_process():
            # Of a run that was killed while it wrote: one run has this folder, and writes nothing.
            for pattern in ('*.pth.*.part', f'{POINTER}.*.part'):
                for part in Path(self.out_dir).glob(pattern):
                    part.unlink(missing_ok=True)
        if local and self.save_best:
            if len(self.key_indicators) == 1:
                self.best_ckpt_path = self._here(self.best_ckpt_path)
            else:
                paths = self.best_ckpt_path_dict.items()
                self.best_ckpt_path_dict = {name: self._here(path) for name, path in paths}
        step = runner.epoch if self.by_epoch else runner.iter
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        if self.file_backend.isfile(path):
            self.saved_step = step
        if self._lacks_evaluation(runner):
            runner.logger.info('The checkpoint has no evaluation of its step; it is made now.')
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and the newest one again with what the evaluation changed.

        Args:
            runner (Runner): runner of the training.
            metrics (dict[str, float]): metrics of the evaluation.
        """
        written = self.written
        runner.message_hub.update_info(EVALUATED, runner.iter)
        super().after_val_epoch(runner, metrics)
        step = runner.epoch if self.by_epoch else runner.iter
        is_outdated = written == self.written and self.saved_step == step
        if is_outdated and self._keeps_scores(runner):
            self._save_checkpoint_with_step(
                runner, step, dict(epoch=runner.epoch, iter=runner.iter)
            )

    def _keeps_scores(self, runner: Runner) -> bool:
        """Tell whether the training depends on what evaluations gave."""
        stopping = any(isinstance(hook, PlateauStoppingHook) for hook in runner.hooks)
        return bool(self.save_best) or stopping

    def _lacks_evaluation(self, runner: Runner) -> bool:
        """Tell whether a run was cut off after a step and before the evaluation that belongs to it.

        Only at the end of an epoch, or after a step with an evaluation, is there such a step.
        """
        loop: Any = runner.train_loop
        if runner.iter == 0 or runner.val_loop is None or not self._keeps_scores(runner):
            return False
        if runner.message_hub.runtime_info.get(EVALUATED) == runner.iter:
            return False
        loop._decide_current_val_interval()
        at, end = runner.iter, runner.max_iters
        if isinstance(loop, EpochBasedTrainLoop):
            if runner.iter != runner.epoch * len(loop.dataloader):
                return False
            at, end = runner.epoch, runner.max_epochs
        return at >= loop.val_begin and (at % loop.val_interval == 0 or at == end)

    def _here(self, path: str | None) -> str | None:
        """Find a checkpoint of this folder by what it was called in the folder before."""
        return path and str(Path(self.out_dir) / Path(path).name)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save a checkpoint and the pointer, then remove what is outdated."""
        ids = self.keep_ckpt_ids if self.max_keep_ckpts > 0 else None
        outdated = None
        if ids is not None and (not ids or ids[-1] != step):
            outdated = ids[0] if len(ids) == self.max_keep_ckpts else None
            # The oldest number falls out.
            ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self.saved_step = step
        self.written += 1
        if not is_main_process():
            return
        AtomicBackend().put(str(self.last_ckpt).encode(), Path(runner.work_dir) / POINTER)
        if outdated is not None and outdated != step:
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(outdated))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, then remove the one that was the best before."""
        with removals_last(self.file_backend):
            super()._save_best_checkpoint(runner, metrics)

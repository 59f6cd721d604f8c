"""Epoch-based training that resumes in the middle of an epoch."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.runner import EpochBasedTrainLoop

from mmpixcon.registry import LOOPS

from .resumable_loop import ResumedBatchSampler


@LOOPS.register_module()
class ResumableEpochBasedTrainLoop(EpochBasedTrainLoop):
    """mmengine's epoch-based loop, which goes on after the last batch that was trained on.

    A checkpoint of the middle of an epoch has the number of the epoch and of the step. The batches
    before are skipped by their indices: no image of theirs is read.

    Args:
        *args: arguments of ``EpochBasedTrainLoop``.
        **kwargs: arguments of ``EpochBasedTrainLoop``.
    """

    def run_epoch(self) -> None:
        """Train an epoch, or what is left of it."""
        done = self._iter - self._epoch * len(self.dataloader)
        if not 0 < done <= len(self.dataloader):
            super().run_epoch()
            return
        runner = self.runner
        runner.call_hook('before_train_epoch')
        runner.model.train()
        for index, batch in enumerate(self._rest(done), done):
            self.run_iter(index, batch)
        runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _rest(self, done: int) -> Any:
        """Batches after the first ones of the epoch."""
        batches = self.dataloader.batch_sampler
        if not isinstance(batches, ResumedBatchSampler):
            batches = ResumedBatchSampler(batches)
            # A data loader refuses a new batch sampler once it is built, but reads this one
            # whenever it starts.
            loader: Any = self.dataloader
            vars(loader)['batch_sampler'] = batches
        for _ in range(done):
            if not batches.advance():
                return ()
        # It draws a seed for its workers, which the run had drawn when the epoch began.
        with torch.random.fork_rng(devices=[]):
            return iter(self.dataloader)

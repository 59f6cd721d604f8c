"""Iteration-based training that resumes without reading past data again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmpixcon.registry import LOOPS


@LOOPS.register_module()
class ResumableIterBasedTrainLoop(IterBasedTrainLoop):
    """mmengine's iteration-based loop, which skips past data by index.

    On resuming mmengine loads every batch of the past to throw it away. Here
    the batch sampler alone is advanced, so that the data go on in the same
    order and no image of the past is read. Any sampler and batch sampler will
    do, with or without workers.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): A data loader with a batch sampler, or
            its config.
        **kwargs: As ``IterBasedTrainLoop``: ``max_iters``, ``val_begin``,
            ``val_interval``, ``dynamic_intervals``.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, **kwargs: Any) -> None:
        if isinstance(dataloader, dict):
            dataloader = runner.build_dataloader(
                dataloader,
                seed=runner.seed,
                diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
            )
        # The base class starts the workers at once, on the first images; where
        # to begin is known only after resuming.
        built = cast(DataLoader, dataloader)
        super().__init__(runner, _NotStarted(built), **kwargs)
        self.dataloader = built
        self.dataloader_iterator = SkippingIterator(built)

    def run(self) -> Any:
        """Train, from where a checkpoint ended.

        Returns:
            nn.Module: The trained model.
        """
        # The base class draws one batch for each past iteration, or calls skip_iter; the fork's
        # can be told to begin with the first images again.
        if not getattr(self, 'fast_forward_on_resume', False):
            self.dataloader_iterator.skip(self._iter)
        return super().run()


class _NotStarted:
    """Stands for a data loader in a constructor that would start it."""

    def __init__(self, dataloader: DataLoader) -> None:
        self.dataset = dataloader.dataset

    def __iter__(self) -> Iterator:
        return iter(())


class SkippingIterator:
    """Endless batches of a data loader, the first of which can be skipped.

    Args:
        dataloader (DataLoader): data loader with a batch sampler. At its end it starts again, with
            the next epoch's order.
    """

    def __init__(self, dataloader: DataLoader) -> None:
        if dataloader.batch_sampler is None:
            raise ValueError('SkippingIterator needs a data loader with a batch sampler')
        self._dataloader = dataloader
        self._batches = ResumedBatchSampler(dataloader.batch_sampler)
        # A data loader refuses a new batch sampler once it is built, but reads
        # this one whenever it starts.
        vars(dataloader)['batch_sampler'] = self._batches
        self._iterator: Iterator | None = None
        self._epoch = 0
        self._to_skip = 0

    def __iter__(self) -> SkippingIterator:
        return self

    def skip(self, number: int) -> None:
        """Let the next calls return None instead of a batch.

        Args:
            number (int): number of batches to skip.
        """
        self._to_skip = number

    def skip_iter(self, num_iters: int) -> None:
        """Skip batches at once, as the fork's mmengine asks for on resuming.

        Args:
            num_iters (int): number of batches to skip.
        """
        self.skip(num_iters)
        for _ in range(num_iters):
            next(self)

    def __next__(self) -> Any:
        if self._to_skip > 0:
            self._to_skip -= 1
            if not self._batches.advance():
                self._next_epoch()
                if not self._batches.advance():
                    raise ValueError('the training data has no batch')
            return None
        if self._iterator is None:
            self._iterator = self._start()
        try:
            return next(self._iterator)
        except StopIteration:
            self._next_epoch()
            self._iterator = self._start()
            return next(self._iterator)

    def _start(self) -> Iterator[Any]:
        """Start the data loader (and its workers)."""
        # It draws a seed for its workers. Without this the random numbers of a
        # resumed run would be one behind those of an uninterrupted one.
        with torch.random.fork_rng(devices=[]):
            return iter(self._dataloader)

    def _next_epoch(self) -> None:
        """Choose the order of the next epoch."""
        # The old workers end before the new ones start.
        self._iterator = None
        self._epoch += 1
        for sampler in (self._dataloader.sampler, getattr(self._batches, 'sampler', None)):
            set_epoch = getattr(sampler, 'set_epoch', None)
            if set_epoch is not None:
                set_epoch(self._epoch)


class ResumedBatchSampler:
    """A batch sampler that goes on where it was advanced to.

    Args:
        batch_sampler (Iterable[list[int]]): Yields the indices of each batch.
    """

    def __init__(self, batch_sampler: Any) -> None:
        self._batch_sampler = batch_sampler
        self._advanced: Iterator[list[int]] | None = None

    def advance(self) -> bool:
        """Skip one batch; False at the end of an epoch."""
        if self._advanced is None:
            self._advanced = iter(self._batch_sampler)
        try:
            next(self._advanced)
        except StopIteration:
            self._advanced = None
            return False
        return True

    def __iter__(self) -> Iterator[list[int]]:
        # A generator, so that this runs at the first batch: a data loader with
        # workers asks for an iterator twice and drops the first unused. The
        # advanced iterator itself is handed over, because samplers that never
        # end keep their place in it.
        advanced, self._advanced = self._advanced, None
        yield from self._batch_sampler if advanced is None else advanced

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __getattr__(self, name: str) -> Any:
        # Hooks look for `sampler`, `batch_size` and the like.
        if name.startswith('__') or name == '_batch_sampler':
            raise AttributeError(name)
        return getattr(self._batch_sampler, name)

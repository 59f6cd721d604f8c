"""Rank, deviation and correlation of embeddings, while they are trained."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpixcon.evaluation.embeddings import (
    correlation_statistics,
    cross_correlation,
    draw_matrix,
    effective_rank,
)
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS

# An effective rank below it: embeddings on a line, or all the same.
COLLAPSED = 1.5


@HOOKS.register_module()
class EmbeddingMonitorHook(Hook):
    """Looks at the embeddings that a pretraining method compares, or decodes.

    They are the first two arguments of a module's forward: the head of Barlow
    Twins and VICReg, the loss of MoCo, (N, C) each. With ``paired=False`` it is the
    first one alone, whose leading axes are layers, images and queries, such as the
    states that the box head of a detection transformer takes: those of the last
    layer, a row a query. Every ``interval`` iterations, of the process' own batch:
    ``effective_rank`` of the first, ``dimension_std_min`` and ``dimension_std_mean``,
    the smallest and the mean deviation of its dimensions, and of the correlation
    between a pair ``diagonal_mean`` and ``off_diagonal_rms``. Every ``draw_interval``
    iterations the correlation matrix goes to the visualizer as a picture. Embeddings
    of one batch that are all alike, or lie on a line, are a warning, another one
    only after they recovered.

    Args:
        module (str): Name of the module in the model. Defaults to 'head'.
        interval (int): Iterations between two looks. Defaults to 50.
        draw_interval (int): Iterations between two pictures, a multiple of
            ``interval``; 0 for none. Defaults to 1000.
        paired (bool): Whether there are two. Defaults to True.

    Raises:
        ValueError: An interval is out of range, or they don't fit.
    """

    # Before the logger writes.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        module: str = 'head',
        interval: int = 50,
        draw_interval: int = 1000,
        paired: bool = True,
    ) -> None:
        if interval < 1 or draw_interval < 0 or draw_interval % interval:
            raise ValueError(
                f'custom_hooks: EmbeddingMonitorHook: interval = {interval} must be at least 1, '
                f'draw_interval = {draw_interval} a multiple of it or 0'
            )
        self.module, self.interval, self.draw_interval = module, interval, draw_interval
        self.paired = paired
        self._embeddings: list[Tensor] | None = None
        self._handle: Any = None
        self._looks = self._collapsed = False

    def before_train(self, runner: Runner) -> None:
        """Listen to the module.

        Raises:
            KeyError: The model has no such module.
        """
        model = unwrap(runner.model)
        modules = dict(model.named_modules())
        if self.module not in modules:
            raise KeyError(
                f'custom_hooks: EmbeddingMonitorHook.module = {self.module!r}: '
                f'{type(model).__name__} has no such module; its own are '
                f'{", ".join(name for name, _ in model.named_children())}'
            )
        self._handle = modules[self.module].register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, args: tuple) -> None:
        if self._looks:
            self._embeddings = [_rows(z.detach().float()) for z in args[: 1 + self.paired]]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the embeddings of this iteration if it is one to look at."""
        self._looks = (runner.iter + 1) % self.interval == 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Log the numbers, and draw the matrix."""
        if self._embeddings is None:
            return
        embeddings, self._embeddings = self._embeddings, None
        first = embeddings[0]
        deviation = first.std(0, correction=0)
        matrix = cross_correlation(embeddings[0], embeddings[1]) if self.paired else None
        numbers = dict(
            effective_rank=effective_rank(first).item(),
            dimension_std_min=deviation.min().item(),
            dimension_std_mean=deviation.mean().item(),
            **({} if matrix is None else correlation_statistics(matrix)),
        )
        for name, value in numbers.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        rank, before = numbers['effective_rank'], self._collapsed
        self._collapsed = rank < COLLAPSED
        if self._collapsed and not before:
            runner.logger.log(
                logging.WARNING,
                f'effective_rank is {rank:.2f}: the embeddings of all images of a batch are nearly '
                'the same, or lie on a line (collapse). Look at the images of train_dataloader '
                '(tools/analysis_tools/browse_views.py), whether they are all alike or blank; else '
                'lower optim_wrapper.optimizer.lr (auto_scale_lr).',
            )
        draws = self.draw_interval and (runner.iter + 1) % self.draw_interval == 0
        if draws and matrix is not None:
            runner.visualizer.add_image(
                'cross_correlation', draw_matrix(matrix.cpu().numpy()), runner.iter + 1
            )

    def after_train(self, runner: Runner) -> None:
        """Stop listening."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


def _rows(embeddings: Tensor) -> Tensor:
    """Take those of the last layer where there are several, a row an embedding."""
    while embeddings.dim() > 3:
        embeddings = embeddings[-1]
    return embeddings.flatten(0, -2)

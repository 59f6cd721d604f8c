"""Stops a training whose metric no longer rises, also after it was interrupted."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from mmpixcon.registry import HOOKS

# Names in the message hub, which checkpoints keep.
BEST, WAITED = 'plateau_best_score', 'plateau_evaluations'


@HOOKS.register_module()
class PlateauStoppingHook(EarlyStoppingHook):
    """mmengine's ``EarlyStoppingHook``, of metrics that rise, with a state that is saved.

    - The best score and the number of evaluations since are in each checkpoint: a run that was
      interrupted stops where it would have stopped without.
    - Evaluations before the first score above ``floor`` do not count. A detection transformer has
      an AP of 0 for a while, and COCO's evaluation gives -1 where there is nothing to evaluate.

    Args:
        monitor (str): metric, such as ``coco/bbox_mAP``; 'auto' takes the first one of the
            evaluation.
        patience (int): evaluations without a better score after which the training stops. Defaults
            to 5.
        min_delta (float): least rise that counts. Defaults to 0.001, a tenth of a per cent of AP.
        floor (float): score that must be exceeded once before evaluations count. Defaults to 0.
        **kwargs: other arguments of ``EarlyStoppingHook``.
    """

    # Before the checkpoint is saved again with the result of the evaluation.
    priority = 'LOW'
    monitor: str

    def __init__(
        self,
        monitor: str,
        patience: int = 5,
        min_delta: float = 0.001,
        floor: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if patience < 1:
            raise ValueError(f'PlateauStoppingHook.patience = {patience} must be at least 1')
        super().__init__(monitor, rule='greater', min_delta=min_delta, patience=patience, **kwargs)
        self.floor = floor

    def before_train(self, runner: Runner) -> None:
        """Take over the state of the checkpoint that a run goes on from.

        Args:
            runner (Runner): runner of the training.
        """
        known = runner.message_hub.runtime_info
        if BEST in known:
            self.best_score = float(known[BEST])
            self.wait_count = int(known[WAITED])
        if self.wait_count >= self.patience:
            runner.train_loop.stop_training = True
            runner.logger.info(f'{self._reason()} It had stopped before.')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Count an evaluation, and stop the training after enough of them.

        Args:
            runner (Runner): runner of the training.
            metrics (dict[str, float], optional): metrics of the evaluation.

        Raises:
            KeyError: ``strict``, and the metric is not among them.
        """
        if self.monitor == 'auto' and metrics:
            self.monitor = next(iter(metrics))
        if metrics is not None and self.best_score == -float('inf'):
            score = metrics.get(self.monitor)
            if score is not None and score <= self.floor:
                return
        super().after_val_epoch(runner, metrics or {})
        runner.message_hub.update_info(BEST, float(self.best_score))
        runner.message_hub.update_info(WAITED, self.wait_count)

    def _reason(self) -> str:
        return (
            f'{self.monitor} has not risen by {self.min_delta:g} for {self.wait_count} '
            f'evaluations; its best is {self.best_score:.4f}.'
        )

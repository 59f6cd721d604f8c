"""Numbers that tell a collapsing pretraining from a learning one, and a warning."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmpixcon.evaluation.embeddings import effective_rank
from mmpixcon.models.contrast import MemoryBank
from mmpixcon.models.losses.functional import spread
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS

# Keys of a bank whose rank is taken: more cost time and say the same.
RANKED = 1024


@HOOKS.register_module()
class ContrastMonitorHook(Hook):
    """Watches the features of a pretraining method and its memory banks.

    Every ``interval`` iterations it logs, as means over the memory banks, the
    deviation of their keys, ``bank_std`` (1: everywhere, 0: all alike); of the newest
    keys the number of dimensions that they use, ``bank_rank`` (:func:`effective_rank`), and
    the smallest deviation of one, ``bank_dimension_std_min``; and ``bank_drift``, the
    cosine distance between the mean of the newest and of the oldest quarter: where it
    is large, old keys are told by their age, which
    lowers the loss and teaches nothing. With the model's own ``feature_std``
    they stand in the log and go to every visualizer. When ``feature_std`` stayed
    below ``threshold`` for ``patience`` iterations, one warning says so; another
    one only after it recovered. A run without a single batch is refused.

    Args:
        interval (int): Iterations between two looks at the banks. Defaults to 50.
        threshold (float): Deviation that counts as collapsed. Defaults to 0.02.
        patience (int): Iterations. Defaults to 200.

    Raises:
        ValueError: ``interval`` or ``patience`` is below 1.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 50, threshold: float = 0.02, patience: int = 200) -> None:
        if interval < 1 or patience < 1:
            raise ValueError(
                f'custom_hooks: ContrastMonitorHook: interval = {interval} and patience = '
                f'{patience} must be at least 1'
            )
        self.interval, self.threshold, self.patience = interval, threshold, patience
        self.low = 0

    def before_train(self, runner: Runner) -> None:
        """Refuse a run that has no batch, which would end at once as if it had trained.

        Raises:
            ValueError: There are fewer images than a batch has.
        """
        loader = runner.train_dataloader
        if len(loader) == 0:
            raise ValueError(
                f'train_dataloader has {len(loader.dataset)} images on {runner.world_size} '
                f'process(es), less than one batch of batch_size = {loader.batch_size} each '
                '(drop_last = True): lower train_dataloader.batch_size, or add images'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the banks at the interval, and at the features at every iteration."""
        if self.every_n_train_iters(runner, self.interval):
            for name, value in self.bank_statistics(runner).items():
                runner.message_hub.update_scalar(f'train/{name}', value)
        std = (outputs or {}).get('feature_std')
        if std is None:
            return
        self.low = self.low + 1 if float(std) < self.threshold else 0
        if self.low == self.patience:
            runner.logger.log(
                logging.WARNING,
                f'feature_std was below {self.threshold:g} for {self.patience} iterations: the '
                'features of all images are nearly the same (collapse). Usual causes: a too '
                'high learning rate for the batch (auto_scale_lr), augmentation that leaves '
                'nothing to tell these images apart, a memory bank longer than the data set, '
                'images that are all alike.',
            )

    @staticmethod
    def bank_statistics(runner: Runner) -> dict[str, float]:
        """Means over the model's memory banks.

        Args:
            runner (Runner): runner with the model.

        Returns:
            dict[str, float]: ``bank_std``, ``bank_rank``, ``bank_dimension_std_min`` and
            ``bank_drift``; empty without banks.
        """
        model = unwrap(runner.model)
        banks = [module for module in model.modules() if isinstance(module, MemoryBank)]
        if not banks:
            return {}
        newest = [_newest(bank) for bank in banks]
        measured = dict(
            bank_std=[spread(bank.keys) for bank in banks],
            bank_rank=[effective_rank(keys) for keys in newest],
            bank_dimension_std_min=[keys.std(0, correction=0).min() for keys in newest],
            bank_drift=[_drift(bank) for bank in banks],
        )
        return {
            name: sum(v.item() for v in values) / len(banks) for name, values in measured.items()
        }


def _newest(bank: MemoryBank) -> Tensor:
    """The newest keys, at most ``RANKED`` of them, (n, C)."""
    size = len(bank.keys)
    count = min(size, RANKED)
    places = (bank.pointer + torch.arange(-count, 0, device=bank.keys.device)) % size
    return bank.keys[places].float()


def _drift(bank: MemoryBank) -> Tensor:
    """Cosine distance of the means of the newest and the oldest quarter of the keys."""
    size = len(bank.keys)
    count = max(size // 4, 1)
    places = bank.pointer + torch.arange(count, device=bank.keys.device)
    oldest, newest = (bank.keys[(places + shift) % size].float() for shift in (0, -count))
    return 1 - F.cosine_similarity(oldest.mean(0), newest.mean(0), dim=0)

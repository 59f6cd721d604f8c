"""A real runner of mmengine, small enough for a test."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from tests.helpers.tiny_model import TinyModel


class TinyDataset(Dataset):
    """Noisy points, whose noise comes from all three random generators."""

    metainfo = {'classes': ('a', 'b'), 'palette': np.zeros((2, 3), dtype=np.int64)}

    def __init__(self, length: int = 10) -> None:
        self.length = length
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.length

    def get_data_info(self, idx: int) -> dict[str, int]:
        """Every third image is upright."""
        return {'width': 4, 'height': 6 if idx % 3 == 0 else 2}

    def __getitem__(self, idx: int) -> dict[str, Tensor]:
        self.read.append(idx)
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        return {'inputs': torch.tensor([idx, noise]), 'index': idx}


class RandomMetric(BaseMetric):
    """A metric that draws random numbers, and gives the scores that it is told to.

    Args:
        scores (Sequence[float]): scores in turn; the last one is given from then on.
    """

    def __init__(self, scores: Sequence[float]) -> None:
        super().__init__()
        self.scores = list(scores)

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Draw from every generator."""
        self.results.append(random.random() + np.random.rand() + float(torch.rand(())))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return a numpy number, as metrics do."""
        score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
        return {'score': np.float64(score)}


@pytest.fixture
def tiny_runner(tmp_path: Path) -> Callable[..., Runner]:
    """Factory of runners; see ``make`` for the options."""

    def make(
        name: str,
        iters: int = 0,
        epochs: int = 0,
        loop: str = 'ResumableIterBasedTrainLoop',
        epoch_loop: str = 'EpochBasedTrainLoop',
        workers: int = 0,
        interval: int = 1,
        model: nn.Module | None = None,
        val: bool = True,
        hooks: tuple[dict, ...] = ({'type': 'PlainCheckpointHook'},),
        loader: dict | None = None,
        length: int = 10,
        checkpoint: dict | None = None,
        scores: Sequence[float] = (0.25,),
        **kwargs: Any,
    ) -> Runner:
        by_epoch = epochs > 0
        train_cfg = (
            {'type': epoch_loop, 'max_epochs': epochs}
            if by_epoch
            else {'type': loop, 'max_iters': iters, 'val_interval': 2}
        )
        sampler = {'type': 'DefaultSampler' if by_epoch else 'InfiniteSampler', 'shuffle': True}
        torch.manual_seed(0)
        loaders = {
            'batch_size': 2,
            'num_workers': workers,
            'sampler': sampler,
            'collate_fn': {'type': 'default_collate'},
            **(loader or {}),
        }
        validation: dict[str, Any] = {}
        if val:
            validation = {
                'val_dataloader': {
                    'batch_size': 5,
                    'num_workers': 0,
                    'dataset': TinyDataset(5),
                    'sampler': {'type': 'DefaultSampler', 'shuffle': False},
                    'collate_fn': {'type': 'default_collate'},
                },
                'val_cfg': {},
                'val_evaluator': [RandomMetric(scores)],
            }
        return Runner(
            model=model or TinyModel(),
            work_dir=str(tmp_path / name),
            train_dataloader={'dataset': TinyDataset(length), **loaders},
            train_cfg=train_cfg,
            optim_wrapper={'optimizer': {'type': 'Adam', 'lr': 0.05}},
            param_scheduler=[
                {'type': 'MultiStepLR', 'by_epoch': by_epoch, 'milestones': [2, 4], 'gamma': 0.5}
            ],
            default_hooks={
                'checkpoint': {
                    'type': 'CheckpointHook',
                    'by_epoch': by_epoch,
                    'interval': interval,
                    'save_best': 'score' if val else None,
                    'rule': 'greater' if val else None,
                    **(checkpoint or {}),
                }
            },
            custom_hooks=list(hooks),
            default_scope='mmpixcon',
            randomness={'seed': 3},
            experiment_name=f'{tmp_path.name}-{name}-{iters}-{epochs}-{id(object())}',
            cfg=Config({'note': 'tiny'}),
            log_level='WARNING',
            **validation,
            **kwargs,
        )

    return make

"""A model and data of a few numbers, registered for configs of the tools' tests."""

from __future__ import annotations

import os
import signal
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmpixcon.registry import DATASETS, HOOKS, MODELS


@DATASETS.register_module()
class TinyPoints(Dataset):
    """Sixteen numbers and their doubles."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, idx: int) -> dict[str, Tensor]:
        return {'inputs': torch.tensor([idx / 16]), 'target': torch.tensor([idx / 8])}


@MODELS.register_module()
class TinyLine(BaseModel):
    """A line that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    def forward(self, inputs: Tensor, target: Tensor, mode: str = 'tensor') -> Any:
        """Squared error."""
        return {'loss': (self.line(inputs) - target).square().mean()}


@HOOKS.register_module()
class LostProcess(Hook):
    """Kills the second process in the third step, unless torchrun has restarted it."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Kill it."""
        place = (os.environ['RANK'], os.environ['TORCHELASTIC_RESTART_COUNT'])
        if place == ('1', '0') and runner.iter == 2:
            os.kill(os.getpid(), signal.SIGKILL)

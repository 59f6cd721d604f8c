"""A model of one layer."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor, nn


class TinyModel(BaseModel):
    """A perceptron with dropout."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, width), nn.GroupNorm(1, width), nn.Dropout(0.5))
        self.head = nn.Linear(width, 1)
        self.indices: list[list[int]] = []

    def forward(self, inputs: Tensor, index: Tensor, mode: str = 'tensor') -> Any:
        """Loss in training, nothing that is evaluated otherwise."""
        if mode == 'loss':
            self.indices.append(index.tolist())
            return {'loss': self.head(self.body(inputs / 10)).square().mean()}
        return [index]

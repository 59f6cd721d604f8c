"""The momentum encoder that every method shares."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import Any

import torch
from torch import nn


class MomentumEncoder(nn.Module):
    r"""An exponential moving average of some modules, chained in the order given.

    .. math:: \theta_m \leftarrow \mu \, \theta_m + (1 - \mu) \, \theta_e

    ``momentum`` is the paper's mu, the share that is *kept* (0.99 in PixCon,
    0.999 in MoCo), not mmengine's, which is ``1 - mu``. Parameters are
    averaged, buffers (running statistics) copied, both in place by multi-tensor
    operations. The averaged modules follow ``train()`` and ``eval()`` as the
    originals do, so batch norm behaves in both alike; they take no gradient.

    Args:
        momentum (float): mu, in [0.5, 1]. Defaults to 0.99.
        **sources (nn.Module): The modules to follow; their names become those
            of the copies in the state dict.

    Raises:
        ValueError: ``momentum`` is outside [0.5, 1]; below, it is mmengine's
            convention that was meant.
    """

    def __init__(self, momentum: float = 0.99, **sources: nn.Module) -> None:
        super().__init__()
        self.set_momentum(momentum)
        for name, source in sources.items():
            self.add_module(name, deepcopy(source).requires_grad_(False))

    def set_momentum(self, momentum: float) -> None:
        """Change mu, the share of the average that an update keeps."""
        if not 0.5 <= momentum <= 1:
            raise ValueError(
                f'momentum is the share of the average that is kept, in [0.5, 1], got {momentum}; '
                f"for mmengine's convention write {1 - momentum}"
            )
        self.momentum = momentum

    @torch.no_grad()
    def forward(self, inputs: Any) -> Any:
        """Pass the inputs through the averaged modules, one after another."""
        for module in self.children():
            inputs = module(inputs)
        return inputs

    def _tensors(self, sources: dict[str, nn.Module], kind: str) -> tuple[list, list]:
        own = [tensor for module in self.children() for tensor in getattr(module, kind)()]
        # By the own order: keyword order of a call carries no meaning.
        theirs = [t for name in self._modules for t in getattr(sources[name], kind)()]
        return own, theirs

    @torch.no_grad()
    def update(self, **sources: nn.Module) -> None:
        """Move the average towards the modules, mu as set; copy the buffers.

        Args:
            **sources (nn.Module): The modules under the names given at first.
        """
        own, theirs = self._tensors(sources, 'parameters')
        torch._foreach_lerp_(own, theirs, 1 - self.momentum)
        own, theirs = self._tensors(sources, 'buffers')
        if own:
            torch._foreach_copy_(own, theirs)

    @torch.no_grad()
    def synchronize(self, **sources: nn.Module) -> None:
        """Make the average equal to the modules, as at the start of training."""
        for name, module in self.named_children():
            module.load_state_dict(OrderedDict(sources[name].state_dict()))

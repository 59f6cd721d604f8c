"""The momentum encoder that every method shares."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import Any
from weakref import finalize, ref

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


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
        averages = [tensor for module in self.children() for tensor in getattr(module, kind)()]
        # In the order of the averages: that of a call's keywords carries no meaning.
        targets = [t for name in self._modules for t in getattr(sources[name], kind)()]
        return averages, targets

    @torch.no_grad()
    def update(self, **sources: nn.Module) -> None:
        """Move the average toward the modules, mu as set; copy the buffers.

        Args:
            **sources (nn.Module): The modules under the names given at first.
        """
        averages, targets = self._tensors(sources, 'parameters')
        torch._foreach_lerp_(averages, targets, 1 - self.momentum)
        averages, targets = self._tensors(sources, 'buffers')
        # Tensors of one type at a time: mixed ones would be copied one by one.
        for dtype in dict.fromkeys(average.dtype for average in averages):
            chosen = [i for i, average in enumerate(averages) if average.dtype == dtype]
            torch._foreach_copy_([averages[i] for i in chosen], [targets[i] for i in chosen])

    @torch.no_grad()
    def synchronize(self, **sources: nn.Module) -> None:
        """Make the average equal to the modules, as at the start of training."""
        for name, module in self.named_children():
            module.load_state_dict(OrderedDict(sources[name].state_dict()))


def update_after_steps(model: Any) -> None:
    """Move a model's momentum encoder after each step of the optimizer.

    It is the optimizer that says when: with accumulated gradients, with several processes and
    where a gradient scaler leaves a step out, whoever runs the training.

    Args:
        model (nn.Module): model with ``momentum_encoder`` and ``online_encoder``, the modules
            that it follows by name. A copy of the model does not follow the optimizer.
    """
    owner = ref(model)

    def update(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        model = owner()
        if model is not None and _optimizes(optimizer, model.online_encoder):
            model.momentum_encoder.update(**model.online_encoder)

    # Of all optimizers: those of this model are not made yet.
    finalize(model, register_optimizer_step_post_hook(update).remove)


def _optimizes(optimizer: Optimizer, modules: dict[str, nn.Module]) -> bool:
    """Return whether it is the optimizer of the first parameter of some modules that learns."""
    parameters = (p for module in modules.values() for p in module.parameters())
    first = next((p for p in parameters if p.requires_grad), None)
    return any(p is first for group in optimizer.param_groups for p in group['params'])

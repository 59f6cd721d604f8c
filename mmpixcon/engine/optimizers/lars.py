"""LARS as the authors of Barlow Twins and VICReg use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mmpixcon.registry import OPTIMIZERS


@OPTIMIZERS.register_module()
class LARS(Optimizer):
    r"""SGD with momentum whose steps are scaled layer by layer.

    "Large Batch Training of Convolutional Networks" (You, Gitman, Ginsburg), in
    the form that Barlow Twins and VICReg were trained with: of a parameter
    :math:`\theta` with more than one dimension,

    .. math::
        g \leftarrow g + w \theta, \quad
        g \leftarrow \eta \frac{\|\theta\|}{\|g\|} g, \quad
        m \leftarrow \mu m + g, \quad
        \theta \leftarrow \theta - \lambda m

    Biases and norms, which have one dimension, take neither weight decay w nor
    the scaling. mmselfsup's LARS puts the rate into the momentum, so that a
    change of rate acts late, takes the norm of g without the decay, excludes
    only what a config names, and waits for the device twice a parameter; this
    one never waits.

    Args:
        params (Iterable): Parameters or groups.
        lr (float): lambda.
        momentum (float): mu. Defaults to 0.9.
        weight_decay (float): w. Defaults to 0.
        eta (float): The trust coefficient. Defaults to 0.001.

    Raises:
        ValueError: A setting is negative.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eta: float = 0.001,
    ) -> None:
        settings = dict(lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta)
        negative = [f'{name} = {value}' for name, value in settings.items() if value < 0]
        if negative:
            raise ValueError(f'optimizer: {", ".join(negative)} must not be negative')
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step.

        Args:
            closure (Callable, optional): Evaluates the model anew and returns
                the loss.

        Returns:
            Tensor, optional: The closure's loss.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for scaled in (True, False):
                parameters = [
                    p for p in group['params'] if p.grad is not None and (p.dim() > 1) is scaled
                ]
                if parameters:
                    self._step(parameters, group, scaled)
        return loss

    def _step(self, parameters: list[Tensor], group: dict, scaled: bool) -> None:
        """One step of parameters that are all scaled, or all not."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if scaled:
            decay = group['weight_decay']
            gradients = [*torch._foreach_add(gradients, parameters, alpha=decay)]
            norms = torch.stack(torch._foreach_norm(parameters))
            ratios = group['eta'] * norms / torch.stack(torch._foreach_norm(gradients))
            # Where the one or the other is 0, the step is not scaled.
            ratios = torch.where(ratios.isfinite() & (ratios > 0), ratios, 1.0)
            factors: Any = list(ratios.unbind())
            torch._foreach_mul_(gradients, factors)
        for p in parameters:
            if 'momentum_buffer' not in self.state[p]:
                self.state[p]['momentum_buffer'] = torch.zeros_like(p)
        buffers = [self.state[p]['momentum_buffer'] for p in parameters]
        torch._foreach_mul_(buffers, group['momentum'])
        terms: Any = gradients
        torch._foreach_add_(buffers, terms)
        torch._foreach_add_(parameters, buffers, alpha=-group['lr'])

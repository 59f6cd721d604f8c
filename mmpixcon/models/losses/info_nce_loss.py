"""InfoNCE against a memory bank."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from mmpixcon.registry import MODELS

from ..precision import full_precision


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    r"""The contrastive loss of MoCo, equation (1) of its paper.

    .. math::
        L = -\frac{1}{N} \sum_n \log
        \frac{\exp(q_n \cdot k_n / \tau)}
        {\exp(q_n \cdot k_n / \tau) + \sum_j \exp(q_n \cdot b_j / \tau)}

    The gradient is formed together with the value, so that the negatives may
    change afterwards: a memory bank need not be cloned for the backward pass.

    Args:
        temperature (float): tau. Defaults to 0.2, MoCo v2's.

    Raises:
        ValueError: The temperature is not positive.
    """

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature = temperature

    @full_precision
    def forward(self, query: Tensor, key: Tensor, negatives: Tensor) -> Tensor:
        """Mean over queries, in full precision under autocast.

        Args:
            query (Tensor): Unit rows q, (N, C).
            key (Tensor): Unit rows k, (N, C), the positive of each; no gradient.
            negatives (Tensor): Unit rows b, (K, C); no gradient.

        Returns:
            Tensor: Scalar.
        """
        return _InfoNCE.apply(query, key.detach(), negatives.detach(), self.temperature)


class _InfoNCE(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, negatives: Tensor, temperature: float
    ) -> Tensor:
        positive = (query * key).sum(1, keepdim=True) / temperature
        logits = (query @ negatives.T).div_(temperature)
        top = torch.maximum(logits.amax(1, keepdim=True), positive)
        exp = logits.sub_(top).exp_()
        exp_positive = (positive - top).exp()
        total = exp.sum(1, keepdim=True) + exp_positive
        # d/dq of log(total) - positive, each a mean of rows weighted by softmax.
        gradient = (exp @ negatives).addcmul_(exp_positive - total, key)
        ctx.save_for_backward(gradient.div_(total * (temperature * len(query))))
        return (total.log() + top - positive).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_output, None, None, None

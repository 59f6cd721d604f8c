"""InfoNCE against a memory bank."""

from __future__ import annotations

from collections.abc import Sequence
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
    change afterward: a memory bank need not be cloned for the backward pass.

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
        head = [negatives], [self.temperature], [1.0]
        return info_nce_terms(query[None], key[None], *head).squeeze(0)


@full_precision
def info_nce_terms(
    query: Tensor,
    key: Tensor,
    negatives: Sequence[Tensor],
    temperatures: Sequence[float],
    weights: Sequence[float],
) -> Tensor:
    """Weighted terms of :class:`InfoNCELoss` of G heads at once, in full precision under autocast.

    Args:
        query (Tensor): Unit rows q, (G, N, C).
        key (Tensor): Unit rows k, (G, N, C); no gradient.
        negatives (Sequence[Tensor]): Unit rows b of each head, (K, C), the same K; no gradient.
        temperatures (Sequence[float]): tau of each head.
        weights (Sequence[float]): what each term is multiplied by.

    Returns:
        Tensor: (G, ).
    """
    scales = tuple(temperatures), tuple(weights)
    return _InfoNCE.apply(query, key.detach(), *scales, *negatives)


class _InfoNCE(Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        temperatures: tuple[float, ...],
        weights: tuple[float, ...],
        *negatives: Tensor,
    ) -> Tensor:
        positive = (query * key).sum(2, keepdim=True)
        torch._foreach_div_(positive.unbind(), temperatures)
        logits = query.new_empty(*query.shape[:2], len(negatives[0]))
        # One product a head: the banks lie apart, and to stack them would copy them.
        for rows, out, bank, tau in zip(query, logits, negatives, temperatures):
            torch.addmm(out, rows, bank.to(rows.dtype).T, beta=0, alpha=1 / tau, out=out)
        top = torch.maximum(logits.amax(2, keepdim=True), positive)
        exp = logits.sub_(top).exp_()
        others = exp.sum(2, keepdim=True)
        total = others + (positive - top).exp_()
        # d/dq of log(total) - positive, each a mean of rows weighted by softmax.
        gradient = torch.empty_like(query)
        for rows, out, bank in zip(exp, gradient, negatives):
            torch.mm(rows, bank.to(out.dtype), out=out)
        gradient.addcmul_(others, key, value=-1).div_(total)
        scales = [weight / tau / query.shape[1] for weight, tau in zip(weights, temperatures)]
        torch._foreach_mul_(gradient.unbind(), scales)
        ctx.save_for_backward(gradient)
        terms = total.log_().add_(top).sub_(positive).mean((1, 2))
        torch._foreach_mul_(terms.unbind(), weights)
        return terms

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        others = [None] * (len(ctx.needs_input_grad) - 1)
        return gradient * grad_output[:, None, None], *others

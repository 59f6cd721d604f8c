"""Focal losses, sigmoid by torchvision and softmax by its equation."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the focal loss of each class ("Focal Loss for Dense Object Detection", equation 5).

    The paper is https://arxiv.org/abs/1708.02002.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Classes, shape (N,), 0 to C; C is background.
        weight (Tensor): Weights of the classes, shape (C,), or empty. Background
            weighs 1.
        output (Tensor): Output, the losses, shape (N, C).
        gamma (float): Exponent of the modulating factor.
        alpha (float): Weight of the positive class; the others weigh ``1 - alpha``.
    """
    output.copy_(_sigmoid_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the gradient of each loss of ``sigmoid_focal_loss_forward``.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Classes, shape (N,).
        weight (Tensor): Weights of the classes, or empty.
        grad_input (Tensor): Output, the derivatives, shape (N, C).
        gamma (float): Exponent of the modulating factor.
        alpha (float): Weight of the positive class.
    """
    with torch.enable_grad():
        logits = input.detach().requires_grad_()
        loss = _sigmoid_focal_loss(logits, target, weight, gamma, alpha)
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
    grad_input.copy_(gradient)


def _sigmoid_focal_loss(
    logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    """Compute the losses, shape (N, C), in float32 or better."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    classes = torch.arange(logits.shape[1], device=logits.device)
    one_hot = (target[:, None] == classes).to(logits.dtype)
    loss = sigmoid_focal_loss(logits, one_hot, alpha=alpha, gamma=gamma)
    if weight.numel():
        # Background, class C, has no weight: mmcv reads past the end there.
        loss = loss * torch.cat([weight, weight.new_ones(1)])[target][:, None]
    return loss


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the focal loss of the true class's probability.

    Args:
        softmax (Tensor): Probabilities, shape (N, C).
        target (Tensor): Classes, shape (N,); below 0 is ignored.
        weight (Tensor): Weights of the classes, shape (C,), or empty.
        output (Tensor): Output, the losses, shape (N,).
        gamma (float): Exponent of the modulating factor.
        alpha (float): Factor of the loss.
    """
    p = _true_probability(softmax, target)
    loss = -alpha * (1 - p) ** gamma * _safe_log(p)
    output.copy_(loss * _class_weight(p, target, weight))


def softmax_focal_loss_backward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the gradient of each loss of ``softmax_focal_loss_forward`` by the logits.

    Args:
        softmax (Tensor): Probabilities, shape (N, C).
        target (Tensor): Classes, shape (N,); below 0 is ignored.
        weight (Tensor): Weights of the classes, shape (C,), or empty.
        buff (Tensor): Scratch memory of mmcv, not used.
        grad_input (Tensor): Output, the derivatives, shape (N, C).
        gamma (float): Exponent of the modulating factor.
        alpha (float): Factor of the loss.
    """
    p = _true_probability(softmax, target)
    # The derivative by p, times p, which comes from the softmax. At p = 1 the second term is 0,
    # but its power is infinite for gamma below 1.
    power = (1 - p).clamp(min=torch.finfo(torch.float32).tiny) ** (gamma - 1)
    slope = -((1 - p) ** gamma) + gamma * power * p * _safe_log(p)
    slope = alpha * slope * _class_weight(p, target, weight)
    classes = torch.arange(softmax.shape[1], device=softmax.device)
    one_hot = (target[:, None] == classes).to(slope.dtype)
    grad_input.copy_(slope[:, None] * (one_hot - softmax))


def _true_probability(softmax: Tensor, target: Tensor) -> Tensor:
    """Pick the probability of the true class, shape (N,), in float32 or better."""
    p = softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]
    return p.to(torch.promote_types(p.dtype, torch.float32))


def _safe_log(p: Tensor) -> Tensor:
    """Take the logarithm of the probability, of the least float where it is 0."""
    return p.clamp(min=torch.finfo(torch.float32).tiny).log()


def _class_weight(p: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Pick the weight of the true class, shape (N,); 0 where it is ignored."""
    chosen = (target >= 0).to(p.dtype)
    return chosen * weight[target.clamp(min=0)] if weight.numel() else chosen

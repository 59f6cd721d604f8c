"""L_NCE, the contrastive pixel loss of PixCon."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..geometry.correspondence import PixelPairs
from ..precision import full_precision
from .functional import NORM_EPS, average_over_images, unit_rows


class _PixelNCE(torch.autograd.Function):
    r"""Equation (4) of one image, its gradient formed in the same pass.

    With ``s_ij = l2(q_i) . l2(k_j) / tau`` and ``Z_i = sum_{j in N_i} exp(s_ij)``::

        L_i        = 1/|P_i| sum_{p in P_i} (log(exp(s_ip) + Z_i) - s_ip)
        dL_i/ds_ip = -1/|P_i| Z_i / (exp(s_ip) + Z_i)                  p in P_i
        dL_i/ds_in = exp(s_in) 1/|P_i| sum_p 1 / (exp(s_ip) + Z_i)     n in N_i

    A block of rows of ``s`` is formed, turned into its own gradient in place
    and multiplied with the keys; the whole of ``s`` never exists.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, pairs: PixelPairs, temperature: float
    ) -> Tensor:
        height, width = key.shape[1:]
        unit_keys, _ = unit_rows(key.flatten(1).T)
        padding = ~pairs.key_valid if not bool(pairs.key.valid.all()) else None
        grad = torch.zeros_like(query) if ctx.needs_input_grad[0] else None
        total = query.new_zeros(())
        anchors = query.new_zeros(())
        for block in pairs.blocks():
            is_anchor = (block.count > 0).to(query.dtype)
            anchors += is_anchor.sum()
            weight = is_anchor / block.count.clamp(min=1)
            unit_query, norm = unit_rows(query[:, block.anchors].T)
            s = (unit_query / temperature) @ unit_keys.T
            if padding is not None:
                s.masked_fill_(padding, -torch.inf)
            # Invariant to a shift of a row: keeps exp() within range.
            s -= s.amax(1, keepdim=True)
            # Only the window of the positives needs s itself later.
            in_window = s.view(-1, height, width)[:, block.rows, block.cols]
            s_positive = in_window.masked_fill(~block.positive, 0)
            s.exp_()
            in_window.masked_fill_(block.positive, 0)
            z = s.sum(1)
            log_z = z.log()[:, None, None]
            log_denominator = torch.logaddexp(s_positive, log_z)
            per_pair = (log_denominator - s_positive).masked_fill_(~block.positive, 0)
            total += per_pair.flatten(1).sum(1) @ weight
            if grad is None:
                continue
            # Rows of s, now exp(s) of the negatives and 0 at the positives,
            # become dL/ds. Without a negative the loss is 0, and so is this.
            inverse = (-log_denominator).exp_().masked_fill_(~block.positive, 0)
            factor = inverse.flatten(1).sum(1).masked_fill_(z == 0, 0) * weight
            s *= factor[:, None]
            at_positives = torch.sigmoid(log_z - s_positive).masked_fill_(~block.positive, 0)
            in_window -= at_positives * weight[:, None, None]
            block_grad = (s @ unit_keys).div_(temperature)
            along = (unit_query * block_grad).sum(1, keepdim=True) * (norm > NORM_EPS)
            grad[:, block.anchors] = ((block_grad - unit_query * along) / norm).T
        anchors.clamp_(min=1)
        if grad is not None:
            ctx.save_for_backward(grad.div_(anchors))
        return total / anchors

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output, None, None, None


@MODELS.register_module()
class PixelNCELoss(nn.Module):
    r"""Contrasts each anchor's nearby cells of the other view with the distant ones.

    Equation (4) of PixCon ("Augmenting Object Detection Supervised Training
    with Pixel-level Contrastive Learning"), averaged over positives, anchors,
    then images:

    .. math::
        L_{NCE}^i = -\frac{1}{|P_i|} \sum_{p \in P_i} \log
            \frac{\exp(\Gamma_i \cdot \Psi_p / \tau)}
                 {\exp(\Gamma_i \cdot \Psi_p / \tau)
                  + \sum_{n \in N_i} \exp(\Gamma_i \cdot \Psi_n / \tau)}

    Representations are l2-normalized; padding is neither positive nor
    negative. An image without anchors counts with 0, which stays in the graph.
    Memory grows with the number of cells.

    Args:
        temperature (float): tau. Defaults to 0.3.

    Raises:
        ValueError: The temperature is not positive.
    """

    def __init__(self, temperature: float = 0.3) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature = temperature

    @full_precision
    def forward(self, query: Tensor, key: Tensor, pairs: list[PixelPairs]) -> Tensor:
        """Compute the loss.

        Args:
            query (Tensor): Gamma, (N, C, h, w).
            key (Tensor): Psi, (N, C, h', w'); takes no gradient.
            pairs (list[PixelPairs]): The geometry of each image.

        Returns:
            Tensor: Scalar. float64 stays float64, everything else is computed
            in float32.

        Raises:
            ValueError: Shapes of maps and geometry do not fit.
        """
        return average_over_images(_PixelNCE.apply, query, key, pairs, self.temperature)

"""L_NCE, the contrastive pixel loss of PixCon."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..geometry.correspondence import BLOCK_ELEMENTS
from ..geometry.pixel_pairs import PairBatch, PixelPairs
from ..precision import full_precision
from .functional import NORM_EPS, pair_batch, unit_rows
from .pixel_kernels import kernels_for


class _PixelNCE(torch.autograd.Function):
    r"""Equation (4), averaged over images, its gradient formed in the same pass.

    With ``s_ij = l2(q_i) . l2(k_j) / tau`` and ``Z_i = sum_{j in N_i} exp(s_ij)``::

        L_i        = 1/|P_i| sum_{p in P_i} (log(exp(s_ip) + Z_i) - s_ip)
        dL_i/ds_ip = -1/|P_i| Z_i / (exp(s_ip) + Z_i)                  p in P_i
        dL_i/ds_in = exp(s_in) 1/|P_i| sum_p 1 / (exp(s_ip) + Z_i)     n in N_i

    A block of rows of ``s`` is formed, turned into its own gradient in place
    and multiplied with the keys; the whole of ``s`` never exists.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, batch: PairBatch, temperature: float
    ) -> Tensor:
        unit_keys, _ = unit_rows(key.flatten(2).mT)
        grad = torch.zeros_like(query) if ctx.needs_input_grad[0] else None
        kernels = kernels_for(unit_keys)
        if kernels is not None:
            total, anchors = _by_kernels(kernels, query, unit_keys, batch, temperature, grad)
        else:
            total, anchors = _by_blocks(query, unit_keys, batch, temperature, grad)
        anchors.clamp_(min=1)
        if grad is not None:
            ctx.save_for_backward(grad.div_((anchors * len(query))[:, None, None]))
        return (total / anchors).mean()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output, None, None, None


def _by_blocks(
    query: Tensor, unit_keys: Tensor, batch: PairBatch, temperature: float, grad: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sum of the losses of each image's anchors and their number, (N, ); writes the gradient."""
    total, anchors = query.new_zeros(2, len(query))
    for block in batch.blocks():
        is_anchor = (block.count > 0).to(query.dtype)
        anchors[block.images] += is_anchor.sum(1)
        weight = is_anchor / block.count.clamp(min=1)
        unit_query, norm = unit_rows(block.of_anchors(query))
        keys = unit_keys[block.images]
        s = torch.bmm(unit_query / temperature, keys.mT)
        if batch.padding is not None:
            s.masked_fill_(batch.padding[block.images, None], -torch.inf)
        # Invariant to a shift of a row: keeps exp() within range.
        s -= s.amax(2, keepdim=True)
        # Only the window of the positives needs s itself later.
        in_window = s.unflatten(2, batch.key_shape)[:, :, block.rows, block.cols]
        negative = ~block.positive
        s_positive = in_window.masked_fill(negative, 0)
        s.exp_()
        in_window.masked_fill_(block.positive, 0)
        z = s.sum(2)
        log_z = z.log()[..., None, None]
        log_denominator = torch.logaddexp(s_positive, log_z)
        per_pair = (log_denominator - s_positive).masked_fill_(negative, 0)
        total[block.images] += (per_pair.sum((2, 3)) * weight).sum(1)
        if grad is None:
            continue
        # Rows of s, now exp(s) of the negatives and 0 at the positives,
        # become dL/ds. Without a negative the loss is 0, and so is this.
        inverse = log_denominator.neg().exp_().masked_fill_(negative, 0)
        factor = inverse.sum((2, 3)).masked_fill_(z == 0, 0) * weight
        s *= factor[..., None]
        at_positives = (log_z - s_positive).sigmoid_().masked_fill_(negative, 0)
        in_window -= at_positives.mul_(weight[..., None, None])
        block_grad = torch.bmm(s, keys).div_(temperature)
        along = (unit_query * block_grad).sum(2, keepdim=True) * (norm > NORM_EPS)
        block.put(grad, block_grad.sub_(unit_query.mul_(along)).div_(norm))
    return total, anchors


def _by_kernels(
    kernels: ModuleType,
    query: Tensor,
    unit_keys: Tensor,
    batch: PairBatch,
    temperature: float,
    grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Compute :func:`_by_blocks` with one kernel between the products with the keys."""
    total, anchors = query.new_zeros(2, len(query))
    rows = max(1, 2 * BLOCK_ELEMENTS // unit_keys.shape[1])
    for image, (features, keys, pair) in enumerate(zip(query, unit_keys, batch)):
        # Known on the CPU.
        candidates = pair.candidates.nonzero()[:, 0].to(query.device, non_blocking=True)
        for part in candidates.split(rows) if len(candidates) else ():
            unit_query, norm = unit_rows(features.index_select(1, part).T)
            s = torch.mm(unit_query / temperature, keys.T)
            places = batch.query[image], batch.key[image], batch.threshold[image]
            loss, count = kernels.nce_rows(s, part, *places)
            total[image] += loss.sum()
            anchors[image] += (count > 0).sum()
            if grad is not None:
                part_grad = torch.mm(s, keys).div_(temperature)
                along = (unit_query * part_grad).sum(1, keepdim=True) * (norm > NORM_EPS)
                part_grad.sub_(unit_query.mul_(along)).div_(norm)
                grad[image].index_copy_(1, part, part_grad.T)
    return total, anchors


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
    def forward(self, query: Tensor, key: Tensor, pairs: Sequence[PixelPairs]) -> Tensor:
        """Compute the loss.

        Args:
            query (Tensor): Gamma, (N, C, h, w).
            key (Tensor): Psi, (N, C, h', w'); takes no gradient.
            pairs (Sequence[PixelPairs]): The geometry of each image.

        Returns:
            Tensor: Scalar. float64 stays float64, everything else is computed
            in float32.

        Raises:
            ValueError: Shapes of maps and geometry do not fit.
        """
        batch = pair_batch(query, key, pairs)
        return _PixelNCE.apply(query.flatten(2), key.detach(), batch, self.temperature)

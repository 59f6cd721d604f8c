"""L_Cos, the non-contrastive pixel loss of PixCon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..geometry.pixel_pairs import BatchBlock, PairBatch, PixelPairs
from ..precision import full_precision
from .functional import NORM_EPS, pair_batch, unit_rows
from .pixel_kernels import kernels_for


class _MeanPositiveCosine(torch.autograd.Function):
    """``-mean_i mean_{j in P_i} l2(q_i) . l2(k_j)``, averaged over images.

    The keys take no gradient, so ``m_i = mean_{j in P_i} l2(k_j)`` is a constant
    of the graph, and the gradient is formed beside the value:
    ``d(l2(q_i) . m_i) / d q_i = (m_i - l2(q_i) (l2(q_i) . m_i)) / |q_i|``.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, batch: PairBatch) -> Tensor:
        unit_keys, _ = unit_rows(key.flatten(2).mT)
        grad = torch.zeros_like(query) if ctx.needs_input_grad[0] else None
        total, anchors = query.new_zeros(2, len(query))
        for block, mean_key in _mean_keys(unit_keys, batch):
            is_anchor = (block.count > 0).to(query.dtype)
            anchors[block.images] += is_anchor.sum(1)
            unit_query, norm = unit_rows(block.of_anchors(query))
            cosine = (unit_query * mean_key).sum(2)
            total[block.images] -= (cosine * is_anchor).sum(1)
            if grad is not None:
                # Below the floor of the norm, l2(q) is q / eps: a line.
                projected = cosine[..., None] * (norm > NORM_EPS)
                block_grad = unit_query.mul_(projected).sub_(mean_key)
                block.put(grad, block_grad.mul_(is_anchor[..., None] / norm))
        anchors.clamp_(min=1)
        if grad is not None:
            ctx.save_for_backward(grad.div_((anchors * len(query))[:, None, None]))
        return (total / anchors).mean()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output, None, None


def _mean_keys(unit_keys: Tensor, batch: PairBatch) -> Iterator[tuple[BatchBlock, Tensor]]:
    """Anchors, and the mean of the keys that are positives of each, (G, B, C)."""
    kernels = kernels_for(unit_keys)
    if kernels is not None:
        sums, count = kernels.positive_sums(batch.query, batch.key, batch.threshold, unit_keys)
        yield batch.whole(count), sums.div_(count.clamp(min=1)[..., None])
        return
    maps = unit_keys.unflatten(1, batch.key_shape)
    for block in batch.blocks():
        keys = maps[block.images, block.rows, block.cols].flatten(1, 2)
        sums = torch.bmm(block.positive.flatten(2).to(keys.dtype), keys)
        yield block, sums.div_(block.count.clamp(min=1)[..., None])


@MODELS.register_module()
class PixelCosineLoss(nn.Module):
    r"""Pulls each anchor toward the cells of the other view that lie nearby.

    Equation (5) of PixCon ("Augmenting Object Detection Supervised Training
    with Pixel-level Contrastive Learning"), averaged over anchors, then over
    images:

    .. math::
        L_{Cos}^i = -\frac{1}{|P_i|} \sum_{j \in P_i}
            l_2(\gamma_i) \cdot l_2(\Psi_j)

    An image without anchors counts with 0, which stays in the graph. Memory
    grows with the number of cells; the cells x cells mask is never held.
    """

    @full_precision
    def forward(self, query: Tensor, key: Tensor, pairs: Sequence[PixelPairs]) -> Tensor:
        """Compute the loss.

        Args:
            query (Tensor): gamma, (N, C, h, w).
            key (Tensor): Psi, (N, C, h', w'); takes no gradient.
            pairs (Sequence[PixelPairs]): The geometry of each image.

        Returns:
            Tensor: Scalar in [-1, 1]. float64 stays float64, everything else
            is computed in float32.

        Raises:
            ValueError: Shapes of maps and geometry do not fit.
        """
        batch = pair_batch(query, key, pairs)
        return _MeanPositiveCosine.apply(query.flatten(2), key.detach(), batch)

"""Numbers that show a collapse or a wrong geometry of pixel contrast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..geometry.pixel_pairs import PixelPairs
from ..losses.functional import spread


@torch.no_grad()
def contrast_statistics(
    query: Tensor, gamma: Tensor | None, key: Tensor, pairs: Sequence[PixelPairs], cos: nn.Module
) -> dict[str, Tensor]:
    """Measure what a level's contrast sees.

    Args:
        query (Tensor): Gamma, (N, C, h, w).
        gamma (Tensor, optional): what L_Cos pulls, (N, C, h, w).
        key (Tensor): Psi, (N, C, h', w').
        pairs (Sequence[PixelPairs]): geometry of the N images.
        cos (nn.Module): L_Cos.

    Returns:
        dict[str, Tensor]: scalars: positives an anchor, the share of cells that are anchors, the
        similarity of anchors with their positives, and deviations of both encoders' features, 1
        if they point everywhere, 0 if they collapsed.
    """
    anchor = query if gamma is None else gamma
    counts = [block.count for pair in pairs for block in pair.blocks()]
    count = torch.cat([query.new_zeros(0, dtype=torch.long), *counts])
    anchors = (count > 0).sum()
    cells = sum(int(pair.query.valid.sum()) for pair in pairs)
    with_anchors = sum(bool(pair.candidates.any()) for pair in pairs)
    return {
        'positives_per_anchor': count.sum() / anchors.clamp(min=1),
        'anchor_share': anchors / max(cells, 1),
        # The loss averages over all images; those without anchors add 0.
        'positive_similarity': -cos(anchor, key, pairs) * (len(pairs) / max(with_anchors, 1)),
        'feature_std': spread(_cells(query)),
        'momentum_std': spread(_cells(key)),
    }


def _cells(feature: Tensor) -> Tensor:
    """Unit features of all cells of a map (N, C, h, w), (N * h * w, C)."""
    return F.normalize(feature.float(), dim=1).permute(0, 2, 3, 1).flatten(0, 2)

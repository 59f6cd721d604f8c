"""From features of regions to object queries, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.layers import MLP
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..losses import RegionFeatureLoss


@MODELS.register_module()
class RegionQueryHead(BaseModule):
    """Asks for regions by their features and reconstructs these: UP-DETR's head.

    A region's feature, projected, is added to as many consecutive object queries as
    there are for each region. From what the decoder makes of a query, a two-layer
    perceptron reconstructs the feature of the region that the query is matched to, on
    every decoder layer by the matching of that layer.

    Args:
        in_channels (int): Channels of region features, B.
        embed_dims (int): Channels of queries, C.
        region_weight (float): Weight of the reconstruction,
            :class:`RegionFeatureLoss`; 0 for none. Defaults to 1.0, UP-DETR's.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: The weight is negative.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        region_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.region_embed = nn.Linear(in_channels, embed_dims)
        self.loss_region = RegionFeatureLoss(region_weight) if region_weight else None
        if self.loss_region is not None:
            self.feature_embed = MLP(embed_dims, embed_dims, in_channels, 2)

    def queries(self, features: Tensor, num_queries: int) -> Tensor:
        """What to add to object queries.

        Args:
            features (Tensor): (N, n, B).
            num_queries (int): Q, a multiple of n.

        Returns:
            Tensor: (N, Q, C).
        """
        per_region = num_queries // features.shape[1]
        return self.region_embed(features).repeat_interleave(per_region, dim=1)

    def reconstruction(
        self,
        hidden_states: Tensor,
        matching: Sequence[Sequence[tuple[Tensor, Tensor]]],
        targets: Sequence[Tensor] | Tensor,
        avg_factor: float,
    ) -> dict[str, Tensor]:
        """Losses of the reconstructed features.

        Args:
            hidden_states (Tensor): Output of the decoder layers, (L, N, Q, C).
            matching (Sequence): Of each layer and image, indices of the k matched
                queries and of their regions.
            targets (Sequence[Tensor]): Features of N images, (n, B) each.
            avg_factor (float): Matched regions of the batch, mean over processes.

        Returns:
            dict: ``loss_region`` of the last layer, ``d0.loss_region`` and so on of the
            others; empty if their weight is 0.
        """
        if self.loss_region is None:
            return {}
        losses = {}
        last = len(hidden_states) - 1
        for layer, (states, matched) in enumerate(zip(hidden_states, matching)):
            predictions, matched_targets = gather_matched(states, targets, matched)
            prefix = '' if layer == last else f'd{layer}.'
            losses[f'{prefix}loss_region'] = self.loss_region(
                self.feature_embed(predictions), matched_targets, avg_factor
            )
        return losses


def gather_matched(
    states: Sequence[Tensor] | Tensor,
    targets: Sequence[Tensor] | Tensor,
    matching: Sequence[tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """States of matched queries beside what they are matched to.

    Args:
        states (Sequence[Tensor]): Of N images, (Q, C) each.
        targets (Sequence[Tensor]): Of N images, (n, B) each.
        matching (Sequence): Of each image, indices of k queries and of their regions.

    Returns:
        tuple[Tensor, Tensor]: (K, C) and (K, B) over all images.
    """
    matched_states = [state[query] for state, (query, _) in zip(states, matching)]
    matched_targets = [target[region] for target, (_, region) in zip(targets, matching)]
    return torch.cat(matched_states), torch.cat(matched_targets)

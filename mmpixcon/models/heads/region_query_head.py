"""Features of regions as object queries, and back."""

from __future__ import annotations

from mmdet.models.layers import MLP
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..losses import RegionFeatureLoss
from .batched_matching import Matching, losses_by_layer


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
        """Compute what to add to object queries.

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
        matching: Matching,
        targets: Tensor,
        avg_factor: float | Tensor,
    ) -> dict[str, Tensor]:
        """Losses of the reconstructed features.

        Args:
            hidden_states (Tensor): Output of the decoder layers, (L, N, Q, C).
            matching (Matching): Queries of each layer, matched to the S regions of the batch.
            targets (Tensor): Features of the regions, image after image, (S, B).
            avg_factor (float | Tensor): Regions of the batch, mean over processes.

        Returns:
            dict: ``loss_region`` of the last layer, ``d0.loss_region`` and so on of the
            others; empty if their weight is 0.
        """
        if self.loss_region is None:
            return {}
        predicted = self.feature_embed(matched_states(hidden_states, matching))
        matched = targets.index_select(0, matching.target.flatten())
        shape = (*matching.target.shape, -1)
        loss = self.loss_region(predicted.view(shape), matched.view(shape), avg_factor)
        return losses_by_layer(dict(loss_region=loss))


def matched_states(states: Tensor, matching: Matching) -> Tensor:
    """States of matched queries.

    Args:
        states (Tensor): Output of L decoder layers for N images, (L, N, Q, C).
        matching (Matching): Pairs of the same layers and images, P a layer.

    Returns:
        Tensor: (L * P, C), layer after layer.
    """
    # Its gradient is one operation, that of an index many.
    return states.flatten(0, 2).index_select(0, matching.prediction.flatten())

"""Deformable DETR's decoder on DAB-DETR's dynamic anchor boxes."""

from __future__ import annotations

import torch
from mmdet.models.layers import MLP, coordinate_to_encoding, inverse_sigmoid
from mmdet.models.layers.transformer import DeformableDetrTransformerDecoder
from torch import Tensor, nn


class DABDeformableTransformerDecoder(DeformableDetrTransformerDecoder):
    """Each query's position is made of its box, layer by layer.

    DAB-DETR's queries in Deformable DETR's decoder, as DN-Deformable-DETR
    combines them: the sine encoding of the current box gives the positional
    query, scaled from the second layer on by what the content says; each layer
    refines the box.
    """

    def _init_layers(self) -> None:
        super()._init_layers()
        dims = self.embed_dims
        self.ref_point_head = MLP(dims * 2, dims, dims, 2)
        self.query_scale = MLP(dims, dims, dims, 2)

    def forward(
        self,
        query: Tensor,
        value: Tensor,
        key_padding_mask: Tensor,
        reference_points: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
        valid_ratios: Tensor,
        reg_branches: nn.ModuleList,
        self_attn_mask: Tensor | None = None,
        **kwargs: object,
    ) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            query (Tensor): Content, (N, Q, C).
            value (Tensor): The encoder's memory, (N, cells, C).
            key_padding_mask (Tensor): (N, cells), True on padding.
            reference_points (Tensor): Boxes, (N, Q, 4), cx cy w h in 0..1 of
                the image without padding.
            spatial_shapes (Tensor): (levels, 2), h and w.
            level_start_index (Tensor): (levels, ).
            valid_ratios (Tensor): (N, levels, 2), width and height of the image
                in the padded one.
            reg_branches (nn.ModuleList): One a layer, gives the box's change.
            self_attn_mask (Tensor, optional): (N * heads, Q, Q), True is hidden.
            **kwargs: Further arguments of the layers.

        Returns:
            tuple[Tensor]: Content after each layer, (layers, N, Q, C), and the
            boxes after each layer, (layers, N, Q, 4), without gradient.
        """
        scale = torch.cat([valid_ratios, valid_ratios], -1)[:, None]
        contents, boxes = [], []
        for index, layer in enumerate(self.layers):
            on_levels = reference_points[:, :, None] * scale
            encoding = coordinate_to_encoding(on_levels[:, :, 0], num_feats=self.embed_dims // 2)
            query_pos = self.ref_point_head(encoding)
            if index > 0:
                query_pos = query_pos * self.query_scale(query)
            query = layer(
                query,
                query_pos=query_pos,
                value=value,
                key_padding_mask=key_padding_mask,
                self_attn_mask=self_attn_mask,
                spatial_shapes=spatial_shapes,
                level_start_index=level_start_index,
                valid_ratios=valid_ratios,
                reference_points=on_levels,
                **kwargs,
            )
            change = reg_branches[index](query)
            refined = (change + inverse_sigmoid(reference_points, eps=1e-3)).sigmoid()
            reference_points = refined.detach()
            contents.append(query)
            boxes.append(reference_points)
        return torch.stack(contents), torch.stack(boxes)

"""DAB-DETR's decoder with dense attention to each of several levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.layers.transformer.dab_detr_layers import (
    DABDetrTransformerDecoder,
    DABDetrTransformerDecoderLayer,
)
from mmdet.models.layers.transformer.utils import ConditionalAttention
from mmengine.model import ModuleList
from torch import Tensor, nn


class MultiLevelConditionalAttention(ConditionalAttention):
    """Conditional cross attention within each level, the levels weighted by the query.

    All projections are those of :class:`mmdet.models.layers.ConditionalAttention` and the same
    for all levels. With one level it is its cross attention.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        query_pos: Tensor,
        ref_sine_embed: Tensor,
        key_pos: Tensor,
        key_padding_mask: Tensor | None,
        level_cells: Sequence[int],
        level_weights: Tensor,
        is_first: bool = False,
    ) -> Tensor:
        """Attend to all cells of all levels.

        Args:
            query (Tensor): content, (N, Q, C).
            key (Tensor): memory of the encoder, (N, cells, C), level after level.
            query_pos (Tensor): positions of the queries, (N, Q, C).
            ref_sine_embed (Tensor): sine encoding of the boxes' centers, (N, Q, C).
            key_pos (Tensor): positions of the cells, (N, cells, C).
            key_padding_mask (Tensor, optional): (N, cells), True on padding.
            level_cells (Sequence[int]): cells of each of the L levels.
            level_weights (Tensor): (N, Q, L), of sum 1 over the levels.
            is_first (bool): whether this is the first layer, which adds the positions to content.

        Returns:
            Tensor: (N, Q, C), the residual added.
        """
        content, key_content = self.qcontent_proj(query), self.kcontent_proj(key)
        position = self.kpos_proj(key_pos)
        if is_first or self.keep_query_pos:
            content = content + self.qpos_proj(query_pos)
            key_content = key_content + position
        q = self._heads(content, self.qpos_sine_proj(ref_sine_embed))
        k = self._heads(key_content, position)
        v = self._heads(self.v_proj(key))
        sizes = list(level_cells)
        # Levels have different sizes: one call of the fused attention each.
        levels = zip(k.split(sizes, 2), v.split(sizes, 2), self._masks(key_padding_mask, sizes))
        drop = self.attn_drop.p if self.training else 0.0
        reads = [
            F.scaled_dot_product_attention(q, keys, values, mask, drop)
            for keys, values, mask in levels
        ]
        weights = level_weights[:, None, :, None]
        output = (torch.stack(reads, dim=4) * weights).sum(4)
        # After the sum rather than before: weights of sum 1 leave the bias as it is.
        return query + self.proj_drop(self.out_proj(output.transpose(1, 2).flatten(2)))

    @staticmethod
    def _masks(padding: Tensor | None, sizes: list[int]) -> Sequence[Tensor | None]:
        """Tell where the queries may look, (N, 1, 1, cells) of each level."""
        if padding is None:
            return [None] * len(sizes)
        inside = (~padding.bool())[:, None, None].split(sizes, 3)
        # A level that is padding alone would give NaN.
        return [level | ~level.any(3, keepdim=True) for level in inside]

    def _heads(self, *parts: Tensor) -> Tensor:
        """Cut (N, n, C) into heads and put the parts beside each other, (N, heads, n, ...)."""
        heads = [part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in parts]
        return torch.cat(heads, dim=3)


class MultiLevelDABDetrTransformerDecoderLayer(DABDetrTransformerDecoderLayer):
    """DAB-DETR's layer with :class:`MultiLevelConditionalAttention`.

    Args:
        num_levels (int): L. Defaults to 4.
        *args, **kwargs: As :class:`mmdet.models.layers.DABDetrTransformerDecoderLayer`.
    """

    def __init__(self, *args: object, num_levels: int = 4, **kwargs: object) -> None:
        self.num_levels = num_levels
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        self.cross_attn = MultiLevelConditionalAttention(**self.cross_attn_cfg)
        self.level_weights = nn.Linear(self.embed_dims, self.num_levels)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        query_pos: Tensor,
        key_pos: Tensor,
        ref_sine_embed: Tensor,
        key_padding_mask: Tensor | None,
        level_cells: Sequence[int],
        self_attn_masks: Tensor | None = None,
        is_first: bool = False,
    ) -> Tensor:
        """Run the layer.

        Args:
            query (Tensor): content, (N, Q, C).
            key (Tensor): memory of the encoder, (N, cells, C), level after level.
            query_pos (Tensor): positions of the queries, (N, Q, C).
            key_pos (Tensor): positions of the cells, (N, cells, C).
            ref_sine_embed (Tensor): sine encoding of the boxes' centers, (N, Q, C).
            key_padding_mask (Tensor, optional): (N, cells), True on padding.
            level_cells (Sequence[int]): cells of each level.
            self_attn_masks (Tensor, optional): (N * heads, Q, Q), True is hidden.
            is_first (bool): whether this is the first layer.

        Returns:
            Tensor: (N, Q, C).
        """
        attention = self.self_attn
        # The query of the self-attention decides on the levels, as in the release. It is projected
        # again, since the stock attention keeps it to itself.
        asked = attention.qcontent_proj(query) + attention.qpos_proj(query_pos)
        level_weights = self.level_weights(asked).softmax(-1)
        query = attention(
            query=query,
            key=query,
            query_pos=query_pos,
            key_pos=query_pos,
            attn_mask=self_attn_masks,
        )
        query = self.cross_attn(
            self.norms[0](query),
            key,
            query_pos=query_pos,
            ref_sine_embed=ref_sine_embed,
            key_pos=key_pos,
            key_padding_mask=key_padding_mask,
            level_cells=level_cells,
            level_weights=level_weights,
            is_first=is_first,
        )
        return self.norms[2](self.ffn(self.norms[1](query)))


class MultiLevelDABDetrTransformerDecoder(DABDetrTransformerDecoder):
    """DAB-DETR's decoder of :class:`MultiLevelDABDetrTransformerDecoderLayer`."""

    def _init_layers(self) -> None:
        layer_cfg = self.layer_cfg  # type: ignore[has-type]
        self.layer_cfg = {k: v for k, v in layer_cfg.items() if k != 'num_levels'}
        super()._init_layers()
        self.layer_cfg = layer_cfg
        self.layers = ModuleList(
            [MultiLevelDABDetrTransformerDecoderLayer(**layer_cfg) for _ in range(self.num_layers)]
        )
        if not self.keep_query_pos:
            for layer in self.layers[1:]:
                layer.cross_attn.qpos_proj = None

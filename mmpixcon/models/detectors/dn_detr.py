"""DN-DETR: DAB-DETR trained with query denoising."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmdet.models.detectors import DABDETR
from mmdet.structures import OptSampleList
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..layers import DenoisingQueries, DenoisingQueryGenerator


class DenoisingMixin:
    """Parts that DN-DETR and DN-Deformable-DETR share: denoising queries stand in front."""

    dn_query_generator: DenoisingQueryGenerator
    # The detector's, which comes after this class among the bases.
    bbox_head: Any
    decoder: Any
    embed_dims: int
    num_queries: int
    pre_transformer: Callable[..., tuple[dict, dict]]
    forward_encoder: Callable[..., dict]
    pre_decoder: Callable[..., tuple[dict, dict]]
    forward_decoder: Callable[..., dict]

    def _init_denoising(self, dn_cfg: dict | None, num_patterns: int) -> None:
        self.dn_query_generator = DenoisingQueryGenerator(
            **(dn_cfg or {}),
            num_classes=self.bbox_head.num_classes,
            embed_dims=self.embed_dims,
            num_matching_queries=self.num_queries * max(num_patterns, 1),
            num_heads=self.decoder.layers[0].self_attn.num_heads,
        )

    def forward_transformer(
        self, img_feats: tuple[Tensor, ...], batch_data_samples: OptSampleList = None
    ) -> dict[str, object]:
        """Run the transformer as the stock detector does; ground truth reaches ``pre_decoder`` too.

        Args:
            img_feats (tuple[Tensor]): The neck's maps, (N, C, h, w) each.
            batch_data_samples (list, optional): N samples.

        Returns:
            dict: Inputs of the head; in training with ``dn_targets``.
        """
        encoder_inputs, decoder_inputs = self.pre_transformer(img_feats, batch_data_samples)
        encoder_outputs = self.forward_encoder(**encoder_inputs)
        more, head_inputs = self.pre_decoder(
            **encoder_outputs, batch_data_samples=batch_data_samples
        )
        decoder_inputs.update(more)
        head_inputs.update(self.forward_decoder(**decoder_inputs))
        return head_inputs

    @staticmethod
    def _in_front(dn: DenoisingQueries, content: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Denoising queries before matching ones, (N, D + M, C) and (N, D + M, 4)."""
        return torch.cat([dn.content, content], dim=1), torch.cat([dn.anchors, anchors], dim=1)


@MODELS.register_module()
class DNDETR(DenoisingMixin, DABDETR):
    """DN-DETR, "Accelerate DETR Training by Introducing Query DeNoising".

    DAB-DETR with :class:`DenoisingQueryGenerator`: in training, noisy copies of
    the ground truth stand before the matching queries. The content of matching
    queries is learned and the same for all (the paper's "unknown" class, here
    not a row of the class embedding, so that it outlives a change of classes);
    ``num_patterns`` adds one learned pattern to each copy of the queries. At
    test time it is DAB-DETR with ``num_patterns`` (at least one) patterns of
    content: no denoising query exists.

    Args:
        dn_cfg (dict, optional): ``num_groups``, ``label_noise`` and
            ``box_noise`` of :class:`DenoisingQueryGenerator`. Defaults to None,
            the paper's 5, 0.2 and 0.4.
        *args, **kwargs: As :class:`mmdet.models.DABDETR`; ``bbox_head`` is a
            :class:`DNDETRHead`.
    """

    def __init__(self, *args: object, dn_cfg: dict | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._init_denoising(dn_cfg, self.num_patterns)

    def _init_layers(self) -> None:
        super()._init_layers()
        self._init_content()

    def _init_content(self) -> None:
        # One channel short, here and below: the last one is the indicator.
        self.content_embedding = nn.Embedding(1, self.embed_dims - 1)
        if self.num_patterns > 0:
            self.patterns = nn.Embedding(self.num_patterns, self.embed_dims - 1)

    def matching_content(self) -> Tensor:
        """Content of matching queries, (patterns, C), at least one row."""
        content = self.content_embedding.weight
        if self.num_patterns > 0:
            content = content + self.patterns.weight
        return torch.cat([content, content.new_zeros(len(content), 1)], dim=1)

    def pre_decoder(
        self, memory: Tensor, batch_data_samples: OptSampleList = None
    ) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Make queries.

        Args:
            memory (Tensor): The encoder's output, (N, cells, C).
            batch_data_samples (list, optional): N samples; with ground truth in
                training.

        Returns:
            tuple[dict]: Inputs of the decoder and of the head.
        """
        batch = len(memory)
        content = self.matching_content()
        anchors = self.query_embedding.weight.repeat(len(content), 1).expand(batch, -1, -1)
        content = content.repeat_interleave(self.num_queries, dim=0).expand(batch, -1, -1)
        mask, head_inputs = None, {}
        if self.training:
            dn = self.dn_query_generator(batch_data_samples)
            content, anchors = self._in_front(dn, content, anchors)
            mask, head_inputs = dn.mask, dict(dn_targets=dn.targets)
        return dict(query=content, query_pos=anchors, memory=memory, dn_mask=mask), head_inputs

    def forward_decoder(
        self,
        query: Tensor,
        query_pos: Tensor,
        memory: Tensor,
        memory_mask: Tensor,
        memory_pos: Tensor,
        dn_mask: Tensor | None,
        **decoder_inputs: object,
    ) -> dict[str, Tensor]:
        """Run the decoder as DAB-DETR does, with the mask of denoising queries.

        Args:
            query (Tensor): Content, (N, D + M, C).
            query_pos (Tensor): Anchors before the sigmoid, (N, D + M, 4).
            memory (Tensor): (N, cells, C).
            memory_mask (Tensor): (N, cells), True on padding.
            memory_pos (Tensor): (N, cells, C).
            dn_mask (Tensor, optional): (N * heads, D + M, D + M).
            **decoder_inputs: Others that the decoder takes.

        Returns:
            dict: ``hidden_states`` and ``references``.
        """
        hidden_states, references = self.decoder(
            query=query,
            key=memory,
            query_pos=query_pos,
            key_pos=memory_pos,
            key_padding_mask=memory_mask,
            reg_branches=self.bbox_head.fc_reg,
            self_attn_masks=dn_mask,
            **decoder_inputs,
        )
        return dict(hidden_states=hidden_states, references=references)

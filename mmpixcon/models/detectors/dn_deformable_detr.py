"""DN-Deformable-DETR: Deformable DETR on dynamic anchor boxes, with query denoising."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.detectors import DeformableDETR
from mmdet.models.layers import DeformableDetrTransformerEncoder, SinePositionalEncoding
from mmdet.structures import OptSampleList
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..layers import DABDeformableTransformerDecoder
from .dn_detr import DenoisingMixin


@MODELS.register_module()
class DNDeformableDETR(DenoisingMixin, DeformableDETR):
    """DN-Deformable-DETR of "Accelerate DETR Training by Introducing Query DeNoising".

    Deformable DETR's encoder, DAB-DETR's queries (a box and a content each,
    both learned) in Deformable DETR's decoder with box refinement, and in
    training :class:`DenoisingQueryGenerator`. With ``num_patterns`` each box
    stands in the queries that many times, with one learned pattern added to
    each copy's content. At test time no denoising query exists.

    Args:
        num_patterns (int): Patterns, 0 (none) or, in the paper, 3. Defaults to 0.
        dn_cfg (dict, optional): ``num_groups``, ``label_noise`` and
            ``box_noise`` of :class:`DenoisingQueryGenerator`. Defaults to None,
            the paper's 5, 0.2 and 0.4.
        *args, **kwargs: As :class:`mmdet.models.DeformableDETR`, whose
            ``with_box_refine`` is on; ``bbox_head`` is a
            :class:`DNDeformableDETRHead`.

    Raises:
        ValueError: ``as_two_stage`` is set, or ``with_box_refine`` off.
    """

    def __init__(
        self,
        *args: object,
        num_patterns: int = 0,
        dn_cfg: dict | None = None,
        with_box_refine: bool = True,
        as_two_stage: bool = False,
        **kwargs: object,
    ) -> None:
        if as_two_stage or not with_box_refine:
            raise ValueError(
                'model: DNDeformableDETR learns its anchors and refines them: it has no '
                'as_two_stage = True and no with_box_refine = False'
            )
        self.num_patterns = num_patterns
        super().__init__(*args, with_box_refine=True, **kwargs)
        self._init_denoising(dn_cfg, num_patterns)

    def _init_layers(self) -> None:
        self.positional_encoding = SinePositionalEncoding(**self.positional_encoding)  # type: ignore[has-type]
        self.encoder = DeformableDetrTransformerEncoder(**self.encoder)  # type: ignore[has-type]
        self.decoder = DABDeformableTransformerDecoder(**self.decoder)
        self.embed_dims = self.encoder.embed_dims
        self.level_embed = nn.Parameter(torch.zeros(self.num_feature_levels, self.embed_dims))
        self.query_embedding = nn.Embedding(self.num_queries, 4)
        # One channel short, here and below: the last one is the indicator.
        self.content_embedding = nn.Embedding(self.num_queries, self.embed_dims - 1)
        if self.num_patterns > 0:
            self.patterns = nn.Embedding(self.num_patterns, self.embed_dims - 1)

    def init_weights(self) -> None:
        """Initialize the weights as Deformable DETR and DINO do."""
        super(DeformableDETR, self).init_weights()
        for parameter in [*self.encoder.parameters(), *self.decoder.parameters()]:
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        nn.init.normal_(self.level_embed)

    def matching_content(self) -> Tensor:
        """Content of matching queries, (M, C), pattern by pattern."""
        content = self.content_embedding.weight
        if self.num_patterns > 0:
            content = (self.patterns.weight[:, None] + content).flatten(0, 1)
        return torch.cat([content, content.new_zeros(len(content), 1)], dim=1)

    def pre_decoder(
        self,
        memory: Tensor,
        memory_mask: Tensor,
        spatial_shapes: Tensor,
        batch_data_samples: OptSampleList = None,
    ) -> tuple[dict[str, Tensor | None], dict[str, Any]]:
        """Make queries.

        Args:
            memory (Tensor): The encoder's output, (N, cells, C).
            memory_mask (Tensor): Not used, as in one-stage Deformable DETR.
            spatial_shapes (Tensor): Not used either.
            batch_data_samples (list, optional): N samples; with ground truth in
                training.

        Returns:
            tuple[dict]: Inputs of the decoder and of the head.
        """
        batch = len(memory)
        content = self.matching_content().expand(batch, -1, -1)
        anchors = self.query_embedding.weight.repeat(max(self.num_patterns, 1), 1)
        anchors = anchors.expand(batch, -1, -1)
        mask: Tensor | None = None
        head_inputs: dict[str, Any] = {}
        if self.training:
            dn = self.dn_query_generator(batch_data_samples)
            content, anchors = self._in_front(dn, content, anchors)
            mask = dn.mask
            head_inputs = dict(
                dn_targets=dn.targets, enc_outputs_class=None, enc_outputs_coord=None
            )
        decoder_inputs = dict(
            query=content, reference_points=anchors.sigmoid(), memory=memory, dn_mask=mask
        )
        return decoder_inputs, head_inputs

    def forward_decoder(
        self,
        query: Tensor,
        reference_points: Tensor,
        memory: Tensor,
        memory_mask: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
        valid_ratios: Tensor,
        dn_mask: Tensor | None,
    ) -> dict[str, object]:
        """Run the decoder as Deformable DETR does, with the mask of denoising queries.

        Args:
            query (Tensor): Content, (N, D + M, C).
            reference_points (Tensor): Boxes, (N, D + M, 4), cx cy w h in 0..1.
            memory (Tensor): (N, cells, C).
            memory_mask (Tensor): (N, cells), True on padding.
            spatial_shapes (Tensor): (levels, 2), h and w.
            level_start_index (Tensor): (levels, ).
            valid_ratios (Tensor): (N, levels, 2).
            dn_mask (Tensor, optional): (N * heads, D + M, D + M).

        Returns:
            dict: ``hidden_states`` and ``references``.
        """
        hidden_states, references = self.decoder(
            query=query,
            value=memory,
            key_padding_mask=memory_mask,
            self_attn_mask=dn_mask,
            reference_points=reference_points,
            spatial_shapes=spatial_shapes,
            level_start_index=level_start_index,
            valid_ratios=valid_ratios,
            reg_branches=self.bbox_head.reg_branches,
        )
        return dict(hidden_states=hidden_states, references=[reference_points, *references])

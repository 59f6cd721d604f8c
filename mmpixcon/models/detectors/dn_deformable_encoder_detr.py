"""DN-DETR on several levels: Deformable DETR's encoder, DAB-DETR's dense decoder."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.detectors import DeformableDETR
from mmdet.models.layers import DeformableDetrTransformerEncoder, SinePositionalEncoding
from mmdet.structures import OptSampleList
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..layers.multi_level_dab_decoder import MultiLevelDABDetrTransformerDecoder
from .dn_detr import DNDETR


@MODELS.register_module()
class DNDeformableEncoderDETR(DNDETR):
    """DN-DETR with deformable attention in the encoder only.

    "DN-DAB-Deformable-DETR (Deformable Encoder Only)" of the release of "DN-DETR: Accelerate DETR
    Training by Introducing Query DeNoising", the model of its tables 2 and 3: the encoder of
    multi-scale Deformable DETR, and a decoder whose queries attend to all cells of each level
    and weight the levels. :class:`DNDeformableDETR` has deformable attention in the decoder too.

    Args:
        num_feature_levels (int): levels of the neck. Defaults to 4.
        *args, **kwargs: As :class:`DNDETR`.
    """

    def __init__(self, *args: Any, num_feature_levels: int = 4, **kwargs: Any) -> None:
        self.num_feature_levels = num_feature_levels
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        self.positional_encoding = SinePositionalEncoding(**self.positional_encoding)  # type: ignore[has-type]
        self.encoder = DeformableDetrTransformerEncoder(**self.encoder)  # type: ignore[has-type]
        self.decoder = MultiLevelDABDetrTransformerDecoder(**self.decoder)
        self.embed_dims = self.encoder.embed_dims
        self.level_embed = nn.Parameter(torch.zeros(self.num_feature_levels, self.embed_dims))
        self.query_dim = self.decoder.query_dim
        self.query_embedding = nn.Embedding(self.num_queries, self.query_dim)
        self._init_content()

    def init_weights(self) -> None:
        """Initialize as DAB-DETR does, and the encoder's own attention as Deformable DETR does."""
        super().init_weights()
        for module in self.encoder.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        nn.init.normal_(self.level_embed)

    def pre_transformer(
        self, img_feats: tuple[Tensor, ...], batch_data_samples: OptSampleList = None
    ) -> tuple[dict, dict]:
        """Prepare as Deformable DETR does, with positions and sizes of the levels for the decoder.

        Args:
            img_feats (tuple[Tensor]): The neck's maps, (N, C, h, w) each.
            batch_data_samples (list, optional): N samples.

        Returns:
            tuple[dict]: Inputs of the encoder and of the decoder.
        """
        encoder_inputs, decoder_inputs = DeformableDETR.pre_transformer(
            self, img_feats, batch_data_samples
        )
        return encoder_inputs, dict(
            memory_mask=decoder_inputs['memory_mask'],
            memory_pos=encoder_inputs['feat_pos'],
            level_cells=[feature.shape[2] * feature.shape[3] for feature in img_feats],
        )

    def forward_encoder(self, **encoder_inputs: Tensor) -> dict[str, Tensor]:
        """Run the encoder as Deformable DETR does.

        Args:
            **encoder_inputs (Tensor): inputs that :meth:`pre_transformer` returned.

        Returns:
            dict: ``memory``, (N, cells, C).
        """
        return dict(memory=DeformableDETR.forward_encoder(self, **encoder_inputs)['memory'])

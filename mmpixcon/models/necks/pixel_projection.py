"""The projection head of PixCon's encoders, as a neck."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule, build_conv_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpixcon.registry import MODELS


@MODELS.register_module()
class PixelProjection(BaseModule):
    """Two 1 x 1 convolutions a level, batch norm and ReLU between.

    What the PixCon paper (section 2.2, "Encoder") has between backbone and
    transformer: "a 2-layer 1 x 1 convolutional projection head with batch
    normalization and ReLU activation", 2048 -> 256. Takes the place of
    mmdet's ``ChannelMapper`` in any config. The output has no activation, as
    the transformer's input has none there either. Levels beyond the backbone's
    begin with a 3 x 3 convolution of stride 2, as ``ChannelMapper``'s.

    Args:
        in_channels (Sequence[int]): Channels of the backbone's maps.
        out_channels (int): Channels of every output. Defaults to 256.
        hidden_channels (int, optional): Between the two layers; the paper does
            not say. Defaults to ``out_channels``.
        num_outs (int, optional): Levels. Defaults to those of the backbone.
        norm_cfg (dict): Normalization of the hidden layer. Defaults to BN.
        init_cfg (dict): Defaults to Xavier, as ``ChannelMapper``'s.

    Raises:
        ValueError: ``num_outs`` is less than the backbone's maps.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        hidden_channels: int | None = None,
        num_outs: int | None = None,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform'))
        extra = (num_outs or len(in_channels)) - len(in_channels)
        if extra < 0:
            raise ValueError(
                f'neck.num_outs = {num_outs} is less than the {len(in_channels)} maps of '
                'neck.in_channels; leave maps out by backbone.out_indices'
            )
        hidden = hidden_channels or out_channels
        norm_cfg = norm_cfg or dict(type='BN')
        self.projections = nn.ModuleList(
            _projection(channels, hidden, out_channels, norm_cfg) for channels in in_channels
        )
        self.extra_projections = nn.ModuleList(
            _projection(
                in_channels[-1] if i == 0 else out_channels,
                hidden,
                out_channels,
                norm_cfg,
                kernel_size=3,
                stride=2,
                padding=1,
            )
            for i in range(extra)
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Project.

        Args:
            inputs (Sequence[Tensor]): The backbone's maps, (N, C_i, h_i, w_i).

        Returns:
            tuple[Tensor]: (N, out_channels, h_i, w_i), then the extra levels,
            each half as large.
        """
        outputs = [project(x) for project, x in zip(self.projections, inputs)]
        source = inputs[-1]
        for project in self.extra_projections:
            source = project(source)
            outputs.append(source)
        return tuple(outputs)


def _projection(
    channels: int, hidden: int, out: int, norm_cfg: dict, kernel_size: int = 1, **first: int
) -> nn.Sequential:
    return nn.Sequential(
        ConvModule(channels, hidden, kernel_size, norm_cfg=norm_cfg, **first),
        build_conv_layer(None, hidden, out, 1),
    )

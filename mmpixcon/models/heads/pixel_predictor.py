"""A head that breaks the symmetry of two encoders where no transformer does."""

from __future__ import annotations

from mmcv.cnn import ConvModule, build_conv_layer
from mmengine.model import BaseModule
from torch import Tensor

from mmpixcon.registry import MODELS


@MODELS.register_module()
class PixelPredictor(BaseModule):
    """Two 1 x 1 convolutions, batch norm and ReLU between, on every level alike.

    PixCon's L_Cos needs no negatives because the transformer encoder makes the
    two sides unequal. A detector without one gets this predictor instead, with
    the same purpose as BYOL's and SimSiam's.

    Args:
        in_channels (int): Channels of the map, and of the output.
        hidden_channels (int, optional): Defaults to ``in_channels``.
        norm_cfg (dict): Normalization of the hidden layer. Defaults to BN.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int | None = None,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        hidden_channels = hidden_channels or in_channels
        self.hidden = ConvModule(
            in_channels, hidden_channels, 1, norm_cfg=norm_cfg or dict(type='BN')
        )
        self.out = build_conv_layer(None, hidden_channels, in_channels, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """Predict the other view's features.

        Args:
            feature (Tensor): (N, in_channels, h, w).

        Returns:
            Tensor: (N, in_channels, h, w).
        """
        return self.out(self.hidden(feature))

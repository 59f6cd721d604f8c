"""A feature pyramid from one map, as a plain transformer gives it."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpixcon.registry import MODELS


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each cell of a map (N, C, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize; the shape stays."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


@MODELS.register_module()
class SimpleFPN(BaseModule):
    """Simple feature pyramid of ViTDet (arXiv:2203.16527, section 3).

    Every level is made of the one map alone: strides below its own by transposed convolutions,
    strides above by pooling. A 1 x 1 and a 3 x 3 convolution follow, with layer norm.

    Args:
        in_channels (int): channels of the map.
        out_channels (int): channels of each level. Defaults to 256.
        scales (Sequence[float]): cells of each level for one of the map along a side, 4, 2, 1 or
            0.5: of a map of stride 16 the default is strides 4, 8, 16 and 32. Defaults to
            (4, 2, 1, 0.5).
        num_outs (int, optional): number of levels; those beyond ``scales`` are every second cell
            of the level before. Defaults to None, that of ``scales``.
        init_cfg (dict, optional): initialization. Defaults to None.

    Raises:
        ValueError: A scale is another one, or there are fewer levels than scales.

    Examples:
        >>> import torch
        >>> levels = SimpleFPN(8, 4, num_outs=5)((torch.zeros(1, 8, 6, 8),))
        >>> [tuple(level.shape[2:]) for level in levels]
        [(24, 32), (12, 16), (6, 8), (3, 4), (2, 2)]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        scales: Sequence[float] = (4, 2, 1, 0.5),
        num_outs: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not set(scales) <= {4, 2, 1, 0.5}:
            raise ValueError(f'scales must be among 4, 2, 1 and 0.5, got {tuple(scales)}')
        self.num_outs = len(scales) if num_outs is None else num_outs
        if self.num_outs < len(scales):
            raise ValueError(f'num_outs={num_outs} is less than the {len(scales)} scales')
        self.levels = nn.ModuleList(_level(in_channels, out_channels, scale) for scale in scales)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Make the levels.

        Args:
            maps (tuple[Tensor, ...]): one map, (N, ``in_channels``, h, w).

        Returns:
            tuple[Tensor, ...]: ``num_outs`` levels, (N, ``out_channels``, scale h, scale w).

        Raises:
            ValueError: There are several maps.
        """
        if len(maps) != 1:
            raise ValueError(
                f'SimpleFPN takes one map, got {len(maps)}: set backbone.out_indices to the last '
                'one alone'
            )
        levels = [level(maps[0]) for level in self.levels]
        while len(levels) < self.num_outs:
            levels.append(F.max_pool2d(levels[-1], 1, stride=2))
        return tuple(levels)


def _level(in_channels: int, out_channels: int, scale: float) -> nn.Sequential:
    """Layers from the map to a level."""
    layers: list[nn.Module] = []
    channels = in_channels
    for _ in range((scale >= 2) + (scale >= 4)):
        if layers:
            layers += [ChannelNorm(channels, eps=1e-6), nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 2, stride=2))
        channels //= 2
    if scale == 0.5:
        layers.append(nn.MaxPool2d(2, stride=2))
    return nn.Sequential(
        *layers,
        nn.Conv2d(channels, out_channels, 1, bias=False),
        ChannelNorm(out_channels, eps=1e-6),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        ChannelNorm(out_channels, eps=1e-6),
    )

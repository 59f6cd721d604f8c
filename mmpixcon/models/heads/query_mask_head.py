"""The mask head of DETR: one binary mask for each object query."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_conv_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpixcon.registry import MODELS


class QueryAttentionMap(BaseModule):
    r"""Maps of where an object query looks, one a head.

    .. math::
        A_{qmc} = n\, \mathrm{softmax}_{(m, c)}
            \frac{(W_m^Q z_q) \cdot (W_m^K \mu_c)}{\sqrt{d}}

    for query :math:`z_q`, encoder output :math:`\mu_c` of cell c, head m of d
    channels. DETR ("End-to-End Object Detection with Transformers", section
    4.4 and figure 8): the softmax runs over cells and heads jointly, so that an
    object's heads share one unit of attention.

    DETR leaves out n, the number of cells without padding times that of heads.
    With it the mean of a query's maps is 1 at every size of image; without it
    they are some thousandths, beside features of about 1, and a short training
    gives all queries of an image the same mask.

    Args:
        channels (int): channels of queries and encoder output.
        num_heads (int): M, divides ``channels``.

    Raises:
        ValueError: ``num_heads`` does not divide ``channels``.
    """

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__(
            init_cfg=dict(type='Xavier', layer=['Linear', 'Conv2d'], distribution='uniform')
        )
        if num_heads < 1 or channels % num_heads:
            raise ValueError(
                f'model.mask_head.num_heads = {num_heads} must divide in_channels = {channels}'
            )
        self.num_heads = num_heads
        self.query = nn.Linear(channels, channels)
        self.key = build_conv_layer(None, channels, channels, 1)

    def forward(
        self, queries: Sequence[Tensor], memory: Tensor, padding: Tensor | None = None
    ) -> Tensor:
        """Compute the maps.

        Args:
            queries (Sequence[Tensor]): (Q_i, channels) of each of N images.
            memory (Tensor): (N, channels, h, w).
            padding (Tensor, optional): (N, h, w), True where a cell is padding
                and gets 0. Defaults to None.

        Returns:
            Tensor: (sum of Q_i, num_heads, h, w); each query's mean is 1 over
            heads and cells without padding.
        """
        keys = self.key(memory).unflatten(1, (self.num_heads, -1))
        maps = []
        for index, (query, key) in enumerate(zip(queries, keys)):
            query = self.query(query).unflatten(1, (self.num_heads, -1))
            query = query * query.shape[-1] ** -0.5
            scores = torch.einsum('qmd,mdhw->qmhw', query, key)
            cells = key[0, 0].numel()
            if padding is not None:
                scores = scores.masked_fill(padding[index], float('-inf'))
                cells = (~padding[index]).sum()
            maps.append(scores.flatten(1).softmax(1).view_as(scores) * (cells * self.num_heads))
        return torch.cat(maps)


@MODELS.register_module()
class QueryMaskHead(BaseModule):
    """Attention maps of object queries, made into masks.

    PixCon ("Augmenting Object Detection Supervised Training with Pixel-level
    Contrastive Learning", "Instance segmentation"): 5 blocks of convolution,
    group norm and ReLU with three FPN layers, one binary mask for each object,
    DICE/F-1 loss. That is the mask head of DETR (section 4.4). Blocks 1 and 2
    see the encoder's output beside the query's attention maps; each further
    block comes after a backbone map, brought to its channels by a 1 x 1
    convolution, is added to the enlarged result of the block before. Channels
    halve from block to block. Unlike DETR's code, which shows the head the
    projected backbone map, the encoder's output is used: it is what PixCon
    shapes.

    Args:
        in_channels (int): Channels of queries and of the encoder's output.
            Defaults to 256.
        fpn_channels (Sequence[int]): Channels of the backbone's maps, from
            coarse to fine. Defaults to (1024, 512, 256), a ResNet-50's.
        num_heads (int): Attention maps of a query. Defaults to 8.
        num_groups (int): Groups of the group norm, fewer where they would not
            divide the channels. Defaults to 8.
        max_queries_per_pass (int): Queries whose masks are made at once in
            :meth:`predict`; bounds the memory and changes no mask. Defaults
            to 32.
        loss_mask (dict, optional): Config of a loss of logits (K, H, W) and
            masks of the same shape. Defaults to DICE/F-1 as in DETR's appendix
            A.2, ``1 - (2 p.m + 1) / (sum p + sum m + 1)``.
        init_cfg (dict | list[dict], optional): Initialization. Defaults to
            DETR's.

    Raises:
        ValueError: A setting is out of range.
    """

    def __init__(
        self,
        in_channels: int = 256,
        fpn_channels: Sequence[int] = (1024, 512, 256),
        num_heads: int = 8,
        num_groups: int = 8,
        max_queries_per_pass: int = 32,
        loss_mask: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            init_cfg=init_cfg
            or dict(
                type='Kaiming',
                layer='Conv2d',
                a=1,
                mode='fan_in',
                nonlinearity='leaky_relu',
                distribution='uniform',
            )
        )
        if not fpn_channels or max_queries_per_pass < 1:
            raise ValueError(
                f'model.mask_head: fpn_channels = {fpn_channels} must name a map and '
                f'max_queries_per_pass = {max_queries_per_pass} be positive'
            )
        self.in_channels = in_channels
        self.fpn_channels = tuple(fpn_channels)
        self.max_queries_per_pass = max_queries_per_pass
        self.attention = QueryAttentionMap(in_channels, num_heads)
        first = in_channels + num_heads
        widths = [max(in_channels >> i, 1) for i in range(1, len(self.fpn_channels) + 2)]
        self.blocks = nn.ModuleList(
            ConvModule(
                before,
                after,
                3,
                padding=1,
                norm_cfg=dict(type='GN', num_groups=gcd(num_groups, after)),
            )
            for before, after in zip([first, first, *widths], [first, *widths])
        )
        self.adapters = nn.ModuleList(
            build_conv_layer(None, channels, width, 1)
            for channels, width in zip(self.fpn_channels, widths)
        )
        self.out = build_conv_layer(None, widths[-1], 1, 3, padding=1)
        self.loss_mask = MODELS.build(
            loss_mask or dict(type='mmdet.DiceLoss', naive_dice=True, eps=1.0)
        )

    def forward(
        self,
        queries: Sequence[Tensor],
        memory: Tensor,
        maps: Sequence[Tensor],
        padding: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute the masks' logits.

        Args:
            queries (Sequence[Tensor]): (Q_i, in_channels) of each of N images,
                at least one in all.
            memory (Tensor): Output of the encoder, (N, in_channels, h, w).
            maps (Sequence[Tensor]): (N, C, H, W) of the backbone, from coarse
                to fine, as many as ``fpn_channels``. They may be of any size.
            padding (Tensor, optional): (N, h, w), True where a cell of the
                memory is padding. Defaults to None.

        Returns:
            tuple[Tensor]: (Q_i, H, W) of each image, of the last map's size.
        """
        counts = [len(query) for query in queries]
        attention = self.attention(queries, memory, padding)
        blocks: list[Any]
        first, second, *blocks = cast(Any, self.blocks)
        # The memory's share of the first convolution is the same for all
        # queries of an image: a third of the head's work, done once.
        parts = first.conv.weight.split([memory.shape[1], attention.shape[1]], dim=1)
        shared, individual = (F.conv2d(x, w, padding=1) for x, w in zip((memory, attention), parts))
        x = second(first.activate(first.norm(_for_queries(shared, counts) + individual)))
        for adapter, feature, block in zip(self.adapters, maps, blocks):
            x = F.interpolate(x, feature.shape[2:], mode='nearest')
            x = block(x + _for_queries(adapter(feature), counts))
        return self.out(x).squeeze(1).split(counts)

    def loss(self, logits: Tensor, masks: Tensor, avg_factor: float) -> Tensor:
        """Loss of masks, at the resolution of the ground truth as in DETR.

        Args:
            logits (Tensor): (K, H, W), enlarged bilinearly.
            masks (Tensor): Ground truth (K, H', W') of 0 and 1.
            avg_factor (float): What the sum over objects is divided by.

        Returns:
            Tensor: Scalar, computed in float32.
        """
        # Half precision cannot count the pixels of an image.
        logits = _resize(logits.float(), masks.shape[1:])
        return self.loss_mask(logits, masks, avg_factor=avg_factor)

    @torch.no_grad()
    def predict(
        self,
        queries: Tensor,
        memory: Tensor,
        maps: Sequence[Tensor],
        padding: Tensor | None,
        input_shape: tuple[int, int],
        img_shape: tuple[int, int],
        out_shape: tuple[int, int],
    ) -> Tensor:
        """Masks of one image: where the probability is above 1/2.

        Args:
            queries (Tensor): (Q, in_channels).
            memory (Tensor): (1, in_channels, h, w).
            maps (Sequence[Tensor]): (1, C, H, W); see :meth:`forward`.
            padding (Tensor, optional): (1, h, w), True in the padding.
            input_shape (tuple[int]): Height and width of the padded input.
            img_shape (tuple[int]): height and width of the image in its upper left.
            out_shape (tuple[int]): height and width of the masks.

        Returns:
            Tensor: bool (Q, *out_shape).
        """
        height, width = img_shape
        masks = queries.new_zeros((len(queries), *out_shape), dtype=torch.bool)
        for part, mask in zip(
            queries.split(self.max_queries_per_pass), masks.split(self.max_queries_per_pass)
        ):
            if not len(part):
                break
            (logits,) = self([part], memory, maps, padding)
            logits = _resize(logits.float(), input_shape)[:, :height, :width]
            mask.copy_(_resize(logits, out_shape) > 0)
        return masks


def _for_queries(maps: Tensor, counts: Sequence[int]) -> Tensor:
    """Repeat each of N maps for the queries of its image, (sum of counts, C, h, w).

    Not by an index: its gradient would be summed in an order that depends on
    the threads, and a resumed run would not end where the uninterrupted does.
    """
    return torch.cat([part.expand(n, -1, -1, -1) for part, n in zip(maps.split(1), counts)])


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (K, H, W) maps bilinearly."""
    return F.interpolate(maps[:, None], tuple(size), mode='bilinear', align_corners=False)[:, 0]

"""The head of Siamese DETR: regions of one view are looked for in the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmselfsup.models.losses import CosineSimilarityLoss
from mmselfsup.models.necks import NonLinearNeck
from torch import Tensor

from mmpixcon.registry import MODELS

from ..losses.functional import spread
from .region_query_head import RegionQueryHead

TARGETS = ('crop', 'object')


@MODELS.register_module()
class SiameseDETRHead(RegionQueryHead):
    r"""Multi-view queries, and the two semantic losses of Siamese DETR.

    With z the features of regions in their view and c the encoder's output,
    equations (6), (11) and (12) of arXiv:2303.18144 are

    .. math::
        \hat q_2 &= \mathrm{MVCA}(c_2, \phi_q, z_1), \\
        L_g &= \tfrac12 \sum_{v \ne w} \|h(g(c_v)) - \mathrm{detach}(g(c_w))\|^2, \\
        L_r &= \tfrac12 [D(\hat p_2, p_1) + D(\hat p_1, p_2)]

    of unit vectors in L_g, where c is averaged over the image, level by level, g is a projector
    and h a predictor as the released code has them (of two and three layers, with
    biases; the paper's text has one MLP). Views are stacked, (2 N, ...), the first
    view of all images before the second, so that means over the batch are the halves.

    Args:
        in_channels (int): number of channels of region features, B.
        embed_dims (int): number of channels of queries, C.
        num_levels (int): Levels of the encoder's output that L_g reads, beside each other.
            Defaults to 1.
        multi_view (bool): Whether regions of a view are looked for in the other; else
            in their own, as UP-DETR does (table 3). Defaults to True.
        target (str): What L_r reconstructs: the feature of the 'crop' (p) or of the
            'object' in the view's map (z), "R-C" and "R-O" of table 3. Defaults to 'crop'.
        region_weight (float): Weight of L_r, 0 for none. Defaults to 3.0, the release's.
        global_weight (float): Weight of L_g, 0 for none. Defaults to 10.0, the
            release's on ImageNet.
        norm_cfg (dict, optional): norm of projector and predictor. Defaults to
            ``dict(type='SyncBN')``, which mmengine turns into batch norm in one process.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: ``target`` is unknown, or a weight negative.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        num_levels: int = 1,
        multi_view: bool = True,
        target: str = 'crop',
        region_weight: float = 3.0,
        global_weight: float = 10.0,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, embed_dims, region_weight, init_cfg)
        if target not in TARGETS:
            raise ValueError(f'model.head.target = {target!r}: choose one of {TARGETS}')
        if global_weight < 0:
            raise ValueError(f'model.head.global_weight = {global_weight} must not be negative')
        self.multi_view = multi_view
        self.target = target
        self.global_weight = global_weight
        if global_weight:
            self.loss_global = CosineSimilarityLoss(shift_factor=2.0, scale_factor=2.0)
            shared = dict(
                hid_channels=embed_dims,
                out_channels=embed_dims,
                with_bias=True,
                with_last_bias=True,
                with_avg_pool=False,
                norm_cfg=norm_cfg or dict(type='SyncBN'),
            )
            self.projector = NonLinearNeck(embed_dims * num_levels, num_layers=3, **shared)
            self.predictor = NonLinearNeck(embed_dims, num_layers=2, with_last_bn=False, **shared)

    @property
    def needs_crops(self) -> bool:
        """bool: Whether the data must have crops of the regions."""
        return self.loss_region is not None and self.target == 'crop'

    def swap_views(self, stacked: Tensor) -> Tensor:
        """Put what belongs to a view's regions where the other view is decoded.

        Args:
            stacked (Tensor): values of the regions of both views, (2 N, ...).

        Returns:
            Tensor: (2 N, ...): in the place of a view, the values of the regions that are looked
            for in it; unchanged without ``multi_view``.
        """
        return torch.cat(stacked.chunk(2)[::-1]) if self.multi_view else stacked

    def global_discrimination(self, context: Tensor) -> dict[str, Tensor]:
        """L_g.

        Args:
            context (Tensor): The encoder's output, averaged over each image, (2 N, L * C) of L
                levels.

        Returns:
            dict: ``loss_global``, weighted, and ``global_std``, the deviation of
            projections, 1 if they point everywhere, 0 if they collapsed; empty if the
            weight is 0.

        Raises:
            ValueError: There is one image: batch norm needs two.
        """
        if not self.global_weight:
            return {}
        if len(context) < 4 and self.training:
            raise ValueError(
                'L_g of SiameseDETRHead normalizes over the batch and needs two images a process: '
                'set train_dataloader.batch_size=2 at least, or model.head.global_weight=0'
            )
        # View by view, as each is a batch of its own to batch norm.
        projected = [self.projector((view,))[0] for view in context.chunk(2)]
        predicted = [self.predictor((view,))[0] for view in projected]
        pairs = zip(predicted, projected[::-1])
        loss = sum(self.loss_global(p, z.detach()) for p, z in pairs) / 2
        return dict(
            loss_global=self.global_weight * loss,
            global_std=spread(F.normalize(projected[0].detach(), dim=1)),
        )

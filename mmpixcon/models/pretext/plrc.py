"""PLRC: contrast of points of regions, with distillation of their affinities."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor

from mmpixcon.registry import MODELS, TASK_UTILS

from ..contrast import gather_counts, gather_rows
from ..geometry.point_samplers import PointPairs, read_points
from ..geometry.regions import ViewBatch, stack_meta
from ..losses.functional import spread
from .moco import IMAGE, MoCo
from .momentum_contrast import Vectors

NEGATIVES = ('image', 'batch', 'all')
# Names of the projected maps of the two views.
FIRST, SECOND = 'map/first', 'map/second'


@MODELS.register_module()
class PLRC(MoCo):
    r"""PLRC, "Point-Level Region Contrast for Object Detection Pre-Training".

    MoCo v2 on whole images (L_m), and on points of their maps contrast between
    regions (L_c) and distillation of affinities (L_a), equations (5) and (6):

    .. math::
        L = \beta (\alpha L_c + (1 - \alpha) L_a) + (1 - \beta) L_m

    The neck's MLP is applied to the pooled map for L_m, as MoCo v2 does, and to
    each cell of the map for the points, which is what 1 x 1 convolutions of the
    same weights do. Points are read from the map without upsampling it whole:
    the values are the same. L_c keeps its weight while L_a is off. Images
    whose views share no region are skipped; ``images_with_points`` tells how
    many are not.

    Args:
        backbone (dict): config of the backbone, as in :class:`MoCo`.
        neck (dict): mmselfsup's ``MoCoV2Neck``, with average pooling.
        sampler (dict, optional): ``RegionPoints``, ``PooledRegions`` or
            ``NearbyPoints``. Defaults to ``dict(type='mmpixcon.RegionPoints')``.
        point_loss (dict, optional): L_c. Defaults to
            ``dict(type='mmpixcon.PointRegionContrastLoss')``.
        affinity_loss (dict, optional): L_a. Defaults to
            ``dict(type='mmpixcon.PointAffinityLoss')``.
        alpha (float): Share of L_c, 0 to 1. Defaults to 0.5.
        beta (float): Share of the point losses, 0 to 1. Defaults to 0.7.
        warmup_epochs (int): Epochs at the start without L_a; they are counted
            by ``mmdet.SetEpochInfoHook``. Defaults to 30.
        negatives (str): What a point is contrasted with: points of its 'image',
            of the 'batch', or of the batches of 'all' processes. Defaults to
            'batch'.
        **kwargs: As :class:`MoCo`.

    Raises:
        ValueError: A setting is out of range, or two do not go together.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        sampler: dict | None = None,
        point_loss: dict | None = None,
        affinity_loss: dict | None = None,
        alpha: float = 0.5,
        beta: float = 0.7,
        warmup_epochs: int = 30,
        negatives: str = 'batch',
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, **kwargs)
        if not (0 <= alpha <= 1 and 0 <= beta <= 1):
            raise ValueError(f'model.alpha = {alpha} and model.beta = {beta} must be in [0, 1]')
        if negatives not in NEGATIVES:
            raise ValueError(f'model.negatives = {negatives!r}: choose one of {NEGATIVES}')
        if not (hasattr(self.neck, 'mlp') and getattr(self.neck, 'with_avg_pool', False)):
            raise ValueError(
                'model.neck: PLRC applies the mlp of a neck to pooled and to spatial features; '
                "give dict(type='MoCoV2Neck', with_avg_pool=True, ...)"
            )
        self.sampler = TASK_UTILS.build(sampler or dict(type='mmpixcon.RegionPoints'))
        self.point_loss = MODELS.build(point_loss or dict(type='mmpixcon.PointRegionContrastLoss'))
        self.affinity_loss = MODELS.build(affinity_loss or dict(type='mmpixcon.PointAffinityLoss'))
        if alpha < 1 and not (self.sampler.paired or self.affinity_loss.needs_first_view):
            raise ValueError(
                f'model.sampler = {type(self.sampler).__name__} draws unrelated points in the two '
                'views, whose affinities cannot be compared: set model.alpha=1, or '
                'model.affinity_loss.strategy=3'
            )
        self.alpha, self.beta = alpha, beta
        self.warmup_epochs = warmup_epochs
        self.negatives = negatives
        self.epoch: int | None = None

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch, from 0; called by ``mmdet.SetEpochInfoHook``."""
        self.epoch = epoch

    @property
    def distils(self) -> bool:
        """Return whether L_a counts in this epoch.

        Raises:
            ValueError: There is a warm-up, and nothing tells the epoch.
        """
        if self.alpha == 1 or self.beta == 0:
            return False
        if self.warmup_epochs > 0 and self.epoch is None:
            raise ValueError(
                f'model.warmup_epochs = {self.warmup_epochs}, but nothing tells the epoch: add '
                "dict(type='mmdet.SetEpochInfoHook') to custom_hooks, or set it to 0"
            )
        return self.warmup_epochs == 0 or (self.epoch or 0) >= self.warmup_epochs

    def encode_queries(self, inputs: list[Tensor]) -> Vectors:
        """Encode the first view: unit vectors, (N, C), and the projected map, (N, h, w, C)."""
        vectors, projected = _project(self.backbone(inputs[0]), self.neck)
        return {IMAGE: vectors, FIRST: projected}

    def key_views(self, inputs: list[Tensor]) -> list[Tensor]:
        """Choose the second view; where the distillation needs it, the first one too."""
        first_too = self.distils and self.affinity_loss.needs_first_view
        return inputs[1::-1] if first_too else inputs[1:2]

    @torch.no_grad()
    def encode_keys(self, *views: Tensor) -> Vectors:
        """Encode views by the momentum encoder.

        Args:
            *views (Tensor): the second view; for strategy 3 also the first.

        Returns:
            dict[str, Tensor]: unit vectors of the second view, (N, C), and the projected
            maps of all views, (N, h, w, C).
        """
        average: Any = self.momentum_encoder
        projected = [_project(average.backbone(view), average.neck) for view in views]
        maps = dict(zip((SECOND, FIRST), (cells for _, cells in projected)))
        return {IMAGE: projected[0][0], **maps}

    def contrast(
        self,
        queries: Vectors,
        keys: Vectors,
        inputs: list[Tensor],
        data_samples: list[SelfSupDataSample],
    ) -> dict[str, Tensor]:
        """Contrast whole images, and points of their maps.

        Args:
            queries (dict[str, Tensor]): what :meth:`encode_queries` gives.
            keys (dict[str, Tensor]): what :meth:`encode_keys` gives.
            inputs (list[Tensor]): two views, (N, 3, H, W) each.
            data_samples (list[SelfSupDataSample]): meta data with ``homography_matrix``, a
                (3, 3) matrix a view, and what the sampler needs.

        Returns:
            dict[str, Tensor]: ``loss_image``, ``loss_contrast`` and ``loss_affinity``, weighted,
            as far as their weights are not 0; ``teacher_self_weight`` of
            :class:`PointAffinityLoss`; ``feature_std`` and ``point_std``, deviations of
            queries and points, 1 if they point everywhere, 0 if they collapsed; and the
            sampler's statistics.

        Raises:
            ValueError: The pipeline gives no homographies or no regions.
        """
        image = super().contrast(queries, keys, inputs, data_samples)
        losses = dict(loss_image=(1 - self.beta) * image['loss'], feature_std=image['feature_std'])
        if self.beta > 0:
            maps = (queries[FIRST], keys[SECOND], *([keys[FIRST]] if FIRST in keys else []))
            losses |= self._contrast_points(maps, inputs, data_samples)
        return losses

    def _contrast_points(
        self, maps: tuple[Tensor, ...], inputs: list[Tensor], samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """Weighted L_c and L_a, and statistics.

        Args:
            maps (tuple[Tensor, ...]): (N, h, w, C): queries of the first view, keys of
                the second and, for strategy 3, keys of the first.
            inputs (list[Tensor]): inputs of :meth:`loss`.
            samples (list): samples of :meth:`loss`.
        """
        pairs = self._draw(maps, inputs, samples)
        points, keys = (read_points(cells, w) for cells, w in zip(maps, pairs.weights))
        pool, pool_valid, index = self._pool(keys, pairs.valid)
        losses: dict[str, Tensor] = {}
        log_z = None
        if self.distils:
            momentum = read_points(maps[2], pairs.weights[0]) if len(maps) > 2 else keys
            terms = self.affinity_loss.terms(points, momentum, pool, pool_valid, index)
            if self.affinity_loss.log_z_temperature == self.point_loss.temperature:
                # As in the paper: L_c has the same denominators.
                log_z = terms.log_z
            valid = pairs.valid[:, None].expand(points.shape[:2])
            losses |= self.affinity_loss(points, momentum, valid, pool, pool_valid, index, terms)
            losses['loss_affinity'] = self.beta * (1 - self.alpha) * losses['loss_affinity']
        if self.alpha > 0:
            contrast = self.point_loss(points, keys, pairs.positive, pool, pool_valid, log_z)
            losses['loss_contrast'] = self.beta * self.alpha * contrast
        return losses | dict(point_std=spread(points.detach().flatten(0, 1)), **pairs.stats)

    @torch.no_grad()
    def _draw(
        self, maps: tuple[Tensor, ...], inputs: list[Tensor], samples: list[SelfSupDataSample]
    ) -> PointPairs:
        """Draw what to read from the maps of the two views."""
        remedy = 'the views of train_dataloader.dataset.pipeline must come from ContrastViews'
        homographies = stack_meta(samples, 'homography_matrix', remedy)
        img_shapes = stack_meta(samples, 'img_shape', remedy)
        first, second = (
            ViewBatch.from_homographies(
                homographies[:, i],
                (maps[i].shape[1], maps[i].shape[2]),
                (inputs[i].shape[2], inputs[i].shape[3]),
                img_shapes[:, i, :2],
                inputs[i].device,
            )
            for i in (0, 1)
        )
        return self.sampler((first, second), samples)

    @torch.no_grad()
    def _pool(self, keys: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pool the keys of the denominators.

        Args:
            keys (Tensor): Points of the second view, (N, m, C).
            valid (Tensor): (N,) bool, whether an image has points.

        Returns:
            tuple[Tensor, Tensor, Tensor]: keys, (N or 1, M, C); whether they are some,
            (N or 1, M) bool; and where in its pool each point of ``keys`` stands,
            (N, m) int64.
        """
        batch, num_keys = keys.shape[:2]
        are_keys = valid[:, None].expand(batch, num_keys)
        if self.negatives == 'image':
            index = torch.arange(num_keys, device=keys.device).expand(batch, num_keys)
            return keys, are_keys, index
        keys, are_keys = keys.flatten(0, 1), are_keys.flatten()
        start = 0
        if self.negatives == 'all':
            counts = gather_counts(len(keys), keys.device)
            # Not bool, which not every backend gathers.
            are_keys = gather_rows(are_keys.to(torch.uint8), counts)[0].bool()
            keys, rows = gather_rows(keys, counts)
            start = rows.start
        index = torch.arange(start, start + batch * num_keys, device=keys.device)
        return keys[None], are_keys[None], index.view(batch, num_keys)


def _project(maps: tuple[Tensor, ...], neck: Any) -> tuple[Tensor, Tensor]:
    """Unit vectors of the pooled last map, (N, C), and the projected map, (N, h, w, C)."""
    last = maps[-1]
    return F.normalize(neck((last,))[0], dim=1), neck.mlp(last.permute(0, 2, 3, 1))

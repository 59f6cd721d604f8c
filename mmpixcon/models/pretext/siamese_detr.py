"""Siamese DETR: the transformer finds regions of one view in another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.structures import SampleList
from torch import Tensor

from mmpixcon.registry import MODELS

from ..heads.siamese_detr_head import SiameseDETRHead
from ..layers import conditioned_queries
from .region_pretext import RegionPretext
from .regions import check_num_regions, mean_regions

VIEWS = ('view1', 'view2')


@MODELS.register_module()
class SiameseDETR(RegionPretext):
    r"""Siamese DETR (arXiv:2303.18144) over a stock detection transformer.

    Of two views of an image that share a part, with the same regions in it, the object
    queries of one view get the features of regions in the other, and find them
    (multi-view cross-attention, equations (6) and (7)). Equation (13):

    .. math::
        L = \lambda_0 L_r + \lambda_1 L_g + \lambda_2 L_{loc}

    L_loc and the class loss are those of the detector's head, with its weights
    (``detector.bbox_head.loss_bbox``, ``.loss_iou``, ``.loss_cls``), averaged over the
    views; L_r and L_g are the :class:`SiameseDETRHead`'s.

    Args:
        detector (dict): config of the stock detector, as in :class:`RegionPretext`.
        head (dict, optional): Config of the head; its channels are filled in. Defaults
            to ``dict(type='mmpixcon.SiameseDETRHead')``.
        num_regions (int): Regions of an image, n; a divisor of the detector's
            queries. Defaults to 10.
        box_jitter (float): largest move of an edge of a region, in its width or height, before its
            feature is read. Defaults to 0.1.
        shuffle (bool): Whether the queries of a region are drawn for each batch, rather than
            neighbors. The first region is always what the views share: neighbors learn
            that without a look at its features. Defaults to False, as the release.
        match_own_region (bool): Whether a query may only be matched to the region whose
            feature it got. In the paper and its release any query is matched to any
            region; then boxes are learned long before features are used, if they are at
            all. Defaults to False, as the release.
        frozen_backbone (bool): Defaults to True.
        no_object_weight (float, optional): Defaults to 0.1.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: ``num_regions`` does not divide the queries, or ``box_jitter`` is out
            of range; see also :class:`RegionPretext`.
    """

    own_prefix = 'siamese_detr.'

    head: SiameseDETRHead

    def __init__(
        self,
        detector: dict,
        head: dict | None = None,
        num_regions: int = 10,
        box_jitter: float = 0.1,
        shuffle: bool = False,
        match_own_region: bool = False,
        frozen_backbone: bool = True,
        no_object_weight: float | None = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, frozen_backbone, no_object_weight, init_cfg)
        check_num_regions(self.detector, num_regions)
        if not 0 <= box_jitter < 0.5:
            raise ValueError(f'model.box_jitter = {box_jitter} must be in [0, 0.5)')
        self.num_regions = num_regions
        self.box_jitter = box_jitter
        self.shuffle = shuffle
        self.match_own_region = match_own_region
        # The neck may add levels of its own, which L_g leaves out as the release does.
        self.head = self.build_head(
            head or dict(type='mmpixcon.SiameseDETRHead'), num_levels=len(self.map_channels)
        )

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: dict[str, SampleList]
    ) -> dict[str, Tensor]:
        """Look for the regions of each view in the other.

        Args:
            batch_inputs (dict): ``view1`` and ``view2``, (N, 3, H, W) each.
            batch_data_samples (dict): N samples of each, with the same n regions as
                ``gt_instances`` and, unless the head does without, their ``crops``.

        Returns:
            dict: The detector's losses, ``loss_region`` of each decoder layer,
            ``loss_global``, ``global_std``, and ``own_region_share``, see
            :meth:`detection_losses`.

        Raises:
            ValueError: The data has no two views of a size, or another number of regions.
        """
        images, samples = self.flatten_views(batch_inputs, batch_data_samples)
        maps = self.backbone_maps(images)
        objects = self._jittered_features(maps, samples)
        targets = self.crop_features(samples) if self.head.needs_crops else objects.flatten(0, 1)
        head_inputs, encoded, regions = self._decode(maps, samples, objects)
        losses, states, matching = self.detection_losses(head_inputs, samples, regions)
        targets = self.head.swap_views(targets)
        losses |= self.head.reconstruction(states, matching, targets, mean_regions(samples))
        context = level_means(**encoded, num_levels=len(self.map_channels))
        return losses | self.head.global_discrimination(context)

    def losses_of_other_features(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: dict[str, SampleList]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Detection losses with the features of the regions, and with those of their neighbors.

        Where queries use the features, the second are higher.

        Args:
            batch_inputs: as :meth:`loss` takes them.
            batch_data_samples: as :meth:`loss` takes them.

        Returns:
            tuple[dict, dict]: losses of both.
        """
        images, samples = self.flatten_views(batch_inputs, batch_data_samples)
        maps = self.backbone_maps(images)
        objects = self._jittered_features(maps, samples)
        return self._compare_features(
            objects, lambda z: self._decode(maps, samples, z)[::2], samples
        )

    def _decode(
        self, maps: tuple[Tensor, ...], samples: SampleList, objects: Tensor
    ) -> tuple[dict, dict, Tensor]:
        """Run the transformer with the features of regions, (2 N, n, B), at the other view.

        Returns:
            tuple[dict, dict, Tensor]: What :meth:`decode` gives, and the region of each
            query, (Q, ).
        """
        added = self.head.swap_views(self.head.queries(objects, self.detector.num_queries))
        queries, regions = self.share_out(added)
        with conditioned_queries(self.detector, queries):
            return *self.decode(maps, samples), regions

    def _jittered_features(self, maps: tuple[Tensor, ...], samples: SampleList) -> Tensor:
        """Features of the regions, whose edges are moved at random, (2 N, n, B)."""
        boxes = torch.stack([sample.gt_instances.bboxes for sample in samples])
        shapes = [sample.img_shape[:2] for sample in samples]
        limits = torch.tensor([[w, h, w, h] for h, w in shapes], dtype=boxes.dtype)
        limits = limits.to(boxes.device, non_blocking=True)
        jittered = jitter_boxes(boxes, limits[:, None], self.box_jitter)
        return self.object_features(maps, jittered.unbind())

    def flatten_views(
        self, inputs: dict[str, Tensor], samples: dict[str, SampleList]
    ) -> tuple[Tensor, SampleList]:
        """Put the second views after the first ones.

        Returns:
            tuple[Tensor, SampleList]: (2 N, 3, H, W), and 2 N samples.

        Raises:
            ValueError: The data has no two views of a size, or another number of regions.
        """
        if not isinstance(inputs, dict) or set(inputs) != set(VIEWS):
            raise ValueError(
                'SiameseDETR takes two views: put IoUConstrainedViews, SharedProposals and '
                'PackRegions in the train_pipeline'
            )
        if inputs[VIEWS[0]].shape != inputs[VIEWS[1]].shape:
            raise ValueError(
                'SiameseDETR: the views of a batch have the sizes '
                f'{[tuple(view.shape) for view in inputs.values()]}; they must be the same, as '
                'IoUConstrainedViews makes them'
            )
        stacked = [sample for view in VIEWS for sample in samples[view]]
        self.check_regions(stacked, self.num_regions)
        return torch.cat([inputs[view] for view in VIEWS]), stacked


def jitter_boxes(boxes: Tensor, limits: Tensor, ratio: float) -> Tensor:
    """Move each edge at random, as the released code does.

    Args:
        boxes (Tensor): (..., 4), x1, y1, x2, y2 in pixels.
        limits (Tensor): (..., 4), width, height, width, height of their image; they stay inside.
        ratio (float): r: edges move by ``(2 sigmoid(e) - 1) r`` sides, e standard normal.

    Returns:
        Tensor: (..., 4).
    """
    sides = boxes[..., 2:] - boxes[..., :2]
    sides = torch.cat([sides, sides], dim=-1)
    moved = boxes + (2 * torch.randn_like(boxes).sigmoid() - 1) * ratio * sides
    return moved.clamp(min=0).minimum(limits)


def level_means(
    memory: Tensor, padding: Tensor | None, level_cells: Sequence[int], num_levels: int
) -> Tensor:
    """Mean of each level over the cells that are not padding.

    Args:
        memory (Tensor): (N, cells, C), level after level.
        padding (Tensor, optional): (N, cells), True on padding.
        level_cells (Sequence[int]): cells of each level.
        num_levels (int): L, how many levels are read, from the first.

    Returns:
        Tensor: (N, L * C); of a level that is all padding, zeros.
    """
    if padding is None:
        padding = memory.new_zeros(memory.shape[:2], dtype=torch.bool)
    inside = (~padding.bool()).to(memory.dtype)[..., None]
    levels = zip((memory * inside).split(list(level_cells), 1), inside.split(list(level_cells), 1))
    means = [cells.sum(1) / count.sum(1).clamp(min=1) for cells, count in levels]
    return torch.cat(means[:num_levels], dim=1)

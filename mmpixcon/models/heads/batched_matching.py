"""DETR's heads with one matching and one loss for all layers and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.models.dense_heads import DETRHead
from mmdet.models.losses import QualityFocalLoss
from mmdet.models.task_modules.assigners import HungarianAssigner
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps, bbox_xyxy_to_cxcywh
from mmdet.utils import reduce_mean
from mmengine.dist import get_world_size
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..task_modules.batched_costs import Truth, batched_costs
from ..task_modules.finite_assigner import FiniteHungarianAssigner

# What mmdet adds to a divisor.
EPS = torch.finfo(torch.float32).eps


class Matching(NamedTuple):
    """Match queries of each of L layers to S boxes in N images.

    Each layer has as many pairs, P, image after image.

    Attributes:
        query (Tensor): (L, P), index among the Q queries of an image.
        box (Tensor): (L, P), index among the boxes of an image.
        prediction (Tensor): (L, P), index among the L x N x Q predictions.
        target (Tensor): (L, P), index among the S boxes.
    """

    query: Tensor
    box: Tensor
    prediction: Tensor
    target: Tensor


class BatchedMatching(DETRHead):
    """Losses of mmdet's DETR heads, with all layers and images in one piece.

    mmdet matches each image of each layer by itself, and waits for the device each time. Here
    one batch of costs goes to the CPU in one copy, SciPy solves one matrix after another there,
    and the losses of all layers are formed at once. Costs, matching, losses and gradients are
    the same; mmdet's own losses form them.

    Stands after a head of mmdet among the bases, so that what the head does with the result of
    ``DETRHead.loss_by_feat`` stays:

    .. code-block:: python

        class BatchedDINOHead(DINOHead, BatchedMatching): ...

    The head's losses must know ``reduction_override='none'``, as all of mmdet do. An assigner
    other than :class:`mmdet.HungarianAssigner` goes mmdet's way.
    """

    #: (Q, ) int64: the box of an image that a query may be matched to, in all layers. None while
    #: any query may be matched to any box; see :meth:`matched_only_to`.
    box_of_query: Tensor | None = None

    @property
    def _can_batch(self) -> bool:
        return type(self.assigner) in (HungarianAssigner, FiniteHungarianAssigner)

    def loss_by_feat(
        self,
        all_layers_cls_scores: Tensor,
        all_layers_bbox_preds: Tensor,
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict],
        batch_gt_instances_ignore: None = None,
    ) -> dict[str, Tensor]:
        """Losses of all layers.

        Args:
            all_layers_cls_scores (Tensor): logits, (L, N, Q, classes).
            all_layers_bbox_preds (Tensor): (L, N, Q, 4), cx, cy, w, h in 0..1.
            batch_gt_instances (Sequence[InstanceData]): boxes and labels of each image.
            batch_img_metas (Sequence[dict]): ``img_shape`` of each image.
            batch_gt_instances_ignore (None): not supported, as in mmdet.

        Returns:
            dict[str, Tensor]: ``loss_cls``, ``loss_bbox``, ``loss_iou`` of the last layer,
            ``d0.loss_cls`` and so on of the others.
        """
        arguments = (
            all_layers_cls_scores,
            all_layers_bbox_preds,
            batch_gt_instances,
            batch_img_metas,
        )
        if not self._can_batch or batch_gt_instances_ignore is not None:
            return super().loss_by_feat(*arguments, batch_gt_instances_ignore)
        return losses_by_layer(self._losses(*arguments, self.box_of_query))

    @contextmanager
    def matched_only_to(self, box_of_query: Tensor | None) -> Iterator[None]:
        """Let each query be matched to one box at most; not the encoder's proposals.

        Args:
            box_of_query (Tensor, optional): (Q, ) int64, index of that box in each image. Each
                box must have a query. Defaults to None, any.

        Yields:
            None: While it holds.
        """
        self.box_of_query = box_of_query
        try:
            yield
        finally:
            del self.box_of_query

    def loss_by_feat_single(
        self,
        cls_scores: Tensor,
        bbox_preds: Tensor,
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of one layer, or of the encoder's proposals, (N, Q, classes) and (N, Q, 4)."""
        if not self._can_batch:
            return super().loss_by_feat_single(
                cls_scores, bbox_preds, batch_gt_instances, batch_img_metas
            )
        losses = self._losses(
            cls_scores[None], bbox_preds[None], batch_gt_instances, batch_img_metas
        )
        return losses['loss_cls'][0], losses['loss_bbox'][0], losses['loss_iou'][0]

    @torch.no_grad()
    def match(
        self,
        scores: Tensor,
        boxes: Tensor,
        truth: Truth,
        instances: Sequence[InstanceData],
        metas: Sequence[dict],
        box_of_query: Tensor | None = None,
    ) -> Matching:
        """Match the queries of all layers and images; one wait for the device.

        Args:
            scores (Tensor): logits, (L, N, Q, classes).
            boxes (Tensor): (L, N, Q, 4), cx, cy, w, h in 0..1.
            truth (Truth): boxes of the batch.
            instances (Sequence[InstanceData]): the same, image by image.
            metas (Sequence[dict]): meta data of the images.
            box_of_query (Tensor, optional): (Q, ) int64, the only box that a query may be
                matched to. Defaults to None, any.

        Returns:
            Matching: on the device of the boxes.

        Raises:
            NonFiniteError: a cost is not finite; see :class:`FiniteHungarianAssigner`.
        """
        layers, images, queries = scores.shape[:3]
        pairs = sum(min(count, queries) for count in truth.counts)
        index = np.zeros((4, layers, pairs), dtype=np.int64)
        if pairs:
            costs = batched_costs(self.assigner.match_costs, scores, boxes, truth, instances, metas)
            if box_of_query is not None:
                boxes_of_image = torch.arange(costs.shape[3], device=costs.device)
                costs = costs.masked_fill(box_of_query[:, None] != boxes_of_image, torch.inf)
            # SciPy computes in float64 whatever it gets; NumPy has no bfloat16.
            costs = costs.cpu()
            matrices = (costs.float() if costs.dtype == torch.bfloat16 else costs).numpy()
            for layer in range(layers):
                start = first = 0
                for image, count in enumerate(truth.counts):
                    if not count:
                        continue
                    try:
                        query, box = linear_sum_assignment(matrices[layer, image, :, :count])
                    except ValueError:
                        self._explain(scores[layer, image], boxes[layer, image], instances[image],
                                      metas[image])  # fmt: skip
                        raise
                    place = slice(start, start + len(query))
                    row = (layer * images + image) * queries
                    index[:, layer, place] = query, box, row + query, first + box
                    start, first = start + len(query), first + count
        return Matching(*torch.from_numpy(index).to(scores.device, non_blocking=True).unbind())

    def _explain(self, scores: Tensor, boxes: Tensor, instances: InstanceData, meta: dict) -> None:
        """Let the assigner say what is wrong with a matching."""
        height, width = meta['img_shape'][:2]
        pixels = bbox_cxcywh_to_xyxy(boxes) * boxes.new_tensor([width, height, width, height])
        self.assigner.assign(InstanceData(scores=scores, bboxes=pixels), instances, meta)

    def _losses(
        self,
        scores: Tensor,
        boxes: Tensor,
        instances: Sequence[InstanceData],
        metas: Sequence[dict],
        box_of_query: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """``loss_cls``, ``loss_bbox`` and ``loss_iou`` of each layer, (L, )."""
        truth = Truth.of_batch(instances, metas)
        matching = self.match(scores, boxes, truth, instances, metas, box_of_query)
        layers, pairs = matching.prediction.shape
        prediction, target = matching.prediction.flatten(), matching.target.flatten()
        sizes = truth.sizes[truth.image]
        true_boxes = bbox_xyxy_to_cxcywh(truth.boxes / sizes)[target]
        # The gradient of this is one operation, that of an index many.
        matched = boxes.reshape(-1, 4).index_select(0, prediction)

        logits = scores.reshape(-1, scores.shape[3])
        labels = target.new_full((len(logits),), self.num_classes)
        labels.index_copy_(0, prediction, truth.labels[target])
        targets: Any = labels
        if isinstance(self.loss_cls, QualityFocalLoss):
            quality = bbox_overlaps(
                bbox_cxcywh_to_xyxy(matched.detach()),
                bbox_cxcywh_to_xyxy(true_boxes),
                is_aligned=True,
            )
            scale = truth.boxes.new_zeros(len(logits))
            targets = labels, scale.index_copy_(0, prediction, quality.to(scale.dtype))
        loss_cls = self.loss_cls(logits, targets, reduction_override='none')
        queries = len(logits) // layers
        divisor: Any = pairs + (queries - pairs) * self.bg_cls_weight
        if self.sync_cls_avg_factor:
            divisor = mean_over_processes(divisor, scores.device)
        losses = dict(
            loss_cls=sum_of_layers(loss_cls, layers, truth.boxes) / (at_least_one(divisor) + EPS)
        )

        if not pairs:
            # A zero in the graph.
            zero = boxes.flatten(1).sum(1) * 0
            return losses | dict(loss_bbox=zero, loss_iou=zero)
        factors = sizes[target].to(boxes.dtype)
        loss_iou = self.loss_iou(
            bbox_cxcywh_to_xyxy(matched) * factors,
            bbox_cxcywh_to_xyxy(true_boxes) * factors,
            reduction_override='none',
        )
        loss_bbox = self.loss_bbox(matched, true_boxes, reduction_override='none')
        divisor = at_least_one(mean_over_processes(pairs, boxes.device)) + EPS
        return losses | dict(
            loss_bbox=sum_of_layers(loss_bbox, layers, truth.boxes) / divisor,
            loss_iou=sum_of_layers(loss_iou, layers, truth.boxes) / divisor,
        )


def sum_of_layers(loss: Tensor, layers: int, boxes: Tensor) -> Tensor:
    """Sum a loss over all but its layers.

    Args:
        loss (Tensor): of each prediction, (layers * n, ...).
        layers (int): L.
        boxes (Tensor): whose precision the sum has at least, as mmdet's weights have it.

    Returns:
        Tensor: (L, ).
    """
    dtype = torch.promote_types(loss.dtype, boxes.dtype)
    return loss.reshape(layers, -1).sum(1, dtype=dtype)


def losses_by_layer(losses: dict[str, Tensor], prefix: str = '') -> dict[str, Tensor]:
    """Name losses of each layer, (L, ) each, as mmdet does.

    Args:
        losses (dict[str, Tensor]): losses of L layers by name.
        prefix (str): what stands before a name. Defaults to ''.

    Returns:
        dict[str, Tensor]: scalars: of the last layer under its name, of the others under
        ``d0.`` and the name and so on.
    """
    by_layer = {f'{prefix}{name}': values.unbind() for name, values in losses.items()}
    named = {name: values[-1] for name, values in by_layer.items()}
    for layer in range(len(next(iter(by_layer.values()))) - 1):
        named |= {f'd{layer}.{name}': values[layer] for name, values in by_layer.items()}
    return named


def mean_over_processes(value: float, device: torch.device) -> float | Tensor:
    """Mean of a number over processes: in a single one, a number that no device has to know."""
    if get_world_size() == 1:
        return float(value)
    return reduce_mean(torch.full((), float(value), device=device))


def at_least_one(value: float | Tensor) -> float | Tensor:
    """The larger of a divisor and 1."""
    return value.clamp(min=1) if isinstance(value, Tensor) else max(value, 1.0)

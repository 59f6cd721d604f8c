"""Regions of a pretraining: their class, their number, and the queries that are matched to them."""

from __future__ import annotations

import copy

import torch
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures import SampleList
from mmengine.config import ConfigDict
from torch import Tensor

from ..heads.batched_matching import Matching, at_least_one, mean_over_processes


@torch.no_grad()
def own_region_share(matching: Matching, regions: Tensor) -> Tensor:
    """Share of matched queries that have found the region whose feature they got.

    Where any query may be matched to any region, the losses fall without a look at the features:
    this tells whether they are used. Chance is 1 / n of n regions.

    Args:
        matching (Matching): of any query to any region; of all layers, the last one counts.
        regions (Tensor): (Q, ), index of the region whose feature a query got. Patterns, which
            repeat the queries, are taken into account.

    Returns:
        Tensor: scalar; 0 without a match.
    """
    query, region = matching.query[-1], matching.box[-1]
    return (regions[query % len(regions)] == region).sum() / max(len(query), 1)


def check_num_regions(detector: DetectionTransformer, num_regions: int) -> None:
    """Check that each region gets as many object queries.

    Raises:
        ValueError: The regions do not divide the queries.
    """
    if num_regions < 1 or detector.num_queries % num_regions:
        raise ValueError(
            f'model.num_regions = {num_regions} must be a divisor of model.detector.num_queries = '
            f'{detector.num_queries}: each region has the same number of queries'
        )


def one_class(detector: dict, softmax: bool) -> ConfigDict:
    """The config of a detector of regions.

    Args:
        detector (dict): config of a stock detector; not changed.
        softmax (bool): Whether one-stage detectors get a softmax in the place of
            sigmoids, in the loss and in the matching.

    Returns:
        ConfigDict: With one class.
    """
    detector = ConfigDict(copy.deepcopy(detector))
    head = detector.get('bbox_head')
    if not head:
        return detector
    head.num_classes = 1
    stock = head.get('loss_cls')
    if softmax and stock and stock.get('use_sigmoid') and not detector.get('as_two_stage'):
        # The weight of the paper's; that of focal losses is made for them.
        head.loss_cls = ConfigDict(
            type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0
        )
        costs = ((detector.get('train_cfg') or {}).get('assigner') or {}).get('match_costs', [])
        for cost in costs:
            if cost.type.endswith('FocalLossCost'):
                cost.clear()
                cost.update(type='mmdet.ClassificationCost', weight=1.0)
    return detector


def mean_regions(samples: SampleList) -> float | Tensor:
    """Regions of a batch, at least 1, mean over processes: what mmdet divides losses by."""
    count = sum(len(sample.gt_instances) for sample in samples)
    return at_least_one(mean_over_processes(count, samples[0].gt_instances.bboxes.device))

"""Precision of affinities: are points of the same object more alike than others?"""

from __future__ import annotations

import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from mmpixcon.models.geometry.point_samplers import read_points
from mmpixcon.models.geometry.regions import RegionBatch, ViewBatch, raw_centres

# Affinities that are alike to six digits are the same: they differ by rounding.
DIGITS = 1e6


def affinity_precision(features: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """Average precision of 'same object' by affinity, of each point.

    For each point of an object, all other points are ranked by their affinity
    to it (cosine similarity); those that share an object with it are to be
    found. Points of the same affinity count together, as in scikit-learn's
    ``average_precision_score``: features that are all alike score what chance does.

    Args:
        features (Tensor): Unit rows, (n, C).
        objects (Tensor): (O, n) bool, which points lie in which object.

    Returns:
        tuple[Tensor, Tensor]: Of the m points that share an object with another
        one: average precision, and the share of the others that do, which
        is what a random ranking scores on average with many points; (m, ) each.
    """
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    members = objects.to(features.dtype)
    same = (members.T @ members > 0) & ~itself
    anchors = same.any(1)
    same, others = same[anchors], ~itself[anchors]
    affinity = (features @ features.T)[anchors].mul_(DIGITS).round_()

    def at_least(among: Tensor) -> Tensor:
        """Count, for each point, how many of some points are at least as similar."""
        ordered = affinity.masked_fill(~among, -torch.inf).sort(dim=1)[0]
        return affinity.shape[1] - torch.searchsorted(ordered, affinity)

    # Only its own rank can be none of none.
    precision = (at_least(same) / at_least(others)).masked_fill(~same, 0)
    average = precision.sum(1) / same.sum(1)
    return average, same.sum(1) / others.sum(1)


def draw_points(groups: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw distinct cells of each group.

    Args:
        groups (Tensor): (G, cells) bool.
        count (int): points to draw from a group; all where it has fewer.
        generator (torch.Generator): Draws them.

    Returns:
        Tensor: (n, ) indices of cells; a cell of several groups may come again.
    """
    order = torch.rand(groups.shape, generator=generator).masked_fill_(~groups, -1)
    value, cells = order.topk(min(count, groups.shape[1]), dim=1)
    return cells[value >= 0]


def image_affinity_precision(
    feature_map: Tensor,
    input_shape: tuple[int, int],
    sample: DetDataSample,
    num_points: int = 16,
    resolution: int = 56,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Affinity precision of points of an image's objects and of its background.

    Points are cells of a ``resolution`` x ``resolution`` grid over the input, and
    read the map bilinearly. Objects are masks where there are some, else boxes.

    Args:
        feature_map (Tensor): (C, h, w), over the whole input.
        input_shape (tuple[int, int]): (H, W) in pixels, padding included.
        sample (DetDataSample): sample with ``gt_instances`` and ``img_shape``.
        num_points (int): points of each object, and of the background. Defaults to 16.
        resolution (int): Cells a side. Defaults to 56, as the paper of PLRC
            draws affinities of an image of 896.
        seed (int): The same draws the same points. Defaults to 0.

    Returns:
        tuple[Tensor, Tensor]: See :func:`affinity_precision`; empty without
        objects.
    """
    height, width = sample.img_shape[:2]
    map_shape = (feature_map.shape[1], feature_map.shape[2])
    view = ViewBatch.from_homographies(
        np.eye(3)[None], map_shape, input_shape, np.array([[height, width]])
    )
    centres = raw_centres([view], resolution)[0]
    on_image = ~centres[0].isnan().any(1)
    instances = sample.gt_instances.cpu()
    if 'masks' in instances:
        masks = instances.masks.to_ndarray()
        x, y = centres[0].nan_to_num(0).long().T.numpy()
        objects = torch.from_numpy(masks[:, y, x] > 0) & on_image
    else:
        sizes = torch.tensor([input_shape[::-1]])
        objects = RegionBatch(instances.bboxes.double()[None], None, sizes).members(centres)[0]
    background = on_image & ~objects.any(0)
    generator = torch.Generator().manual_seed(seed)
    cells = draw_points(torch.cat([objects, background[None]]), num_points, generator).unique()
    weights = view.upsampling(resolution, torch.float32)[cells].to(feature_map.device)
    features = read_points(feature_map.permute(1, 2, 0)[None], weights[None])[0]
    return affinity_precision(features, objects[:, cells].to(features.device))

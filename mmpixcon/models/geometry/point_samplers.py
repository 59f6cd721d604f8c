"""Samplers of what is contrasted: points of regions, pooled regions, or nearby points.

The samplers are the three families of figure 1 of PLRC. Each reads a feature map linearly, by
weights of its cells, and says which reads of the two views are positives; the losses are the same
for all. Nothing loops over images, regions or points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmpixcon.registry import TASK_UTILS

from ..precision import full_precision
from ..unit import unit_vectors
from .regions import RegionBatch, ViewBatch, raw_centres


@dataclass(frozen=True)
class PointPairs:
    """Places to read from the maps of two views, and which of them belong together.

    Attributes:
        weights (tuple[Tensor, Tensor]): (N, n, h * w) of each view, with which
            the n points are read from the map; bilinear or of an average.
        positive (Tensor): (N, n, n) bool, points of the first view by points of
            the second; all False in an image without points.
        valid (Tensor): (N, ) bool, whether an image has points.
        stats (dict[str, Tensor]): Scalars to log.
    """

    weights: tuple[Tensor, Tensor]
    positive: Tensor
    valid: Tensor
    stats: dict[str, Tensor]


@full_precision
def read_points(feature_map: Tensor, weights: Tensor) -> Tensor:
    """Unit vectors at points of a map.

    Args:
        feature_map (Tensor): (N, h, w, C).
        weights (Tensor): (N, n, h * w).

    Returns:
        Tensor: (N, n, C); of points with weights of 0, zeros.
    """
    weights = weights.to(feature_map.dtype)
    return unit_vectors(torch.bmm(weights, feature_map.flatten(1, 2)))


def draw_true(mask: Tensor, count: int) -> Tensor:
    """Draw places where a mask is True, uniformly and with repetition.

    Args:
        mask (Tensor): (..., n) bool.
        count (int): Places to draw from each row.

    Returns:
        Tensor: (..., count) indices; any where a row has no True.
    """
    # In float32 counts are exact to 2 ** 24 cells, and half the memory of the default.
    rank = mask.cumsum(-1, dtype=torch.float32)
    # Above 0, so that even in a row without a True a place comes out.
    uniform = rank.new_empty(*mask.shape[:-1], count).uniform_(2**-25, 1)
    # The first place whose rank is not below is a True: of the first, second, ...
    return torch.searchsorted(rank, uniform.mul_(rank[..., -1:]))


class PointSampler:
    """Base of the samplers.

    Args:
        resolution (int): R, cells a side that a view is divided into; a feature
            map is upsampled to them, bilinearly.
        **counts (int): numbers of regions or points.

    Raises:
        ValueError: One is below 1.
    """

    #: Whether read i of one view was drawn for the same region as read i of the other.
    paired = True

    def __init__(self, resolution: int, **counts: int) -> None:
        for name, value in dict(resolution=resolution, **counts).items():
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(
                    f'model.sampler.{name} = {value!r}: give a whole number of 1 or more'
                )
        self.resolution = resolution

    def __call__(
        self, views: tuple[ViewBatch, ViewBatch], samples: Sequence[BaseDataElement]
    ) -> PointPairs:
        """Draw what to read.

        Args:
            views (tuple[ViewBatch, ViewBatch]): The query's and the key's.
            samples (Sequence[BaseDataElement]): samples with the regions of the images.

        Returns:
            PointPairs: On the device of the views.
        """
        raise NotImplementedError


class RegionSampler(PointSampler):
    """Base of samplers that read from regions which are seen in both views.

    Args:
        resolution (int): R.
        num_regions (int): N, drawn for each image with repetition.
        **counts (int): Others.
    """

    def __init__(self, resolution: int, num_regions: int, **counts: int) -> None:
        super().__init__(resolution, num_regions=num_regions, **counts)
        self.num_regions = num_regions

    def draw_regions(
        self, views: tuple[ViewBatch, ViewBatch], samples: Sequence[BaseDataElement]
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Draw regions that have a cell in either view.

        Returns:
            tuple: The regions' indices a, (N, n); their cells in both views,
            (2, N, n, R * R) bool; whether an image has such a region, (N, );
            and statistics.
        """
        regions = RegionBatch.from_samples(samples)
        members = regions.members(raw_centres(views, self.resolution))
        shared = members.any(3).all(0)
        index = draw_true(shared, self.num_regions)
        # (2, N, n, cells): of the regions that were drawn.
        chosen = index[..., None].expand(2, -1, -1, members.shape[3])
        valid = shared.any(1)
        stats = dict(
            images_with_points=valid.mean(dtype=torch.float64),
            regions_in_both_views=shared.sum() / max(int(regions.exist.sum()), 1),
        )
        return index, members.gather(2, chosen), valid, stats


def _weights(
    views: tuple[ViewBatch, ViewBatch], cells: Tensor, resolution: int
) -> tuple[Tensor, Tensor]:
    """Weights with which cells, (2, N, n), read the maps of the two views, (N, n, h * w) each."""
    first, second = (view.upsampling(resolution, torch.float32) for view in views)
    return first[cells[0]], second[cells[1]]


def _same_region(index: Tensor, valid: Tensor) -> Tensor:
    """a_i = a_k for all pairs of an image that has regions, (N, n, n) bool."""
    return (index[:, :, None] == index[:, None, :]) & valid[:, None, None]


@TASK_UTILS.register_module()
class RegionPoints(RegionSampler):
    """Points of regions: PLRC, section 3.2.

    Regions drawn with repetition among those that have a cell in both views;
    points drawn with repetition among a region's cells, in each view by
    itself. Points are positives where their regions are the same, whether it
    was drawn once or more often.

    Args:
        resolution (int): R. Defaults to 64.
        num_regions (int): N, masks of an image. Defaults to 16.
        num_points (int): P, points of a mask and view. Defaults to 16.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, resolution: int = 64, num_regions: int = 16, num_points: int = 16) -> None:
        super().__init__(resolution, num_regions, num_points=num_points)
        self.num_points = num_points

    def __call__(
        self, views: tuple[ViewBatch, ViewBatch], samples: Sequence[BaseDataElement]
    ) -> PointPairs:
        """See :class:`PointSampler`."""
        index, members, valid, stats = self.draw_regions(views, samples)
        cells = draw_true(members, self.num_points).flatten(2)
        return PointPairs(
            weights=_weights(views, cells, self.resolution),
            positive=_same_region(index.repeat_interleave(self.num_points, 1), valid),
            valid=valid,
            stats=stats,
        )


@TASK_UTILS.register_module()
class PooledRegions(RegionSampler):
    """Regions pooled into one vector each: the region-level baseline of PLRC.

    The mean of the upsampled map over a region's cells. As DetCon's, with which
    the paper compares itself.

    Args:
        resolution (int): R. Defaults to 64.
        num_regions (int): N, masks of an image. Defaults to 16.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, resolution: int = 64, num_regions: int = 16) -> None:
        super().__init__(resolution, num_regions)

    def __call__(
        self, views: tuple[ViewBatch, ViewBatch], samples: Sequence[BaseDataElement]
    ) -> PointPairs:
        """See :class:`PointSampler`."""
        index, members, valid, stats = self.draw_regions(views, samples)
        first, second = (
            (member / member.sum(2, keepdim=True).clamp(min=1))
            @ view.upsampling(self.resolution, torch.float32)
            for member, view in zip(members, views, strict=True)
        )
        return PointPairs((first, second), _same_region(index, valid), valid, stats)


@TASK_UTILS.register_module()
class NearbyPoints(PointSampler):
    """Points anywhere, positives by distance: point-level contrast alone, as PixPro's.

    Points are positives where their distance in the raw image is below
    ``ratio`` of the diagonal of a cell of the feature map, the larger of the two
    views ("Propagate Yourself", section 3.1). Needs no regions.

    Args:
        resolution (int): R. Defaults to 64.
        num_points (int): points of each view, drawn with repetition. Defaults to 256.
        ratio (float): In cell diagonals. Defaults to 0.7.

    Raises:
        ValueError: A number is below 1, or ``ratio`` not positive.
    """

    paired = False

    def __init__(self, resolution: int = 64, num_points: int = 256, ratio: float = 0.7) -> None:
        super().__init__(resolution, num_points=num_points)
        if not ratio > 0:
            raise ValueError(f'model.sampler.ratio = {ratio!r}: give a positive number')
        self.num_points, self.ratio = num_points, ratio

    def __call__(
        self, views: tuple[ViewBatch, ViewBatch], samples: Sequence[BaseDataElement]
    ) -> PointPairs:
        """See :class:`PointSampler`."""
        shape = (2, len(views[0].to_raw), self.num_points)
        cells = torch.randint(self.resolution**2, shape, device=views[0].device)
        centres = raw_centres(views, self.resolution)
        points = centres.gather(2, cells[..., None].expand(-1, -1, -1, 2))
        diagonal = torch.maximum(views[0].cell_diagonal(), views[1].cell_diagonal())
        limit = (self.ratio * diagonal).to(points.device, non_blocking=True)
        distance = torch.cdist(points[0], points[1], compute_mode='donot_use_mm_for_euclid_dist')
        positive = distance < limit[:, None, None]
        valid = positive.any(2).any(1)
        stats = dict(
            images_with_points=valid.mean(dtype=torch.float64),
            positives_of_a_point=positive.sum(2).mean(dtype=torch.float64),
        )
        return PointPairs(_weights(views, cells, self.resolution), positive, valid, stats)

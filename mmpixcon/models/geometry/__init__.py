"""Correspondence of the cells of two views: the one place that knows (contract 1)."""

from .correspondence import ViewGrid, transform_points
from .pixel_pairs import PairBatch, PixelPairs, PositiveBlock
from .point_samplers import NearbyPoints, PooledRegions, RegionPoints

__all__ = [
    'NearbyPoints',
    'PairBatch',
    'PixelPairs',
    'PooledRegions',
    'PositiveBlock',
    'RegionPoints',
    'ViewGrid',
    'transform_points',
]

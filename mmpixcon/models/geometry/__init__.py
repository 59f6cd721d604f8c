"""Which cell of one view lies where in another: the one place that knows (contract 1)."""

from .correspondence import PixelPairs, PositiveBlock, ViewGrid, transform_points
from .point_samplers import NearbyPoints, PooledRegions, RegionPoints

__all__ = [
    'NearbyPoints',
    'PixelPairs',
    'PooledRegions',
    'PositiveBlock',
    'RegionPoints',
    'ViewGrid',
    'transform_points',
]

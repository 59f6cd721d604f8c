"""What every method shares: correspondence, momentum encoder, memory bank, gathering."""

from .correspondence import PixelPairs, PositiveBlock, ViewGrid, transform_points
from .gather import gather_rows, gather_with_gradient
from .memory_bank import MemoryBank
from .momentum_encoder import MomentumEncoder
from .point_samplers import NearbyPoints, PooledRegions, RegionPoints
from .shuffle import ShuffledKeys
from .statistics import spread

__all__ = [
    'MemoryBank',
    'MomentumEncoder',
    'NearbyPoints',
    'PixelPairs',
    'PooledRegions',
    'PositiveBlock',
    'RegionPoints',
    'ShuffledKeys',
    'ViewGrid',
    'gather_rows',
    'gather_with_gradient',
    'spread',
    'transform_points',
]

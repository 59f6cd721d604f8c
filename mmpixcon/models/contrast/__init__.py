"""What every method shares: correspondence, momentum encoder, memory bank, gathering."""

from .correspondence import PixelPairs, PositiveBlock, ViewGrid, transform_points
from .gather import gather_rows, gather_with_gradient
from .memory_bank import MemoryBank
from .momentum_encoder import MomentumEncoder
from .shuffle import ShuffledKeys

__all__ = [
    'MemoryBank',
    'MomentumEncoder',
    'PixelPairs',
    'PositiveBlock',
    'ShuffledKeys',
    'ViewGrid',
    'gather_rows',
    'gather_with_gradient',
    'transform_points',
]

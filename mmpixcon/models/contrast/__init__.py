"""What every method shares: correspondence, momentum encoder."""

from .correspondence import PixelPairs, PositiveBlock, ViewGrid, transform_points
from .momentum_encoder import MomentumEncoder

__all__ = ['MomentumEncoder', 'PixelPairs', 'PositiveBlock', 'ViewGrid', 'transform_points']

"""What every method shares: correspondence, momentum encoder."""

from .correspondence import PixelPairs, PositiveBlock, ViewGrid, transform_points

__all__ = ['PixelPairs', 'PositiveBlock', 'ViewGrid', 'transform_points']

"""Necks."""

from .pixel_projection import PixelProjection
from .simple_fpn import SimpleFPN

__all__ = ['PixelProjection', 'SimpleFPN']

"""Necks."""

from .pixel_projection import PixelProjection

__all__ = ['PixelProjection']

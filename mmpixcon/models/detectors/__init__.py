"""The pixel-contrast wrapper."""

from .pixel_contrast import PixelContrastDetector

__all__ = ['PixelContrastDetector']

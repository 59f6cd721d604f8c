"""Detectors, and what wraps stock ones."""

from .frozen import FrozenDetector
from .pixel_contrast import PixelContrastDetector

__all__ = ['FrozenDetector', 'PixelContrastDetector']

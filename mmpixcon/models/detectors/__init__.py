"""Detectors, and what wraps stock ones."""

from .dn_deformable_detr import DNDeformableDETR
from .dn_detr import DNDETR
from .frozen import FrozenDetector
from .pixel_contrast import PixelContrastDetector

__all__ = ['DNDETR', 'DNDeformableDETR', 'FrozenDetector', 'PixelContrastDetector']

"""Detectors, and what wraps stock ones."""

from .dn_deformable_detr import DNDeformableDETR
from .dn_deformable_encoder_detr import DNDeformableEncoderDETR
from .dn_detr import DNDETR
from .frozen import FrozenDetector
from .pixel_contrast import PixelContrastDetector
from .query_segmentor import QuerySegmentor

__all__ = [
    'DNDETR',
    'DNDeformableDETR',
    'DNDeformableEncoderDETR',
    'FrozenDetector',
    'PixelContrastDetector',
    'QuerySegmentor',
]

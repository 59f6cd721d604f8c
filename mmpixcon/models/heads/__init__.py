"""Projection, pretext and detection heads."""

from .dn_heads import DNDeformableDETRHead, DNDETRHead
from .multi_level_contrast_head import MultiLevelContrastHead
from .pixel_predictor import PixelPredictor
from .query_mask_head import QueryMaskHead

__all__ = [
    'DNDETRHead',
    'DNDeformableDETRHead',
    'MultiLevelContrastHead',
    'PixelPredictor',
    'QueryMaskHead',
]

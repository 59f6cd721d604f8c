"""Projection, pretext and detection heads."""

from .dn_heads import DNDeformableDETRHead, DNDETRHead
from .pixel_predictor import PixelPredictor
from .query_mask_head import QueryMaskHead

__all__ = ['DNDETRHead', 'DNDeformableDETRHead', 'PixelPredictor', 'QueryMaskHead']

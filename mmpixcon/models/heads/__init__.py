"""Projection, pretext and detection heads."""

from .dn_heads import DNDeformableDETRHead, DNDETRHead
from .pixel_predictor import PixelPredictor

__all__ = ['DNDETRHead', 'DNDeformableDETRHead', 'PixelPredictor']

"""Projection and pretext heads."""

from .pixel_predictor import PixelPredictor

__all__ = ['PixelPredictor']

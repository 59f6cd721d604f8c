"""Losses: one file, one loss, readable beside its equation."""

from .pixel_cosine_loss import PixelCosineLoss
from .pixel_nce_loss import PixelNCELoss

__all__ = ['PixelCosineLoss', 'PixelNCELoss']

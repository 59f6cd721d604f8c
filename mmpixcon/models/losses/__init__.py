"""Losses: one file, one loss, readable beside its equation."""

from .info_nce_loss import InfoNCELoss
from .pixel_cosine_loss import PixelCosineLoss
from .pixel_nce_loss import PixelNCELoss

__all__ = ['InfoNCELoss', 'PixelCosineLoss', 'PixelNCELoss']

"""Losses: one file, one loss, readable beside its equation."""

from .cross_correlation_loss import CrossCorrelationLoss
from .info_nce_loss import InfoNCELoss
from .pixel_cosine_loss import PixelCosineLoss
from .pixel_nce_loss import PixelNCELoss
from .point_affinity_loss import PointAffinityLoss
from .point_region_contrast_loss import PointRegionContrastLoss
from .region_feature_loss import RegionFeatureLoss
from .vicreg_loss import VICRegLoss

__all__ = [
    'CrossCorrelationLoss',
    'InfoNCELoss',
    'PixelCosineLoss',
    'PixelNCELoss',
    'PointAffinityLoss',
    'PointRegionContrastLoss',
    'RegionFeatureLoss',
    'VICRegLoss',
]

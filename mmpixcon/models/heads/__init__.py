"""Projection, pretext and detection heads."""

from .batched_heads import (
    BatchedConditionalDETRHead,
    BatchedDABDETRHead,
    BatchedDeformableDETRHead,
    BatchedDETRHead,
    BatchedDINOHead,
)
from .cross_correlation_head import CrossCorrelationHead
from .dn_heads import DNDeformableDETRHead, DNDETRHead
from .multi_level_contrast_head import MultiLevelContrastHead
from .pixel_predictor import PixelPredictor
from .query_mask_head import QueryMaskHead
from .region_query_head import RegionQueryHead
from .siamese_detr_head import SiameseDETRHead

__all__ = [
    'BatchedConditionalDETRHead',
    'BatchedDABDETRHead',
    'BatchedDETRHead',
    'BatchedDINOHead',
    'BatchedDeformableDETRHead',
    'CrossCorrelationHead',
    'DNDETRHead',
    'DNDeformableDETRHead',
    'MultiLevelContrastHead',
    'PixelPredictor',
    'QueryMaskHead',
    'RegionQueryHead',
    'SiameseDETRHead',
]

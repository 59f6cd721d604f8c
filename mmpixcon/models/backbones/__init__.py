"""Backbones with weights that need no download."""

from .efficientnet_lite import EfficientNetLite

__all__ = ['EfficientNetLite']

"""Hooks of mmpixcon."""

from .pixel_contrast_hook import PixelContrastHook
from .plain_checkpoint_hook import PlainCheckpointHook

__all__ = ['PixelContrastHook', 'PlainCheckpointHook']

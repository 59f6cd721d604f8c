"""Transforms: geometry that is recorded, color, and views."""

from .geometry import RandomResizedCrop, refuse_unrecorded_geometry
from .photometric import ColorJitter, RandomGaussianBlur, RandomGrayscale, RandomSolarize
from .pretext_views import ContrastViews, JigsawView, PackViews
from .views import MomentumView, PixelContrastViews

__all__ = [
    'ColorJitter',
    'ContrastViews',
    'JigsawView',
    'MomentumView',
    'PackViews',
    'PixelContrastViews',
    'RandomGaussianBlur',
    'RandomGrayscale',
    'RandomResizedCrop',
    'RandomSolarize',
    'refuse_unrecorded_geometry',
]

"""Transforms: geometry that is recorded, color, views, and regions."""

from .geometry import RandomResizedCrop, refuse_unrecorded_geometry
from .photometric import ColorJitter, RandomGaussianBlur, RandomGrayscale, RandomSolarize
from .pretext_views import ContrastViews, JigsawView, PackViews
from .regions import BoxRegions, GridRegions, MaskRegions, ProposalRegions, RandomRegions
from .views import MomentumView, PixelContrastViews

__all__ = [
    'BoxRegions',
    'ColorJitter',
    'ContrastViews',
    'GridRegions',
    'JigsawView',
    'MaskRegions',
    'MomentumView',
    'PackViews',
    'PixelContrastViews',
    'ProposalRegions',
    'RandomGaussianBlur',
    'RandomGrayscale',
    'RandomRegions',
    'RandomResizedCrop',
    'RandomSolarize',
    'refuse_unrecorded_geometry',
]

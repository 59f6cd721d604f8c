"""Transforms: geometry that is recorded, color, views, and regions."""

from .geometry import RandomResizedCrop, refuse_unrecorded_geometry
from .photometric import ColorJitter, RandomGaussianBlur, RandomGrayscale, RandomSolarize
from .pretext_views import ContrastViews, JigsawView, PackViews
from .regions import BoxRegions, GridRegions, MaskRegions, ProposalRegions, RandomRegions
from .siamese_views import IoUConstrainedViews, SharedProposals
from .views import MomentumView, PixelContrastViews

__all__ = [
    'BoxRegions',
    'ColorJitter',
    'ContrastViews',
    'GridRegions',
    'IoUConstrainedViews',
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
    'SharedProposals',
    'refuse_unrecorded_geometry',
]

"""Transforms: geometry that is recorded, color, views, and regions."""

from .geometry import RandomResizedCrop, refuse_unrecorded_geometry
from .photometric import ColorJitter, RandomGaussianBlur, RandomGrayscale, RandomSolarize
from .pretext_views import ContrastViews, JigsawView, PackViews
from .region_targets import PackRegions, RegionCrops, RegionTargets
from .regions import (
    BoxRegions,
    GridRegions,
    MaskRegions,
    ProposalRegions,
    RandomPatches,
    RandomRegions,
)
from .shared_proposals import RandomSharedRegions, SharedProposals
from .siamese_views import IoUConstrainedViews
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
    'PackRegions',
    'PackViews',
    'PixelContrastViews',
    'ProposalRegions',
    'RandomGaussianBlur',
    'RandomGrayscale',
    'RandomPatches',
    'RandomRegions',
    'RandomResizedCrop',
    'RandomSharedRegions',
    'RandomSolarize',
    'RegionCrops',
    'RegionTargets',
    'SharedProposals',
    'refuse_unrecorded_geometry',
]

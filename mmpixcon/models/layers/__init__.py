"""Layers that several models share."""

from .dab_deformable_decoder import DABDeformableTransformerDecoder
from .denoising import DenoisingQueries, DenoisingQueryGenerator, DenoisingTargets

__all__ = [
    'DABDeformableTransformerDecoder',
    'DenoisingQueries',
    'DenoisingQueryGenerator',
    'DenoisingTargets',
]

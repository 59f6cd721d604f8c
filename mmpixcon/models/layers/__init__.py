"""Layers that several models share."""

from .conditioned_queries import conditioned_queries, num_matching_queries
from .dab_deformable_decoder import DABDeformableTransformerDecoder
from .denoising import DenoisingQueries, DenoisingQueryGenerator, DenoisingTargets
from .multi_level_dab_decoder import MultiLevelDABDetrTransformerDecoder

__all__ = [
    'DABDeformableTransformerDecoder',
    'DenoisingQueries',
    'DenoisingQueryGenerator',
    'DenoisingTargets',
    'MultiLevelDABDetrTransformerDecoder',
    'conditioned_queries',
    'num_matching_queries',
]

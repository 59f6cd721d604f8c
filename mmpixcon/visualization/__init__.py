"""Pictures of what is trained."""

from .shared_regions import draw_shared_regions, region_corners
from .view_pairs import draw_view_pair, positives_of

__all__ = ['draw_shared_regions', 'draw_view_pair', 'positives_of', 'region_corners']

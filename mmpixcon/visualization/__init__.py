"""Pictures of what is trained."""

from .view_pairs import draw_view_pair, positives_of

__all__ = ['draw_view_pair', 'positives_of']

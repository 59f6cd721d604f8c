"""Measures of features."""

from .knn import knn_scores

__all__ = ['knn_scores']

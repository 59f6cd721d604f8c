"""Measures of features and of detections."""

from .affinity_precision import affinity_precision, image_affinity_precision
from .annotated_maps import annotated_maps
from .average_recall import CocoRecallMetric
from .knn import knn_scores

__all__ = [
    'CocoRecallMetric',
    'affinity_precision',
    'annotated_maps',
    'image_affinity_precision',
    'knn_scores',
]

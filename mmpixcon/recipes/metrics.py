"""Names of metrics in leaderboards and metafiles."""

from __future__ import annotations

import re

# How a leaderboard calls metrics: task, name, and what they are multiplied by.
NAMES = {
    'bbox_mAP': ('Object Detection', 'box AP', 100),
    'segm_mAP': ('Instance Segmentation', 'mask AP', 100),
    # LVIS'
    'bbox_AP': ('Object Detection', 'box AP', 100),
    'segm_AP': ('Instance Segmentation', 'mask AP', 100),
    'bbox_AR': ('Object Detection', 'AR', 100),
    'mIoU': ('Semantic Segmentation', 'mIoU', 1),
    # Of pretraining, without fine-tuning.
    'affinity_precision_mean': ('Representation Learning', 'affinity precision', 100),
    'affinity_precision_chance': ('Representation Learning', 'affinity precision by chance', 100),
    'knn_top1': ('Representation Learning', 'object kNN top 1', 100),
    'knn_majority': ('Representation Learning', 'object kNN by majority', 100),
}


def display(metric: str) -> tuple[str, str, float]:
    """Task, name and factor of a metric in a leaderboard.

    Args:
        metric (str): name of the metric in the log, such as ``coco/bbox_mAP_50``.
    """
    short = metric.rsplit('/', 1)[-1]
    for start, (task, name, factor) in NAMES.items():
        if short.startswith(start):
            end = short[len(start) :].lstrip('_')
            return task, f'{name} {end}' if end.isalpha() else f'{name}{end}', factor
    return 'Object Detection', short, 1


def metric_label(logged: str) -> str:
    """Name of a metric in a metafile: ``coco/bbox_mAP_s`` is ``box AP_S``."""
    return re.sub(r' ([sml])$', lambda size: f'_{size[1].upper()}', display(logged)[1])

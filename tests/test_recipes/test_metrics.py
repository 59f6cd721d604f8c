"""What metrics are called in leaderboards and metafiles."""

from __future__ import annotations

import pytest

from mmpixcon.recipes.metrics import display, metric_label


@pytest.mark.parametrize(
    ('metric', 'shown'),
    [
        ('coco/bbox_mAP', ('Object Detection', 'box AP', 100)),
        ('coco/bbox_mAP_75', ('Object Detection', 'box AP75', 100)),
        ('coco/bbox_mAP_s', ('Object Detection', 'box AP s', 100)),
        ('coco/segm_mAP_50', ('Instance Segmentation', 'mask AP50', 100)),
        ('lvis/segm_AP50', ('Instance Segmentation', 'mask AP50', 100)),
        ('coco/bbox_AR@100', ('Object Detection', 'AR@100', 100)),
        ('mIoU', ('Semantic Segmentation', 'mIoU', 1)),
        ('affinity/precision', ('Object Detection', 'precision', 1)),
    ],
)
def test_names_of_metrics(metric, shown):
    assert display(metric) == shown


def test_sizes_of_objects_in_metafiles():
    assert metric_label('coco/bbox_mAP_s') == 'box AP_S'
    assert metric_label('coco/segm_mAP_l') == 'mask AP_L'
    assert metric_label('coco/bbox_mAP_50') == 'box AP50'
    assert metric_label('coco/bbox_AR@1') == 'AR@1'

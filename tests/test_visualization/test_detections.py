"""Detections beside what is annotated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmpixcon.visualization.detections import PhotoDetections, draw_beside_annotations


def photo() -> PhotoDetections:
    image = np.zeros((40, 60, 3), np.uint8)
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 40.0]])
    annotated = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1]))
    found = InstanceData(
        # The first as annotated; the second by two thirds; one of no object, with a low score.
        bboxes=torch.tensor([[0.0, 0, 10, 10], [20, 24, 40, 44], [50, 0, 60, 10]]),
        labels=torch.tensor([0, 1, 0]),
        scores=torch.tensor([0.9, 0.8, 0.2]),
    )
    return PhotoDetections(image, annotated, dict(mine=found))


@pytest.mark.parametrize(
    ('threshold', 'iou', 'title', 'styles'),
    [
        (0.5, 0.5, 'mine: 2 right, 0 wrong, 0 missed', ['-', '-']),
        (0.1, 0.5, 'mine: 2 right, 1 wrong, 0 missed', ['-', '-', '--']),
        (0.5, 0.75, 'mine: 1 right, 1 wrong, 1 missed', ['-', '--']),
        (0.95, 0.5, 'mine: 0 right, 0 wrong, 2 missed', []),
    ],
)
def test_titles_count_what_is_drawn(threshold, iou, title, styles):
    figure = draw_beside_annotations([photo()], ['a', 'b'], threshold, iou)
    annotated, found = figure.axes
    assert annotated.get_title() == 'annotated: 2'
    assert found.get_title() == title
    assert [patch.get_linestyle() for patch in found.patches] == styles
    corners = [patch.get_bbox().extents.tolist() for patch in annotated.patches]
    assert corners == [[0, 0, 10, 10], [20, 20, 40, 40]]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ['a', 'b', f'right: its class, and an IoU of at least {iou:g}', 'wrong']

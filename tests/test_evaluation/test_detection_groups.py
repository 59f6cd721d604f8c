"""Detections sorted into groups, by hand; the tool."""

from __future__ import annotations

import re

import cv2
import pytest
import torch

from mmpixcon.evaluation.detection_groups import group_detections
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

TRUE = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])
TRUE_LABELS = torch.tensor([0, 1, 0])


def groups(rows, true=TRUE, true_labels=TRUE_LABELS, **options):
    """Rows of x1, label, score: boxes of 10 x 10 at y = 0."""
    rows = torch.tensor(rows).view(-1, 3)
    zero = torch.zeros(len(rows))
    boxes = torch.stack([rows[:, 0], zero, rows[:, 0] + 10, zero + 10], 1)
    return group_detections(boxes, rows[:, 1].long(), rows[:, 2], true, true_labels, **options)


def test_each_group():
    actual = groups(
        [
            [1.0, 0, 0.6],  # the first, IoU 9 / 11
            [0.0, 0, 0.5],  # the first again, better placed, but of less score
            [20.0, 0, 0.9],  # the second, of another class
            [46.0, 0, 0.9],  # the third, IoU 4 / 16: misplaced
            [49.5, 0, 0.9],  # IoU 0.5 / 19.5: by itself
            [70.0, 1, 0.4],
        ]
    )
    assert actual.right.tolist() == [True, False, False, False, False, False]
    assert actual.wrong.tolist() == [False, True, True, True, False, False]
    assert actual.unlabelled.tolist() == [False, False, False, False, True, True]
    assert actual.missed.tolist() == [False, True, True]


def test_the_threshold():
    assert groups([[46.0, 0, 0.9]], iou=0.25).right.item()
    assert not groups([[46.0, 0, 0.9]], iou=0.26).right.item()
    with pytest.raises(ValueError, match=r'iou = 0\.05 must be above 0\.1'):
        groups([], iou=0.05)


def test_nothing_found_and_nothing_annotated():
    nothing = groups([])
    assert nothing.missed.all() and nothing.right.shape == (0,)
    empty = groups([[0.0, 0, 0.5]], torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert empty.unlabelled.all() and empty.missed.shape == (0,) and not empty.wrong.any()


@pytest.mark.slow
@pytest.mark.parametrize('name', ['stock/', 'pixcon/pixcon_'], ids=['stock', 'wrapped'])
def test_the_tool_counts_and_draws(name, bccd_root, tmp_path):
    from mmengine.config import Config

    from mmpixcon.registry import MODELS

    config = CONFIGS / f'{name}faster-rcnn_r18_fpn_1xb8-24e_bccd.py'
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    out = tmp_path / 'groups.png'
    status, printed, error = run_tool(
        *(ROOT / 'tools/analysis_tools/detection_groups.py', config, tmp_path / 'model.pth'),
        *('--data-root', bccd_root, '--images', 2, '--num', 1, '--out', out),
    )
    assert status == 0, error[-2000:]
    # A model that was not trained finds nothing above 0.3.
    counts = re.search(r'^right: 0, unlabelled: 0, missed: (\d+), wrong: 0$', printed, re.MULTILINE)
    assert counts and int(counts[1]) > 10, printed
    height, width = cv2.imread(str(out)).shape[:2]
    assert width > height > 500

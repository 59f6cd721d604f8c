"""Detections that do not depend on the image."""

from __future__ import annotations

import math

import pytest
import torch

from mmpixcon.evaluation.sameness import sameness

BOXES = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0]])
LABELS = torch.tensor([0, 1, 1])


def test_the_same_boxes_in_any_order_are_the_same() -> None:
    turned = BOXES[[2, 0, 1]], LABELS[[2, 0, 1]]
    assert sameness([BOXES, turned[0], BOXES], [LABELS, turned[1], LABELS]) == 1
    # Only those that are looked for.
    others = BOXES.clone()
    others[2] = 0
    assert sameness([BOXES, others], [LABELS, LABELS], count=2) == 1
    assert sameness([BOXES, others], [LABELS, LABELS], count=3) == pytest.approx(2 / 3)


def test_other_boxes_and_other_classes_are_not() -> None:
    # Half of each box lies in that of the other image: overlaps of a third.
    moved = BOXES + torch.tensor([0.25, 0.0, 0.25, 0.0])
    far = torch.tensor([[2.0, 2.0, 3.0, 3.0]])
    assert sameness([BOXES[:1], moved[:1]], [LABELS[:1], LABELS[:1]]) == pytest.approx(1 / 3)
    assert sameness([BOXES[:1], far], [LABELS[:1], LABELS[:1]]) == 0
    assert sameness([BOXES, BOXES], [LABELS, LABELS + 2]) == 0
    # The mean over pairs of neighbors.
    assert sameness([BOXES[:1], BOXES[:1], far], [LABELS[:1]] * 3) == 0.5
    assert math.isnan(sameness([BOXES], [LABELS])) and math.isnan(sameness([], []))

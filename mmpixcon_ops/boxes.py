"""Non-maximum suppression: plain, soft, and with the suppressed boxes kept as groups."""

from __future__ import annotations

import numpy as np
import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap one of a higher score, by torchvision.

    Equal scores keep their order; in a compiled mmcv it depends on the processor.

    Args:
        boxes (Tensor): Boxes, shape (N, 4), as x1, y1, x2, y2 in pixels.
        scores (Tensor): Scores, shape (N,).
        iou_threshold (float): IoU above which the lower score goes.
        offset (int): 0 or 1; widths and heights are ``x2 - x1 + offset``.

    Returns:
        Tensor: Indices of the boxes that are kept, highest score first, shape
        (M,), of type int64.
    """
    if boxes.numel() == 0:
        return torch.zeros(0, dtype=torch.long, device=boxes.device)
    if boxes.dtype not in (torch.float32, torch.float64):
        # torchvision has no bfloat16, and float16 on CUDA only.
        boxes = boxes.float()
    scores = scores.to(boxes.dtype)
    if offset:
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    # mmcv compares with the float32 nearest to the threshold, torchvision with the double.
    return torch.ops.torchvision.nms(boxes, scores, float(np.float32(iou_threshold)))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap one of a higher score.

    Soft-NMS ("Soft-NMS: Improving Object Detection With One Line of Code",
    https://arxiv.org/abs/1704.04503, equation 3 and the Gaussian one after it).
    Boxes change places as in mmcv's loop, so that equal scores come out in its
    order. mmcv runs it on the CPU as well.

    Args:
        boxes (Tensor): Boxes, shape (N, 4), as x1, y1, x2, y2 in pixels, on the CPU.
        scores (Tensor): Scores, shape (N,).
        dets (Tensor): Output, shape (N, 5): boxes and lowered scores in the order
            of the indices; rows after the last index are not written.
        iou_threshold (float): IoU from which on methods 0 and 1 act.
        sigma (float): Width of the Gaussian of method 2.
        min_score (float): Boxes are dropped once their score is below it.
        method (int): 0 drops as NMS does, 1 multiplies by ``1 - IoU``, 2 by
            ``exp(-IoU^2 / sigma)``.
        offset (int): 0 or 1; widths and heights are ``x2 - x1 + offset``.

    Returns:
        Tensor: Indices of the boxes that are kept, shape (M,), of type int64.
    """
    corners = boxes.detach().float().numpy().copy()
    current = scores.detach().float().numpy().copy()
    areas = (corners[:, 2] - corners[:, 0] + offset) * (corners[:, 3] - corners[:, 1] + offset)
    order = np.arange(len(corners))
    count = len(corners)
    threshold, minimum = np.float32(iou_threshold), np.float32(min_score)
    step = 0
    while step < count:
        best = step + int(np.argmax(current[step:count]))
        for array in (corners, current, areas, order):
            array[[step, best]] = array[[best, step]]
        rest = slice(step + 1, count)
        iou = _iou_with(corners[step], areas[step], corners[rest], areas[rest], offset)
        if method == 2:
            current[rest] *= np.exp(-(iou * iou) / np.float32(sigma))
        else:
            lowered = current[rest] * (0 if method == 0 else 1 - iou)
            current[rest] = np.where(iou >= threshold, lowered, current[rest])
        # A box that is dropped is replaced by the last one.
        for place in step + 1 + np.flatnonzero(current[rest] < minimum):
            while place < count and current[place] < minimum:
                count -= 1
                for array in (corners, current, areas, order):
                    array[place] = array[count]
        step += 1
    dets[:count, :4] = torch.from_numpy(corners[:count])
    dets[:count, 4] = torch.from_numpy(current[:count])
    return torch.from_numpy(order[:count].copy())


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Suppress boxes as NMS does, and tell which box suppressed which.

    Args:
        dets (Tensor): Boxes and scores, shape (N, 5), as x1, y1, x2, y2, score,
            on the CPU.
        iou_threshold (float): IoU from which on the lower score goes.

    Returns:
        list[list[int]]: Groups, highest score first: the index of the kept box,
        then those of the boxes that it suppressed.
    """
    corners = dets[:, :4].detach().float().numpy()
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    waiting = torch.sort(dets[:, 4], descending=True, stable=True)[1].numpy()
    groups = []
    while len(waiting):
        kept, waiting = waiting[0], waiting[1:]
        iou = _iou_with(corners[kept], areas[kept], corners[waiting], areas[waiting], 0)
        suppressed = iou >= np.float32(iou_threshold)
        groups.append([int(kept), *waiting[suppressed].tolist()])
        waiting = waiting[~suppressed]
    return groups


def _iou_with(
    box: np.ndarray, area: np.ndarray, boxes: np.ndarray, areas: np.ndarray, offset: int
) -> np.ndarray:
    """Compute the IoU of one box with others.

    Args:
        box (np.ndarray): Box, shape (4,).
        area (np.ndarray): area of that box, a scalar.
        boxes (np.ndarray): Other boxes, shape (N, 4).
        areas (np.ndarray): areas of these boxes, shape (N,).
        offset (int): 0 or 1; widths and heights are ``x2 - x1 + offset``.

    Returns:
        np.ndarray: IoU, shape (N,); NaN between boxes without an area.
    """
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]) + offset
    overlap = size.clip(min=0).prod(axis=1)
    with np.errstate(invalid='ignore', divide='ignore'):
        return overlap / (area + areas - overlap)

"""Confusion matrix of a detector: which classes it takes for which."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData


def confusion_matrix(
    pairs: Iterable[tuple[InstanceData, InstanceData]],
    num_classes: int,
    threshold: float = 0.3,
    iou: float = 0.5,
) -> np.ndarray:
    """Count annotated objects by their class and by that of the detection at their place.

    This follows mmdet's ``confusion_matrix.py``, but each object has one detection at most: those
    of the highest score are matched first, each with the object that it overlaps most and that is
    left.

    Args:
        pairs (Iterable[tuple[InstanceData, InstanceData]]): annotations (``bboxes``, ``labels``)
            and detections (``bboxes``, ``labels``, ``scores``) of each image.
        num_classes (int): number of classes, K.
        threshold (float): least score of a detection that counts. Defaults to 0.3.
        iou (float): least overlap. Defaults to 0.5.

    Returns:
        np.ndarray: counts of shape (K + 1, K + 1), annotated by detected; the last row are
        detections without an object, the last column objects without a detection.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for annotated, found in pairs:
        found = found[found.scores >= threshold]
        overlaps = bbox_overlaps(found.bboxes.float(), annotated.bboxes.float())
        true_labels, labels = annotated.labels.tolist(), found.labels.tolist()
        left = np.ones(len(true_labels), dtype=bool)
        for i in found.scores.argsort(descending=True, stable=True).tolist():
            row = np.where(left, overlaps[i].numpy(), -1.0) if len(left) else np.empty(0)
            best = int(row.argmax()) if len(row) else -1
            if best >= 0 and row[best] >= iou:
                left[best] = False
                counts[true_labels[best], labels[i]] += 1
            else:
                counts[num_classes, labels[i]] += 1
        for label in np.array(true_labels, dtype=np.int64)[left]:
            counts[label, num_classes] += 1
    return counts

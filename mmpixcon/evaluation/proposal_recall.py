"""Recall of annotated objects by proposals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from mmdet.evaluation import bbox_overlaps

from mmpixcon.utils.tables import format_table

IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))


@dataclass(frozen=True)
class ProposalRecall:
    """Recall of proposals.

    Attributes:
        nums (tuple[int, ...]): numbers of proposals of an image that count.
        ious (tuple[float, ...]): Overlaps from which an object is found.
        recalls (np.ndarray): (nums, ious) float64, share of the objects.
        images (int): Images.
        objects (int): Objects in them.
        proposals (int): Proposals of them, all.
    """

    nums: tuple[int, ...]
    ious: tuple[float, ...]
    recalls: np.ndarray
    images: int
    objects: int
    proposals: int

    def average(self) -> np.ndarray:
        """Average recall (AR), the mean over the overlaps, (nums, ) float64."""
        return self.recalls.mean(1)

    def at(self, iou: float) -> np.ndarray:
        """Recall at one of the overlaps, (nums, ) float64."""
        return self.recalls[:, self.ious.index(iou)]

    def table(self) -> str:
        """The recalls as text, one line for each number of proposals."""
        span = f'AR {self.ious[0]:g}:{self.ious[-1]:g}'
        rows = [
            (num, f'{average:.3f}', f'{first:.3f}')
            for num, average, first in zip(self.nums, self.average(), self.recalls[:, 0])
        ]
        table = format_table(['proposals', span, f'recall {self.ious[0]:g}'], rows)
        mean = self.proposals / max(self.images, 1)
        counts = f'{self.images} images, {self.objects} objects, {mean:.1f} proposals an image'
        return f'{table}\n{counts}'


def proposal_recall(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    nums: Sequence[int] = (10, 30, 100),
    ious: Sequence[float] = IOUS,
) -> ProposalRecall:
    """Recall of proposals against annotated boxes.

    In each image objects and proposals are paired, each at most once, the pair of the
    largest overlap first, as ``mmdet.evaluation.eval_recalls`` does. That one itself
    fails with numpy 1.24 and later where images differ in their numbers of boxes.

    Args:
        pairs (Iterable[tuple[np.ndarray, np.ndarray]]): objects, (g, 4), and proposals,
            (k, 4), the best first, of each image; x1, y1, x2, y2 in the
            same pixels.
        nums (Sequence[int]): numbers of proposals of an image that count.
        ious (Sequence[float]): Overlaps from which an object is found.

    Returns:
        ProposalRecall: The recalls.

    Raises:
        ValueError: There are no objects, or a number or an overlap cannot be used.
    """
    if not nums or min(nums) < 1:
        raise ValueError(f'numbers of proposals are {list(nums)}, but must be at least 1')
    if not ious or not 0 < min(ious) <= max(ious) <= 1:
        raise ValueError(f'overlaps are {list(ious)}, but must be above 0 and at most 1')
    best: list[list[np.ndarray]] = [[] for _ in nums]
    images = proposals = 0
    for objects, boxes in pairs:
        images += 1
        proposals += len(boxes)
        overlaps = bbox_overlaps(objects.reshape(-1, 4), boxes[: max(nums)].reshape(-1, 4))
        for rows, num in zip(best, nums):
            rows.append(_pair(overlaps[:, :num]))
    overlap = np.stack([np.concatenate([np.zeros(0), *rows]) for rows in best])
    if not overlap.size:
        raise ValueError(f'{images} images without an annotated box have no recall')
    # mmdet computes overlaps in 32 bits; limits in as many make 0.6 reach 0.6.
    limits = np.array(ious, np.float32)
    recalls = (overlap.astype(np.float32)[:, :, None] >= limits).mean(1)
    return ProposalRecall(tuple(nums), tuple(ious), recalls, images, overlap.shape[1], proposals)


def _pair(overlaps: np.ndarray) -> np.ndarray:
    """Overlap of each object with its proposal, (g, ), 0 without one; from (g, k)."""
    left = overlaps.copy()
    best = np.zeros(len(left))
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(left.argmax(), left.shape)
        if left[row, column] <= 0:
            break
        best[row] = left[row, column]
        left[row] = left[:, column] = -1
    return best

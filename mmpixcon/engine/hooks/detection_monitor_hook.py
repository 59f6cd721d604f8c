"""A warning where detections no longer depend on the image, or are likely not to."""

from __future__ import annotations

import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmpixcon.evaluation.sameness import sameness
from mmpixcon.registry import HOOKS

# Images of an evaluation that are compared, and detections that each must have.
IMAGES, DETECTIONS = 64, 10
PARTS = {'bboxes', 'scores', 'labels'}
# Sameness from which detections count as the same. The small DETR had 0.54 to 0.90 in its first 6
# epochs with 8 images a step; with one up to 0.997, and 0.49 to 0.63 at an eighth of the rate.
SAME = 0.95


@HOOKS.register_module()
class DetectionMonitorHook(Hook):
    """Warns of a detector that gives every image the same detections.

    Detection transformers collapse so in small batches or at high rates: the loss falls to that of
    the mean object and stays there. Each evaluation logs ``val/detection_sameness``, where its
    images have at least 10 detections each (:func:`~mmpixcon.evaluation.sameness.sameness`): 1 if
    all images have the same. From 0.95 on it is a warning, unless ``bbox_mAP`` says that
    the objects are where they are in all images.

    Args:
        max_score (float): ``bbox_mAP`` from which detections may be the same in all images.
            Defaults to 0.1.
    """

    # Before the logger writes.
    priority = 'ABOVE_NORMAL'

    def __init__(self, max_score: float = 0.1) -> None:
        self.max_score = max_score
        self._boxes: list[Tensor] = []
        self._labels: list[Tensor] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the evaluation before.

        Args:
            runner (Runner): runner of the training.
        """
        self._boxes, self._labels = [], []

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Keep the detections of some images.

        Args:
            runner (Runner): runner of the training.
            batch_idx (int): number of the batch.
            data_batch (Any): not used.
            outputs (Any): what the model gave, with ``pred_instances`` if it is a detector.
        """
        for sample in outputs if isinstance(outputs, (list, tuple)) else ():
            found = getattr(sample, 'pred_instances', None)
            if found is None or PARTS - set(found.keys()) or len(self._boxes) == IMAGES:
                return
            if len(found) >= DETECTIONS and 'ori_shape' in sample:
                order = found.scores.argsort(descending=True)
                height, width = sample.ori_shape[:2]
                size = found.bboxes.new_tensor([width, height, width, height])
                self._boxes.append((found.bboxes / size)[order].float().cpu())
                self._labels.append(found.labels[order].cpu())

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log how much they are the same, and warn if they are.

        Args:
            runner (Runner): runner of the training.
            metrics (dict[str, float], optional): metrics of the evaluation.
        """
        if len(self._boxes) < 2:
            return
        value = sameness(self._boxes, self._labels, DETECTIONS)
        runner.message_hub.update_scalar('val/detection_sameness', value)
        scores = [v for name, v in (metrics or {}).items() if name.endswith('bbox_mAP')]
        if value < SAME or any(score >= self.max_score for score in scores):
            return
        loader = runner.train_dataloader
        batch = getattr(loader, 'batch_size', None) or '?'
        runner.logger.log(
            logging.WARNING,
            f'detection_sameness is {value:.2f}: all images have the same detections, whatever '
            f'they show (collapse). train_dataloader.batch_size is {batch}: enlarge it, or lower '
            'optim_wrapper.optimizer.lr with it (--auto-scale-lr), or gather gradients of several '
            'batches (optim_wrapper.accumulative_counts). Go on from a checkpoint before it, or '
            'begin anew: collapsed detectors seldom recover.',
        )

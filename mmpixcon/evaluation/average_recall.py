"""COCO's average recall with few detections an image."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.evaluation import CocoMetric

from mmpixcon.registry import METRICS


@METRICS.register_module()
class CocoRecallMetric(CocoMetric):
    """mmdet's ``CocoMetric`` with average recall at 1, 10 and 100 detections.

    Average recall is what COCO defines and table 5 of Siamese DETR reports: the mean over classes
    and over the overlaps 0.5 to 0.95 of the recall that the K best detections of a class in an
    image reach. ``CocoMetric`` computes it at the three ``proposal_nums``, but calls them AR@100,
    AR@300 and AR@1000 whatever they are.

    Args:
        *args: As ``CocoMetric``, whose ``metric`` is 'bbox'.
        num_detections (Sequence[int]): Three numbers K, rising; the last one also limits
            what AP counts, and COCO's AP needs 100. Defaults to (1, 10, 100).
        **kwargs: As ``CocoMetric``, but for ``proposal_nums`` and ``metric_items``: there
            are the six kinds of AP, and ``bbox_AR@K`` of each K.

    Raises:
        ValueError: ``num_detections`` are not three rising numbers that end in 100, or the
            metric is another one.
    """

    ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    # CocoMetric's names of the recalls at the first, second and third number.
    NAMES = ('AR@100', 'AR@300', 'AR@1000')

    def __init__(
        self, *args: object, num_detections: Sequence[int] = (1, 10, 100), **kwargs: object
    ) -> None:
        numbers = tuple(num_detections)
        if len(numbers) != 3 or not 1 <= numbers[0] < numbers[1] < numbers[2] == 100:
            raise ValueError(
                f'val_evaluator, CocoRecallMetric: num_detections = {numbers} must be three '
                'rising numbers, the last 100'
            )
        super().__init__(
            *args, proposal_nums=numbers, metric_items=[*self.ITEMS, *self.NAMES], **kwargs
        )
        if self.metrics != ['bbox']:
            raise ValueError(
                f"val_evaluator, CocoRecallMetric: metric = {self.metrics} must be 'bbox'"
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute ``CocoMetric``'s metrics, with recalls under their right names.

        Args:
            results (list): results of all images.

        Returns:
            dict[str, float]: ``bbox_mAP``, ..., ``bbox_AR@1``, ``bbox_AR@10``, ``bbox_AR@100``.
        """
        metrics = dict(super().compute_metrics(results))
        # All out before one comes in: AR@100 is both a wrong name and a right one.
        recalls = [metrics.pop(f'bbox_{name}', None) for name in self.NAMES]
        for number, recall in zip(self.proposal_nums, recalls):
            if recall is not None:
                metrics[f'bbox_AR@{number}'] = recall
        return metrics

"""Hungarian matching that says which cost broke, and on which image."""

from __future__ import annotations

import torch
from mmdet.models.task_modules.assigners import AssignResult, HungarianAssigner
from mmengine.structures import InstanceData

from mmpixcon.registry import TASK_UTILS


class NonFiniteError(FloatingPointError):
    """A loss or a matching cost is NaN or infinite; training must stop."""


@TASK_UTILS.register_module()
class FiniteHungarianAssigner(HungarianAssigner):
    """mmdet's assigner, but NaN or infinite costs raise a message that helps.

    SciPy refuses a cost matrix with such entries without a word on where they
    come from.
    """

    @classmethod
    def like(cls, assigner: HungarianAssigner) -> FiniteHungarianAssigner:
        """Make one with the costs of a stock assigner."""
        new = cls.__new__(cls)
        new.__dict__.update(assigner.__dict__)
        return new

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        img_meta: dict | None = None,
        **kwargs,
    ) -> AssignResult:
        """Match predictions to ground truth.

        Args:
            pred_instances (InstanceData): n predictions.
            gt_instances (InstanceData): k boxes.
            img_meta (dict, optional): Meta data of the image.
            **kwargs: Passed on.

        Returns:
            AssignResult: The matching.

        Raises:
            NonFiniteError: A cost is not finite; names the costs and the image.
        """
        try:
            return super().assign(pred_instances, gt_instances, img_meta, **kwargs)
        except ValueError as error:
            costs = {
                type(cost).__name__: cost(pred_instances, gt_instances, img_meta)
                for cost in self.match_costs
            }
            broken = [name for name, cost in costs.items() if not torch.isfinite(cost).all()]
            if not broken:
                raise
            image = (img_meta or {}).get('img_path', 'an image without img_path')
            raise NonFiniteError(
                f'matching costs {", ".join(broken)} are not finite on {image}: the predictions '
                'are NaN or infinite, or its boxes are. Check the boxes of that image; else lower '
                'optim_wrapper.optimizer.lr, or train without --amp.'
            ) from error

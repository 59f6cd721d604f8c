"""A template of a pretraining method: two views, one encoder, a predictor, a stopped gradient."""

from __future__ import annotations

import torch.nn.functional as F
from mmselfsup.models.algorithms.base import BaseModel
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor

from mmpixcon.models.losses.functional import spread
from mmpixcon.registry import MODELS


def view_agreement_loss(prediction: Tensor, target: Tensor) -> Tensor:
    r"""Compute the negative cosine of predictions and targets that get no gradient.

    "Exploring Simple Siamese Representation Learning" (SimSiam), equation (1):

    .. math:: L = -\frac{1}{N} \sum_n \frac{p_n}{\|p_n\|} \cdot \frac{z_n}{\|z_n\|}

    Args:
        prediction (Tensor): p, (N, C).
        target (Tensor): z, (N, C).

    Returns:
        Tensor: scalar in [-1, 1].
    """
    return -F.cosine_similarity(prediction, target.detach(), dim=1).mean()


@MODELS.register_module()
class ViewAgreement(BaseModel):
    """Pull what is predicted from one view to what the other one gives, both ways.

    Args:
        backbone (dict): any mmselfsup, mmcls or mmdet backbone; its last map goes to the neck.
        neck (dict): projector, as mmselfsup's ``NonLinearNeck``.
        predictor (dict): predictor, from the projector's channels to as many.
        data_preprocessor (dict, optional): preprocessor. Defaults to mmselfsup's.
        init_cfg (dict, optional): initialization. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        predictor: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, neck=neck, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.predictor = MODELS.build(predictor)

    def extract_feat(self, inputs: list[Tensor], **kwargs: object) -> tuple[Tensor, ...]:
        """Compute the backbone's maps of the first view, (N, C, h, w) each."""
        return self.backbone(inputs[0])

    def loss(
        self, inputs: list[Tensor], data_samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """Compute the symmetric loss, equation (2).

        Args:
            inputs (list[Tensor]): two views, (N, 3, H, W) each.
            data_samples (list[SelfSupDataSample]): not used.

        Returns:
            dict[str, Tensor]: ``loss``, and ``feature_std``: the deviation of the projections, 1 if
            they point everywhere, 0 if they collapsed.
        """
        targets = [self.neck(self.backbone(view))[0] for view in inputs[:2]]
        predictions = [self.predictor([target])[0] for target in targets]
        loss = view_agreement_loss(predictions[0], targets[1])
        loss = loss + view_agreement_loss(predictions[1], targets[0])
        return dict(
            loss=loss / 2, feature_std=spread(F.normalize(targets[0].detach().float(), dim=1))
        )

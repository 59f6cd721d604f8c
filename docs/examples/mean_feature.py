"""An example of a method of one's own: a detector beside its own moving average."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from torch import Tensor

from mmpixcon.models.capture import captured
from mmpixcon.models.contrast import MomentumEncoder
from mmpixcon.models.detectors.wrapper import DetectorWrapper
from mmpixcon.registry import MODELS


def mean_feature_loss(query: Tensor, key: Tensor) -> Tensor:
    r"""Squared distance of unit mean features, 0 to 4.

    .. math:: L = \frac{1}{N} \sum_n \| l_2(\bar q_n) - l_2(\bar k_n) \|^2

    Args:
        query (Tensor): q, (N, C, h, w).
        key (Tensor): k, (N, C, h, w); no gradient.

    Returns:
        Tensor: Scalar.
    """
    query, key = (F.normalize(x.mean((2, 3)), dim=1) for x in (query, key.detach()))
    return (query - key).square().sum(1).mean()


@MODELS.register_module()
class MeanFeatureDetector(DetectorWrapper):
    """Any detector, with :func:`mean_feature_loss` on the coarsest map of its neck.

    Args:
        detector (dict): Config of a detector with a backbone and a neck.
        weight (float): Of the loss. Defaults to 1.
        momentum (float): Share of the average that a step keeps. Defaults to 0.99.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    # What the checkpoint has besides the detector stands under this.
    own_prefix = 'mean_feature.'
    # One view of each image, the detector's.
    multi_branch = False

    def __init__(
        self,
        detector: dict,
        weight: float = 1.0,
        momentum: float = 0.99,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, init_cfg)
        self.weight = weight
        self.average = MomentumEncoder(momentum, **self.online_encoder)

    @property
    def online_encoder(self) -> dict[str, torch.nn.Module]:
        """What the average follows."""
        return dict(backbone=self.detector.backbone, neck=self.detector.neck)

    def init_weights(self) -> None:
        """Initialize the detector, then the average as its copy."""
        super().init_weights()
        self.average.synchronize(**self.online_encoder)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """The detector's losses, and ``loss_mean_feature``."""
        self.average.update(**self.online_encoder)
        with captured({'maps': self.detector.neck}) as calls:
            losses = self.detector.loss(batch_inputs, batch_data_samples)
        maps = calls['maps'].output
        keys = self.average(batch_inputs)
        return losses | dict(loss_mean_feature=self.weight * mean_feature_loss(maps[-1], keys[-1]))

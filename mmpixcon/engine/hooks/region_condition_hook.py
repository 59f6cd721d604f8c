"""Tells whether the queries of a pretraining on regions use the image, and their features."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpixcon.evaluation.image_share import image_share
from mmpixcon.models.pretext.region_pretext import RegionPretext, forked_rng
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS


@HOOKS.register_module()
class RegionConditionHook(Hook):
    """Logs how much queries depend on the image, and whether on the features of regions.

    Every few steps the model runs on the batch again, without gradient:

    - without features, as the fine-tuned detector does. ``image_share`` is the share of the
      variance of the queries' states that lies between images
      (:func:`~mmpixcon.evaluation.image_share.image_share`). Near 0, the decoder tells each image
      the same.
    - Siamese DETR and UP-DETR twice more: as in training, and with each region's feature given to
      the queries of the next one. As long as ``bbox_other_features`` is no higher than
      ``bbox_own_features``, what is pretrained is a decoder for boxes of random places. The model
      logs ``own_region_share`` at each step besides.

    Args:
        interval (int): Steps between two measurements. Defaults to 100.

    Raises:
        ValueError: ``interval`` is below 1.
    """

    def __init__(self, interval: int = 100) -> None:
        if interval < 1:
            raise ValueError(
                f'custom_hooks: RegionConditionHook: interval = {interval} must be at least 1'
            )
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Measure and log."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model = unwrap(runner.model)
        if not isinstance(model, RegionPretext):
            return
        # The training goes on with the random numbers that it would have had.
        with torch.no_grad(), forked_rng(next(model.parameters()).device):
            data = model.data_preprocessor(data_batch, True)
            batch = data['inputs'], data['data_samples']
            share = image_share(model.plain_states(*batch))
            # DETReg gives its queries no features.
            compares = hasattr(model, 'losses_of_other_features')
            pair = model.losses_of_other_features(*batch) if compares else ()
        runner.message_hub.update_scalar('train/image_share', share)
        for name, losses in zip(('own', 'other'), pair):
            runner.message_hub.update_scalar(f'train/bbox_{name}_features', losses['loss_bbox'])

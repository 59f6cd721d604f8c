"""What a backbone's features know about objects, while it is pretrained."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpixcon.evaluation import knn_scores
from mmpixcon.models.contrast import gather_rows
from mmpixcon.registry import HOOKS, MODELS


@HOOKS.register_module()
class ObjectKNNHook(Hook):
    """k-nearest-neighbour classification of annotated objects, every few epochs.

    The features of each box (RoIAlign of the backbone's last map, averaged) are
    classified by those of the most similar boxes of other images. Needs labels
    of *some* images, trains nothing, and says early whether pretraining goes
    anywhere. The share of boxes that is right is logged as
    ``val/object_knn_top1`` beside that of always guessing the most frequent
    class, ``val/object_knn_majority``.

    Args:
        memory (dict): Data loader of the boxes that vote, an mmdet data set
            whose pipeline ends in ``PackDetInputs``.
        query (dict): Data loader of the boxes to classify.
        interval (int): Epochs between two measurements. Defaults to 10.
        k (int): Neighbours. Defaults to 20.
        temperature (float): Of the votes. Defaults to 0.07.

    Raises:
        ValueError: ``interval`` or ``k`` is below 1.
    """

    def __init__(
        self,
        memory: dict,
        query: dict,
        interval: int = 10,
        k: int = 20,
        temperature: float = 0.07,
    ) -> None:
        if interval < 1 or k < 1:
            raise ValueError(
                f'custom_hooks: ObjectKNNHook: interval = {interval} and k = {k} must be at least 1'
            )
        self.loaders = dict(memory=memory, query=query)
        self.interval, self.k, self.temperature = interval, k, temperature

    def after_train_epoch(self, runner: Runner) -> None:
        """Measure after every ``interval`` epochs and after the last one."""
        if not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        for name, value in self.measure(runner).items():
            runner.message_hub.update_scalar(f'val/object_knn_{name}', value)
            runner.visualizer.add_scalar(f'object_knn_{name}', value, runner.epoch + 1)
            runner.logger.info(f'object_knn_{name}: {value:.4f}')

    def measure(self, runner: Runner) -> dict[str, float]:
        """Classify the objects.

        Args:
            runner (Runner): With the model and its ``backbone``.

        Returns:
            dict: ``top1`` and ``majority``, shares of the boxes.

        Raises:
            ValueError: A data set has no boxes, or the two name other classes.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loaders = {k: Runner.build_dataloader(copy.deepcopy(v)) for k, v in self.loaders.items()}
        classes = {k: loader.dataset.metainfo.get('classes') for k, loader in loaders.items()}
        if classes['memory'] != classes['query']:
            raise ValueError(
                f'custom_hooks: ObjectKNNHook: memory has classes {classes["memory"]}, query '
                f'{classes["query"]}; set the same metainfo'
            )
        found = {}
        was_training = model.training
        model.eval()
        try:
            for name, loader in loaders.items():
                # Of all processes, which share out the images.
                parts = list(self._features(model, loader))
                if not parts:
                    raise ValueError(
                        f'custom_hooks: ObjectKNNHook.{name}: {loader.dataset.ann_file} has no '
                        'image to measure'
                    )
                features, labels = (torch.cat(rows) for rows in zip(*parts))
                found[name] = gather_rows(features)[0], gather_rows(labels)[0]
                if not len(found[name][1]):
                    raise ValueError(
                        f'custom_hooks: ObjectKNNHook.{name}: {loader.dataset.ann_file} has no '
                        'boxes'
                    )
        finally:
            model.train(was_training)
        (memory, labels), (queries, truth) = found['memory'], found['query']
        scores = knn_scores(
            queries, memory, labels, len(classes['memory']), self.k, self.temperature
        )
        frequent = labels.bincount(minlength=len(classes['memory'])).argmax()
        return dict(
            top1=(scores.argmax(1) == truth).float().mean().item(),
            majority=(truth == frequent).float().mean().item(),
        )

    @staticmethod
    @torch.no_grad()
    def _features(model: nn.Module, loader: object) -> Iterator[tuple[Tensor, Tensor]]:
        """Unit features (k, C) and classes (k, ) of the boxes of each batch."""
        own = model.data_preprocessor
        preprocessor = MODELS.build(
            dict(
                type='mmdet.DetDataPreprocessor',
                mean=own.mean.flatten().tolist(),
                std=own.std.flatten().tolist(),
                bgr_to_rgb=own._channel_conversion,
            )
        ).to(own.device)
        for data in loader:
            data = preprocessor(data)
            images = data['inputs']
            features = model.backbone(images)[-1]
            scale = features.shape[3] / images.shape[3]
            align = RoIAlign(7, spatial_scale=scale, sampling_ratio=2)
            instances = [sample.gt_instances for sample in data['data_samples']]
            rois = [
                F.pad(one.bboxes.float(), (1, 0), value=index)
                for index, one in enumerate(instances)
            ]
            pooled = align(features.float(), torch.cat(rois)).mean((2, 3))
            yield F.normalize(pooled, dim=1), torch.cat([one.labels for one in instances])

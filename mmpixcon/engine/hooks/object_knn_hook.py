"""Nearest neighbors of objects, by a backbone's features while it is pretrained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from mmdet.structures import DetDataSample
from mmengine.runner import Runner
from torch import Tensor

from mmpixcon.evaluation import knn_scores
from mmpixcon.registry import HOOKS

from .measure_hook import MeasureHook


@HOOKS.register_module()
class ObjectKNNHook(MeasureHook):
    """k-nearest-neighbor classification of annotated objects, every few epochs.

    The features of each box (RoIAlign of the backbone's last map, averaged) are
    classified by those of the most similar boxes of ``memory``. Needs labels
    of *some* images, trains nothing, and says early whether pretraining goes
    anywhere. The share of boxes that is right is logged as
    ``objects/knn_top1`` beside that of always guessing the most frequent
    class, ``objects/knn_majority``.

    Args:
        memory (dict): Data loader of the boxes that vote, an mmdet data set
            whose pipeline ends in ``PackDetInputs``.
        query (dict): Data loader of the boxes to classify.
        interval (int): Epochs between two measurements. Defaults to 10.
        k (int): Neighbors. Defaults to 20.
        temperature (float): temperature of the votes. Defaults to 0.07.

    Raises:
        ValueError: ``interval`` or ``k`` is below 1.
    """

    name = 'knn'

    def __init__(
        self,
        memory: dict,
        query: dict,
        interval: int = 10,
        k: int = 20,
        temperature: float = 0.07,
    ) -> None:
        super().__init__(dict(memory=memory, query=query), interval, k=k)
        self.k, self.temperature = k, temperature

    def measure(self, runner: Runner) -> dict[str, float]:
        """Classify the objects.

        Args:
            runner (Runner): runner with the model and its ``backbone``.

        Returns:
            dict: ``top1`` and ``majority``, shares of the boxes.

        Raises:
            ValueError: A data set has no boxes, or the two name other classes.
        """
        loaders = self.build_loaders()
        classes = {k: loader.dataset.metainfo.get('classes') for k, loader in loaders.items()}
        if classes['memory'] != classes['query']:
            raise ValueError(
                f'custom_hooks: ObjectKNNHook: memory has classes {classes["memory"]}, query '
                f'{classes["query"]}; set the same metainfo'
            )
        embeddings = {}
        for name, loader in loaders.items():
            parts = [box_features(*batch) for batch in self.maps(runner, loader)]
            embeddings[name] = self.gather(name, loader, parts, 'boxes')
        (memory, labels), (queries, truth) = embeddings['memory'], embeddings['query']
        scores = knn_scores(
            queries, memory, labels, len(classes['memory']), self.k, self.temperature
        )
        frequent = labels.bincount(minlength=len(classes['memory'])).argmax()
        return dict(
            top1=(scores.argmax(1) == truth).float().mean().item(),
            majority=(truth == frequent).float().mean().item(),
        )


@torch.no_grad()
def box_features(
    maps: Tensor, input_shape: tuple[int, int], samples: Sequence[DetDataSample]
) -> tuple[Tensor, Tensor]:
    """Unit features (k, C) and classes (k, ) of the boxes of a batch."""
    scale = maps.shape[3] / input_shape[1]
    align = RoIAlign(7, spatial_scale=scale, sampling_ratio=2)
    instances = [sample.gt_instances for sample in samples]
    rois = [
        F.pad(image_instances.bboxes.float(), (1, 0), value=i)
        for i, image_instances in enumerate(instances)
    ]
    pooled = align(maps.float(), torch.cat(rois)).mean((2, 3))
    return F.normalize(pooled, dim=1), torch.cat(
        [image_instances.labels for image_instances in instances]
    )

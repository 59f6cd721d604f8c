"""Instance masks from the object queries of a frozen detection transformer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmdet.utils import reduce_mean
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from .frozen import freeze
from .wrapper import DetectorWrapper

# Side in pixels of the image that sizes and channels of maps are read from.
PROBE_SIZE = 128


@dataclass(frozen=True)
class _Seen:
    """What the frozen detector made of N images.

    Attributes:
        queries (Tensor): Output of the last decoder layer, (N, Q, C).
        scores (Tensor): Class logits of the head, (layers, N, Q, classes).
        boxes (Tensor): Boxes of the head (layers, N, Q, 4), (cx, cy, w, h) as
            shares of the image.
        memory (Tensor): Output of the encoder on one level, (N, C, h, w).
        maps (tuple[Tensor]): Backbone maps (N, C, H, W), from coarse to fine.
        padding (Tensor): (N, h, w), True where a cell of the memory is padding.
    """

    queries: Tensor
    scores: Tensor
    boxes: Tensor
    memory: Tensor
    maps: tuple[Tensor, ...]
    padding: Tensor

    def of_image(self, index: int) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """What the mask head takes beside the queries, of one image."""
        chosen = slice(index, index + 1)
        return dict(
            memory=self.memory[chosen],
            maps=tuple(part[chosen] for part in self.maps),
            padding=self.padding[chosen],
        )


@MODELS.register_module()
class QuerySegmentor(DetectorWrapper):
    """A detection transformer with frozen weights and a mask head that learns.

    PixCon ("Augmenting Object Detection Supervised Training with Pixel-level
    Contrastive Learning", "Instance segmentation") asks so what a detector's
    features are worth for another task. The detector runs as in testing,
    without gradient; boxes, scores and labels stay its own, bit for bit. Each
    detected object gets a mask, ``pred_instances.masks``, from its query.

    In training, queries are matched to objects as in the detector's training,
    by the assigner of its head and from its last layer; the loss is averaged
    over the matched objects of all processes.

    Checkpoints are the stock detector's, the mask head beside it under
    ``mask.``. Name the trained detector by ``load_from``.

    Args:
        detector (dict): Config of a stock detector with object queries and an
            encoder: DETR, Conditional DETR, DAB-DETR, Deformable DETR, DINO.
        mask_head (dict, optional): Config of the head; ``in_channels`` and
            ``fpn_channels`` are filled in. Defaults to
            ``dict(type='mmpixcon.QueryMaskHead')``.
        fpn_from (Sequence[str]): Names of the backbone's modules whose output
            maps refine the masks, from coarse to fine. Defaults to
            ('layer3', 'layer2', 'layer1'), strides 16, 8 and 4 of a ResNet.
        memory_level (int, optional): Level of the encoder's output that the
            head sees, counted as Python does. Defaults to None: the one whose
            size, doubled, is nearest to that of the first of ``fpn_from``.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: The detector has no object queries, no assigner, not the
            modules or the level asked for, or other channels.
    """

    own_prefix = 'mask.'
    multi_branch = False

    def __init__(
        self,
        detector: dict,
        mask_head: dict | None = None,
        fpn_from: Sequence[str] = ('layer3', 'layer2', 'layer1'),
        memory_level: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, init_cfg)
        name = type(self.detector).__name__
        if not isinstance(self.detector, DetectionTransformer):
            raise ValueError(
                f'model.detector: {name} has no object queries to make masks from; use DETR, '
                'Conditional DETR, DAB-DETR, Deformable DETR or DINO'
            )
        if not hasattr(self.detector.bbox_head, 'assigner'):
            raise ValueError(
                f'model.detector.train_cfg: {name} has no assigner, so queries cannot be matched '
                'to objects; keep the train_cfg of the stock config'
            )
        freeze(self.detector)
        self.detector.eval()
        self.fpn_from = tuple(fpn_from)
        sizes, channels, widths = self._probe()
        if memory_level is None:
            wanted = sizes[0] / 2
            memory_level = min(
                range(len(widths)), key=lambda level: abs(widths[level][0] / wanted - 1)
            )
        if not -len(widths) <= memory_level < len(widths):
            raise ValueError(
                f'model.memory_level = {memory_level}: the encoder of {name} has '
                f'{len(widths)} levels, 0 to {len(widths) - 1}'
            )
        self.memory_level = memory_level % len(widths)
        mask_head = ConfigDict(mask_head or dict(type='mmpixcon.QueryMaskHead'))
        found = dict(in_channels=widths[self.memory_level][1], fpn_channels=channels)
        for key, value in found.items():
            given = mask_head.setdefault(key, value)
            if given != value and tuple(given) != value:
                raise ValueError(
                    f'model.mask_head.{key} = {given}, but {name} with fpn_from = '
                    f'{self.fpn_from} gives {value}; leave it out to have it filled in'
                )
        self.mask_head = MODELS.build(mask_head)

"""The common parts of pretraining a whole detection transformer on regions."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmdet.models.detectors import DetectionTransformer
from mmdet.structures import SampleList
from mmengine.config import ConfigDict
from torch import Tensor

from mmpixcon.registry import MODELS

from ..capture import captured, recorded_calls
from ..detectors.frozen import CLASS_LAYERS, freeze
from ..detectors.wrapper import DetectorWrapper
from ..heads.batched_heads import batch_matching
from ..heads.batched_matching import Matching
from ..layers import num_matching_queries
from .regions import one_class, own_region_share

# Side in pixels of the image that strides and channels of maps are read from. Whole cells of
# strides 4 to 32, and of 14, which some plain transformers have.
PROBE_SIZE = 224
# Cells of a region's feature before they are averaged.
ROI_SIZE = 7


class RegionPretext(DetectorWrapper):
    """A stock detection transformer that learns to find regions without classes.

    The detector is that of a stock config, used as it is: backbone, neck, encoder,
    decoder, query embedding, box branch and losses, matching. Its head has one class,
    "region". The backbone is frozen and runs without gradient, in evaluation mode, once for
    each image. A checkpoint loads into the stock detector; what belongs to classes
    stands under ``own_prefix``, since it is not the task's.

    Args:
        detector (dict): Config of DETR, Conditional DETR, DAB-DETR, Deformable DETR,
            DINO, DN-DETR or DN-Deformable-DETR.
        frozen_backbone (bool): Defaults to True.
        no_object_weight (float, optional): The class loss becomes cross entropy of
            region and no object, with this weight of the latter, and costs of matching
            the probability, as the releases of Siamese DETR and UP-DETR have them.
            Defaults to None, the stock detector's class loss. Two-stage detectors keep
            theirs, since they rank the encoder's cells by the class score.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: The detector has no encoder, decoder or assigner, or its head cannot match
            all layers and images at once.
    """

    own_entries = re.compile(CLASS_LAYERS)

    #: Regions of an image whose features the queries get. DETReg has none.
    num_regions: int

    #: Whether a query may only be matched to the region whose features it got.
    match_own_region: bool = False

    #: Whether the queries of a region are others in each step of training.
    shuffle: bool = False

    def __init__(
        self,
        detector: dict,
        frozen_backbone: bool = True,
        no_object_weight: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        detector = one_class(detector, softmax=no_object_weight is not None)
        super().__init__(detector, init_cfg)
        name = type(self.detector).__name__
        if not (
            isinstance(self.detector, DetectionTransformer) and hasattr(self.detector, 'encoder')
        ):
            raise ValueError(
                f'model.detector: {name} has no encoder and decoder to pretrain; use DETR, '
                'Conditional DETR, DAB-DETR, Deformable DETR, DINO, DN-DETR or DN-Deformable-DETR'
            )
        head = self.detector.bbox_head
        if not hasattr(head, 'assigner'):
            raise ValueError(
                f'model.detector.train_cfg: {name} has no assigner, so queries cannot be matched '
                'to regions; keep the train_cfg of the stock config'
            )
        batch_matching(head)
        if no_object_weight is not None and not head.loss_cls.use_sigmoid:
            # Only DETR's own head takes it from the config.
            head.loss_cls.class_weight = [1.0, no_object_weight]
            head.bg_cls_weight = no_object_weight
        self.frozen_backbone = frozen_backbone
        if frozen_backbone:
            freeze(self.detector.backbone)
        self.map_channels, strides = self._probe()
        self.roi_aligns = [RoIAlign(ROI_SIZE, 1 / stride, sampling_ratio=0) for stride in strides]

    def train(self, mode: bool = True) -> RegionPretext:
        """Training mode, but for a frozen backbone."""
        super().train(mode)
        if self.frozen_backbone:
            self.detector.backbone.eval()
        return self

    @property
    def embed_dims(self) -> int:
        """int: Channels of the object queries."""
        return self.detector.embed_dims

    @property
    def region_of_query(self) -> Tensor:
        """Tensor: Index of the region that each query gets the feature of, (Q, )."""
        size = self.detector.num_queries
        device = next(self.detector.parameters()).device
        return torch.arange(size, device=device) // (size // self.num_regions)

    def share_out(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Give the regions to queries: to neighbors, or with ``shuffle`` to random ones.

        Args:
            queries (Tensor): what to add to object queries, (N, Q, C), region by region.

        Returns:
            tuple[Tensor, Tensor]: (N, Q, C), and the index of each query's region, (Q, ).
        """
        regions = self.region_of_query
        if self.shuffle and self.training:
            order = torch.randperm(len(regions), device=queries.device)
            return queries[:, order], regions[order]
        return queries, regions

    @torch.no_grad()
    def _probe(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Channels and strides of the backbone's maps."""
        like = next(self.detector.parameters())
        backbone = self.detector.backbone
        training = backbone.training
        # mmdet's backbones return nothing from train() and eval().
        backbone.eval()
        maps = backbone(like.new_zeros(1, 3, PROBE_SIZE, PROBE_SIZE))
        backbone.train(training)
        channels = tuple(feature_map.shape[1] for feature_map in maps)
        return channels, tuple(PROBE_SIZE // feature_map.shape[3] for feature_map in maps)

    def build_head(self, head: dict, **settings: int) -> Any:
        """Build a head from its config; ``in_channels`` and ``embed_dims`` are filled in.

        Args:
            head (dict): config of the head.
            **settings (int): what else is filled in.

        Returns:
            nn.Module: the head.

        Raises:
            ValueError: The config gives other channels than the detector has.
        """
        head = ConfigDict(copy.deepcopy(head))
        settings |= dict(in_channels=sum(self.map_channels), embed_dims=self.embed_dims)
        for key, value in settings.items():
            if head.setdefault(key, value) != value:
                raise ValueError(
                    f'model.head.{key} = {head[key]}, but {type(self.detector).__name__} has '
                    f'{value}; leave it out to have it filled in'
                )
        return MODELS.build(head)

    def check_regions(self, samples: SampleList, num_regions: int) -> None:
        """Refuse samples of another number of regions.

        Raises:
            ValueError: Names the image, and what to set.
        """
        for sample in samples:
            count = len(sample.gt_instances)
            if count != num_regions:
                raise ValueError(
                    f'{sample.get("img_path", "an image")} has {count} regions, model.num_regions '
                    f'is {num_regions}: give the transform of the train_pipeline that makes them '
                    f'num={num_regions}'
                )

    def backbone_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The backbone's maps (N, C, h, w) of images (N, 3, H, W)."""
        with torch.no_grad() if self.frozen_backbone else nullcontext():
            return self.detector.backbone(images)

    def object_features(self, maps: tuple[Tensor, ...], boxes: Sequence[Tensor]) -> Tensor:
        """z: features of boxes, averaged; those of all maps beside each other.

        Args:
            maps (tuple[Tensor, ...]): maps of N images.
            boxes (Sequence[Tensor]): (n, 4) of each, x1, y1, x2, y2 in pixels; all as many.

        Returns:
            Tensor: (N, n, B), B the sum of the maps' channels.
        """
        regions = torch.stack(list(boxes))
        image = torch.arange(len(regions), device=regions.device).to(regions)
        image = image[:, None, None].expand(-1, regions.shape[1], 1)
        rois = torch.cat([image, regions], dim=2).flatten(0, 1).to(maps[0])
        features = [
            # mmcv's operator reads the memory of other layouts as if it were in this one.
            roi_align(feature_map.contiguous(), rois).mean((2, 3))
            for roi_align, feature_map in zip(self.roi_aligns, maps)
        ]
        return torch.cat(features, dim=1).unflatten(0, (len(boxes), -1))

    def crop_features(self, samples: SampleList, level: int | None = None) -> Tensor:
        """p: features of the crops of all regions in one batch, averaged.

        Args:
            samples (list): N samples with ``crops``, (n, 3, S, S) uint8; n may differ.
            level (int, optional): index of the backbone's map. Defaults to None, those of all
                maps beside each other.

        Returns:
            Tensor: (sum of n, B), sample after sample.

        Raises:
            ValueError: The samples have no crops.
        """
        if any('crops' not in sample for sample in samples):
            raise ValueError(
                f'{type(self).__name__} needs crops of the regions: put '
                "dict(type='mmpixcon.RegionCrops') before PackRegions in the train_pipeline"
            )
        crops = torch.cat([sample.crops for sample in samples])
        preprocessor = self.data_preprocessor
        if self.multi_branch:
            preprocessor = preprocessor.data_preprocessor
        if not len(crops):
            channels = sum(self.map_channels) if level is None else self.map_channels[level]
            return next(self.detector.parameters()).new_zeros(0, channels)
        images = preprocessor(dict(inputs=crops), training=False)['inputs']
        maps = self.backbone_maps(images)
        chosen = maps if level is None else (maps[level],)
        return torch.cat([feature_map.mean((2, 3)) for feature_map in chosen], dim=1)

    def decode(self, maps: tuple[Tensor, ...], samples: SampleList) -> tuple[dict, dict]:
        """Run the stock transformer on the backbone's maps.

        Args:
            maps (tuple[Tensor, ...]): maps of N images.
            samples (list): N samples.

        Returns:
            tuple[dict, dict]: What the head takes; and ``memory`` (N, cells, C) of the
            encoder, its ``padding`` (N, cells), True there, or None, and ``level_cells``,
            how many cells each level has.
        """
        detector = self.detector
        features = detector.neck(maps) if detector.with_neck else maps
        with captured(dict(encoder=detector.encoder)) as calls:
            head_inputs = detector.forward_transformer(features, samples)
        padding = calls['encoder'].kwargs.get('key_padding_mask')
        cells = [feature_map.shape[2] * feature_map.shape[3] for feature_map in features]
        memory = calls['encoder'].output
        return head_inputs, dict(memory=memory, padding=padding, level_cells=cells)

    def flatten_views(self, inputs: Any, samples: Any) -> tuple[Tensor, SampleList]:
        """Images (N, 3, H, W) of a batch and their samples; methods with views have them here."""
        return inputs, samples

    @torch.no_grad()
    def plain_states(self, batch_inputs: Any, batch_data_samples: Any) -> Tensor:
        """States of the queries without features, which the fine-tuned detector begins with.

        Args:
            batch_inputs: as :meth:`loss` takes them.
            batch_data_samples: as :meth:`loss` takes them.

        Returns:
            Tensor: last decoder layer in evaluation mode, (N, Q, C).
        """
        images, samples = self.flatten_views(batch_inputs, batch_data_samples)
        training = self.training
        self.eval()
        try:
            states = self.decode(self.backbone_maps(images), samples)[0]['hidden_states'][-1]
        finally:
            self.train(training)
        return states

    def detection_losses(
        self, head_inputs: dict[str, Any], samples: SampleList, regions: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor, Matching]:
        """The stock head's losses, and the matching that they are made with.

        Args:
            head_inputs (dict): inputs of the head that :meth:`decode` returned.
            samples (list): N samples with regions as ``gt_instances``.
            regions (Tensor, optional): (Q, ), index of the region whose features a query got.
                Defaults to None, queries get none.

        Returns:
            tuple: Losses, with ``own_region_share`` where queries get features, see
            :func:`~mmpixcon.models.pretext.regions.own_region_share`; states of the matching
            queries, (L, N, Q, C); and which of them are matched to which region, in each layer.
        """
        head = self.detector.bbox_head
        matching_queries = num_matching_queries(self.detector)
        only = None
        if self.match_own_region and regions is not None:
            # Patterns repeat the queries.
            only = regions.repeat(matching_queries // len(regions))
        with head.matched_only_to(only), recorded_calls(head, 'match') as calls:
            losses = head.loss(**head_inputs, batch_data_samples=samples)
        # The layers come first; two-stage detectors match the encoder's boxes after them.
        matching = calls[0].output
        if regions is not None:
            free = matching
            if only is not None:
                scores, boxes, *others, _ = calls[0].args
                free = head.match(scores[-1:], boxes[-1:], *others)
            losses['own_region_share'] = own_region_share(free, regions)
        states = head_inputs['hidden_states']
        return losses, states[:, :, states.shape[2] - matching_queries :], matching

    def _compare_features(
        self,
        features: Tensor,
        decode: Callable[[Tensor], tuple[dict[str, Any], Tensor]],
        samples: SampleList,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses with features of n regions, (N, n, B), and with those of the next region.

        ``decode`` gives what the head takes, and the region of each query.
        """
        results = []
        for region_features in (features, features.roll(1, dims=1)):
            # The same dropout for both.
            with forked_rng(features.device):
                head_inputs, regions = decode(region_features)
                results.append(self.detection_losses(head_inputs, samples, regions)[0])
        return results[0], results[1]


def forked_rng(device: torch.device) -> AbstractContextManager[None]:
    """Draw random numbers, on the CPU and a device, without a change of those that come after."""
    return torch.random.fork_rng([device] if device.type == 'cuda' else [])

"""Instance masks from the object queries of a frozen detection transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from ..capture import Call, captured
from .frozen import freeze
from .wrapper import DetectorWrapper

# Side in pixels of the image that sizes and channels of maps are read from.
PROBE_SIZE = 128


@dataclass(frozen=True)
class _Observation:
    """Outputs of the frozen detector for N images.

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
        """Give what the mask head takes beside the queries, of one image."""
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
        init_cfg (dict, optional): Initialization. Defaults to None.

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
        levels, maps = self._probe()
        if memory_level is None:
            width = maps[0].shape[2] / 2
            offs = [abs(level.shape[2] / width - 1) for level in levels]
            memory_level = offs.index(min(offs))
        if not -len(levels) <= memory_level < len(levels):
            raise ValueError(
                f'model.memory_level = {memory_level}: the encoder of {name} has '
                f'{len(levels)} levels, 0 to {len(levels) - 1}'
            )
        self.memory_level = memory_level % len(levels)
        mask_head = ConfigDict(mask_head or dict(type='mmpixcon.QueryMaskHead'))
        self._fill(mask_head, 'in_channels', levels[self.memory_level].shape[1])
        self._fill(mask_head, 'fpn_channels', tuple(m.shape[1] for m in maps))
        self.mask_head = MODELS.build(mask_head)

    def _fill(self, mask_head: ConfigDict, key: str, channels: int | tuple[int, ...]) -> None:
        """Set channels in the head's config, or refuse those that are not the detector's."""
        value = mask_head.setdefault(key, channels)
        if (value if isinstance(value, int) else tuple(value)) != channels:
            raise ValueError(
                f'model.mask_head.{key} = {value}, but {type(self.detector).__name__} with '
                f'fpn_from = {self.fpn_from} gives {channels}; leave it out to have it filled in'
            )

    def train(self, mode: bool = True) -> QuerySegmentor:
        """Training mode for the mask head only.

        A detector in training mode would drop out, move batch norm's statistics
        and put denoising queries before its own.
        """
        super().train(mode)
        self.detector.eval()
        return self

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """DICE/F-1 loss of the masks of matched queries.

        Args:
            batch_inputs (Tensor): Images (N, 3, H, W).
            batch_data_samples (list[:obj:`DetDataSample`]): N samples with
                ``gt_instances`` of ``bboxes``, ``labels`` and ``masks``.

        Returns:
            dict: ``loss_mask``; 0 in the graph where no image has an object.

        Raises:
            ValueError: The data has no masks, or masks of another size than
                the image.
        """
        observation = self._observe(batch_inputs, batch_data_samples, rescale=False)
        queries, masks = [], []
        for index, sample in enumerate(batch_data_samples):
            query, target = self._match(observation, index, sample)
            queries.append(observation.queries[index, query])
            masks.append(_masks_of(sample, target, batch_inputs))
        mask = torch.cat(masks)
        avg_factor = reduce_mean(mask.new_tensor(float(len(mask)))).clamp(min=1).item()
        if not len(mask):
            # Every parameter, else DistributedDataParallel waits for the others.
            return dict(loss_mask=sum(p.sum() for p in self.mask_head.parameters()) * 0.0)
        logits = self.mask_head(queries, observation.memory, observation.maps, observation.padding)
        return dict(loss_mask=self.mask_head.loss(torch.cat(logits), mask, avg_factor))

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """The detector's predictions, with masks.

        Args:
            batch_inputs (Tensor): Images (N, 3, H, W).
            batch_data_samples (list[:obj:`DetDataSample`]): N samples.
            rescale (bool): Whether boxes and masks are those of the original
                image rather than of the input. Defaults to True.

        Returns:
            list[:obj:`DetDataSample`]: With ``pred_instances`` of ``bboxes``,
            ``scores`` and ``labels`` as the stock detector gives them, and
            ``masks``, bool (n, height, width) of the image.

        Raises:
            RuntimeError: The detector's head selects by more than the scores.
        """
        observation = self._observe(batch_inputs, batch_data_samples, rescale)
        for index, sample in enumerate(batch_data_samples):
            kept = self._kept_queries(observation, index, sample)
            # An object may be kept under several labels; its mask is made once.
            queries, place = kept.unique(return_inverse=True)
            size = tuple(sample.img_shape[:2])
            masks = self.mask_head.predict(
                observation.queries[index, queries],
                **observation.of_image(index),
                input_shape=tuple(batch_inputs.shape[2:]),
                img_shape=size,
                out_shape=tuple(sample.ori_shape[:2]) if rescale else size,
            )
            sample.pred_instances.masks = masks[place]
        return batch_data_samples

    @torch.no_grad()
    def _observe(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool
    ) -> _Observation:
        """Run the stock detector's own prediction; keep what it passes through.

        Its detections go into the samples.
        """
        parts = self._parts() | dict(memory=self.detector.encoder, head=self.detector.bbox_head)
        with captured(parts) as calls:
            self.detector.predict(batch_inputs, batch_data_samples, rescale=rescale)
        levels, maps = self._maps(calls)
        hidden_states = calls['head'].args[0]
        scores, boxes = calls['head'].output
        memory = calls['memory'].output
        sizes = [level.shape[2:].numel() for level in levels]
        if memory.dim() != 3 or memory.shape[1] != sum(sizes):
            raise ValueError(
                f'model.detector: the encoder gives {tuple(memory.shape)}, not '
                f'(N, {sum(sizes)}, C) as its maps have cells; masks need one output a cell'
            )
        memory = memory.split(sizes, dim=1)[self.memory_level].transpose(1, 2)
        memory = memory.unflatten(2, levels[self.memory_level].shape[2:])
        return _Observation(
            queries=hidden_states[-1],
            scores=scores,
            boxes=boxes,
            memory=memory,
            maps=maps,
            padding=_padding(batch_data_samples, batch_inputs, memory.shape[2:]),
        )

    def _parts(self) -> dict[str, nn.Module]:
        """The modules whose outputs are maps: of the encoder's input, of ``fpn_from``.

        Raises:
            ValueError: The backbone has no module of a name.
        """
        backbone = self.detector.backbone
        modules = dict(backbone.named_modules())
        missing = [name for name in self.fpn_from if name not in modules]
        if missing or not self.fpn_from:
            raise ValueError(
                f'model.fpn_from = {self.fpn_from}: {type(backbone).__name__} has no '
                f'{", ".join(map(repr, missing)) or "module without a name"}; it has '
                f'{", ".join(name for name, _ in backbone.named_children())}'
            )
        parts = {f'fpn {name}': modules[name] for name in self.fpn_from}
        return parts | dict(levels=self.detector.neck if self.detector.with_neck else backbone)

    def _maps(self, calls: Mapping[str, Call]) -> tuple[Sequence[Tensor], tuple[Tensor, ...]]:
        """Maps that the encoder takes in, and those of ``fpn_from``.

        Raises:
            ValueError: A module of ``fpn_from`` does not give a map.
        """
        maps = tuple(calls[f'fpn {name}'].output for name in self.fpn_from)
        for name, output in zip(self.fpn_from, maps):
            if not isinstance(output, Tensor) or output.dim() != 4:
                raise ValueError(
                    f'model.fpn_from: {name!r} of {type(self.detector.backbone).__name__} gives '
                    f'{type(output).__name__}, not a map (N, C, H, W); name a module that does'
                )
        return calls['levels'].output, maps

    @torch.no_grad()
    def _probe(self) -> tuple[Sequence[Tensor], tuple[Tensor, ...]]:
        """Maps of a small empty image, for their shapes."""
        like = next(self.detector.parameters())
        with captured(self._parts()) as calls:
            self.detector.extract_feat(like.new_zeros(1, 3, PROBE_SIZE, PROBE_SIZE))
        return self._maps(calls)

    def _match(
        self, observation: _Observation, index: int, sample: DetDataSample
    ) -> tuple[Tensor, Tensor]:
        """Queries of an image and the objects that the detector's assigner gives them.

        Returns:
            tuple[Tensor]: Indices of k queries and of their objects.
        """
        height, width = sample.img_shape[:2]
        boxes = bbox_cxcywh_to_xyxy(observation.boxes[-1, index])
        boxes = boxes * boxes.new_tensor([width, height, width, height])
        matching = self.detector.bbox_head.assigner.assign(
            pred_instances=InstanceData(scores=observation.scores[-1, index], bboxes=boxes),
            gt_instances=sample.gt_instances,
            img_meta=sample.metainfo,
        )
        query = (matching.gt_inds > 0).nonzero()[:, 0]
        return query, matching.gt_inds[query] - 1

    def _kept_queries(self, observation: _Observation, index: int, sample: DetDataSample) -> Tensor:
        """The query of each detection that the head keeps.

        The head does not tell. It is asked a second time, with the same scores
        and with boxes that spell the numbers of their queries.

        Raises:
            RuntimeError: It answers with other detections.
        """
        spelled = torch.zeros_like(observation.boxes[-1:, index : index + 1], dtype=torch.float32)
        number = torch.arange(spelled.shape[2], device=spelled.device)
        spelled[..., 0] = (number + 0.5) / len(number)
        (decoded,) = self.detector.bbox_head.predict_by_feat(
            observation.scores[-1:, index : index + 1],
            spelled,
            batch_img_metas=[sample.metainfo],
            rescale=False,
        )
        kept = sample.pred_instances
        if not (
            torch.equal(decoded.scores, kept.scores) and torch.equal(decoded.labels, kept.labels)
        ):
            raise RuntimeError(
                f'model.detector.bbox_head: {type(self.detector.bbox_head).__name__} selects '
                'detections by more than their scores, so their queries are not known; use a '
                'head that keeps the best scores, as that of DETR'
            )
        return (decoded.bboxes[:, 0] / sample.img_shape[1] * len(number)).long()


def _padding(samples: SampleList, batch_inputs: Tensor, size: Sequence[int]) -> Tensor:
    """Tell where cells are padding, (N, *size), as mmdet's detectors do."""
    padding = batch_inputs.new_ones(len(samples), 1, *batch_inputs.shape[2:])
    for mask, sample in zip(padding, samples):
        height, width = sample.img_shape[:2]
        mask[:, :height, :width] = 0
    return F.interpolate(padding, size=tuple(size))[:, 0].bool()


def _masks_of(sample: DetDataSample, target: Tensor, batch_inputs: Tensor) -> Tensor:
    """Masks of objects of a sample, (k, H, W) of the padded input.

    Raises:
        ValueError: There are none, or they are not of the image's size.
    """
    if 'masks' not in sample.gt_instances:
        raise ValueError(
            f'{sample.get("img_path", "an image")} has no masks: write '
            "dict(type='LoadAnnotations', with_bbox=True, with_mask=True) in the train_pipeline, "
            'and take an annotation file with segmentation'
        )
    masks = sample.gt_instances.masks
    input_shape = tuple(batch_inputs.shape[2:])
    if (masks.height, masks.width) not in (tuple(sample.img_shape[:2]), input_shape):
        raise ValueError(
            f'{sample.get("img_path", "an image")}: masks of {masks.height} x {masks.width} for an '
            f'image of {sample.img_shape[0]} x {sample.img_shape[1]}; leave out the step of the '
            'train_pipeline or of data_preprocessor.batch_augments that resizes images only'
        )
    masks = masks[target.cpu().numpy()].pad(input_shape)
    return masks.to_tensor(batch_inputs.dtype, batch_inputs.device)

"""Pretraining steps to measure, and the least that each must do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor, nn

from mmpixcon.models.pretext import DETReg, SiameseDETR
from mmpixcon.models.pretext.momentum_contrast import MomentumContrast
from mmpixcon.models.pretext.region_pretext import RegionPretext
from mmpixcon.models.pretext.siamese_detr import VIEWS, level_means


@dataclass
class Step:
    """A model, and functions of a step and of its floor that return what is differentiated.

    ``floor_model`` is the model of the floor, where that is another one.
    """

    model: nn.Module
    step: Callable[[], Tensor]
    floor: Callable[[], Tensor]
    floor_model: nn.Module | None = None


def tensors(value: Tensor | dict | Iterable) -> list[Tensor]:
    """All tensors of a nest."""
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [tensor for part in values for tensor in tensors(part)]


def loss_of(model: nn.Module, inputs: object, samples: object) -> Tensor:
    """Sum of a model's losses."""
    return sum(v for k, v in model(inputs, samples, mode='loss').items() if 'loss' in k)


def contrast_step(model: nn.Module, runs: nn.Module, batch: int, size: int, patch: int) -> Step:
    """Make the step of MoCo, DetCo, PLRC, Barlow Twins, VICReg, or mmselfsup's MoCo.

    Floor: forward and backward of the same images through backbone and heads, and a
    forward without gradient of the key images.

    Args:
        model (nn.Module): In training mode.
        runs (nn.Module): The same, maybe compiled.
        batch (int): Images.
        size (int): Pixels of a global view.
        patch (int): Pixels of a patch.
    """
    device = next(model.parameters()).device
    shapes = [(batch, 3, size, size)] * 2
    head = getattr(model, 'head', None)
    if getattr(head, 'uses_local', False):
        shapes += [(batch, head.num_patches, 3, patch, patch)] * 2
    # Random images in the place of normalized views.
    inputs = [torch.randn(shape, device=device) for shape in shapes]
    samples = view_samples(batch, size)
    floor = _stock_moco_floor if hasattr(model, 'encoder_k') else _contrast_floor
    return Step(model, lambda: loss_of(runs, inputs, samples), lambda: floor(model, inputs))


def view_samples(batch: int, size: int) -> list[SelfSupDataSample]:
    """Geometry of two views of each image: random crops of a photo with a 4 x 4 grid."""
    height, width = 480, 640
    edges = [np.linspace(0, side, 5) for side in (width, height)]
    grid = np.array(
        [
            [edges[0][i], edges[1][j], edges[0][i + 1], edges[1][j + 1]]
            for j in range(4)
            for i in range(4)
        ]
    )
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(batch):
        sides = rng.uniform(0.45, 1, 2)[:, None] * (width, height)
        corners = rng.uniform(0, 1, (2, 2)) * ((width, height) - sides)
        matrices = [
            np.diag([*(size / side), 1])
            @ np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]])
            for side, corner in zip(sides, corners)
        ]
        samples.append(
            SelfSupDataSample(
                metainfo=dict(
                    homography_matrix=np.stack(matrices),
                    img_shape=np.full((2, 2), size),
                    ori_shape=(height, width),
                    regions=grid,
                )
            )
        )
    return samples


def _stock_moco_floor(model: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Queries with gradient and keys without, of mmselfsup's MoCo."""
    queries = model.neck(model.backbone(inputs[0]))[0]
    with torch.no_grad():
        model.encoder_k.module(inputs[1])
    return queries.sum()


def _contrast_floor(model: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Queries with gradient and keys without; of Barlow Twins and VICReg both views."""
    if isinstance(model, MomentumContrast):
        queries = [*model.encode_queries(inputs).values()]
        model.encode_keys(*inputs[1::2])
    else:
        queries = [model.neck(model.backbone(view))[0] for view in inputs]
    return sum(query.sum() for query in queries)


def region_step(
    model: RegionPretext, runs: nn.Module, batch: int, size: int, patch: int, targets: int = 30
) -> Step:
    """Make the step of Siamese DETR, UP-DETR or DETReg, on as many pictures each.

    A view is a picture: Siamese DETR sees two of each of ``batch / 2`` images. Floor: a
    forward without gradient of pictures and crops through the backbone, and forward
    and backward of the transformer and of the heads, nothing else.

    Args:
        model (RegionPretext): In training mode.
        runs (nn.Module): The same, maybe compiled.
        batch (int): Pictures; for Siamese DETR even, at least 4.
        size (int): Pixels of a picture.
        patch (int): Pixels of a crop.
        targets (int): Regions of a picture where the model does not fix them. Defaults
            to DETReg's 30.

    Raises:
        ValueError: ``batch`` does not do for Siamese DETR.
    """
    device = next(model.parameters()).device
    images = torch.randn(batch, 3, size, size, device=device)
    count = getattr(model, 'num_regions', targets)
    samples = [_region_sample(size, patch, count, seed, device) for seed in range(batch)]
    inputs, data = images, samples
    if isinstance(model, SiameseDETR):
        if batch % 2 or batch < 4:
            raise ValueError(
                f'--batch {batch}: Siamese DETR takes pairs of pictures, and batch norm two pairs '
                'or more: make it even, and at least 4'
            )
        halves = (slice(None, batch // 2), slice(batch // 2, None))
        inputs = {view: images[half] for view, half in zip(VIEWS, halves)}
        data = {view: samples[half] for view, half in zip(VIEWS, halves)}
    with_crops = not isinstance(model, SiameseDETR) or model.head.needs_crops
    crops = torch.randn(batch * count if with_crops else 0, 3, patch, patch, device=device)
    return Step(
        model,
        lambda: loss_of(runs, inputs, data),
        lambda: _region_floor(model, images, crops, samples, count),
    )


def _region_sample(
    size: int, patch: int, count: int, seed: int, device: torch.device
) -> DetDataSample:
    """A picture with random regions, and their crops."""
    generator = torch.Generator().manual_seed(seed)
    sample = DetDataSample(
        metainfo=dict(img_shape=(size, size), batch_input_shape=(size, size), img_path='random')
    )
    corner = torch.rand(count, 2, generator=generator) * size * 0.6
    side = (torch.rand(count, 2, generator=generator) * 0.3 + 0.1) * size
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corner, corner + side], 1).to(device),
        labels=torch.zeros(count, dtype=torch.long, device=device),
    )
    shape = (count, 3, patch, patch)
    sample.crops = torch.randint(256, shape, generator=generator, dtype=torch.uint8).to(device)
    return sample


def _region_floor(
    model: RegionPretext, images: Tensor, crops: Tensor, samples: list[DetDataSample], count: int
) -> Tensor:
    """Everything that has weights, once."""
    maps = model.backbone_maps(images)
    if len(crops):
        model.backbone_maps(crops)
    head_inputs, encoded = model.decode(maps, samples)
    parts = ('hidden_states', 'references')
    outputs = list(
        model.detector.bbox_head(*[head_inputs[part] for part in parts if part in head_inputs])
    )
    states = head_inputs['hidden_states'][:, :, :count].flatten(0, 2)
    if isinstance(model, DETReg):
        outputs.append(model.embedding(states[-len(images) * count :]))
    elif model.head.loss_region is not None:
        outputs.append(model.head.feature_embed(states))
    if isinstance(model, SiameseDETR) and model.head.global_weight:
        for context in level_means(**encoded, num_levels=len(model.map_channels)).chunk(2):
            outputs.append(model.head.predictor(model.head.projector((context,)))[0])
    return sum(output.sum() for output in outputs)

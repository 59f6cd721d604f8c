"""Detections of any detector in photos and frames, whole or in tiles."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.ops import batched_nms
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.structures import InstanceData
from torch import Tensor

from mmpixcon.engine.checkpoint.kept_config import read_kept_config
from mmpixcon.engine.checkpoint.load_report import check_all_loaded
from mmpixcon.registry import DATASETS
from mmpixcon.utils.quiet import quiet_libraries

# Overlap of two detections of a class above which tiles have found the same object.
SAME_OBJECT = 0.5
# Share of a tile that the next one repeats, as SAHI has it.
OVERLAP = 0.2


@dataclass(frozen=True)
class Detector:
    """A detector that is ready for photos.

    Attributes:
        inferencer (DetInferencer): mmdet's, which holds the model and its test pipeline.
        classes (tuple[str, ...]): names of the classes.
    """

    inferencer: DetInferencer
    classes: tuple[str, ...]

    def detect(self, image: np.ndarray, tile: int | None = None) -> DetDataSample:
        """Detect objects in an image.

        Args:
            image (np.ndarray): BGR, uint8, (H, W, 3).
            tile (int, optional): pixels a side of the squares that the image is cut into, with a
                fifth of overlap; the whole image is looked at as well. Defaults to None, no tiles.

        Returns:
            DetDataSample: with ``pred_instances``, the best first, in pixels of the image.
        """
        corners = tile_corners(image.shape[:2], tile) if tile else []
        parts = [image, *(image[y : y + tile, x : x + tile] for x, y in corners if tile)]
        samples = [self._detect(part) for part in parts]
        if not corners:
            return samples[0]
        found = []
        for sample, (x, y) in zip(samples, [(0, 0), *corners], strict=True):
            boxes = sample.pred_instances.bboxes
            found.append(
                InstanceData(
                    bboxes=boxes + boxes.new_tensor([x, y, x, y]),
                    scores=sample.pred_instances.scores,
                    labels=sample.pred_instances.labels,
                )
            )
        merged = InstanceData.cat(found)
        _, kept = batched_nms(
            merged.bboxes, merged.scores, merged.labels, dict(type='nms', iou_threshold=SAME_OBJECT)
        )
        samples[0].pred_instances = merged[kept]
        return samples[0]

    @torch.no_grad()
    def feature_map(self, image: np.ndarray) -> Tensor:
        """Compute the last map of the backbone for an image.

        Args:
            image (np.ndarray): BGR, uint8, (H, W, 3).

        Returns:
            Tensor: (C, h, w), without the cells that are padding.
        """
        _, data = next(iter(self.inferencer.preprocess([image])))
        model = self.inferencer.model
        batch = model.data_preprocessor(data, False)
        features = model.backbone(batch['inputs'])[-1][0]
        # Images stand in the upper left of their padded ones.
        shares = (
            valid / padded
            for valid, padded in zip(
                batch['data_samples'][0].img_shape, batch['inputs'].shape[2:], strict=True
            )
        )
        height, width = (
            max(round(share * cells), 1)
            for share, cells in zip(shares, features.shape[1:], strict=True)
        )
        return features[:, :height, :width].cpu()

    @torch.no_grad()
    def _detect(self, image: np.ndarray) -> DetDataSample:
        _, data = next(iter(self.inferencer.preprocess([image])))
        return self.inferencer.forward(data)[0].cpu()


def tile_corners(shape: tuple[int, int], tile: int) -> list[tuple[int, int]]:
    """Cut an image into overlapping squares.

    Args:
        shape (tuple[int, int]): height and width.
        tile (int): pixels a side.

    Returns:
        list[tuple[int, int]]: x and y of the upper left corners; none if one tile would do.
    """

    def starts(length: int) -> list[int]:
        last = max(length - tile, 0)
        step = max(int(tile * (1 - OVERLAP)), 1)
        return [*range(0, last, step), last]

    if max(shape) <= tile:
        return []
    return [(x, y) for y in starts(shape[0]) for x in starts(shape[1])]


def load_detector(
    checkpoint: str | Path, config: str | Path | None = None, device: str | None = None
) -> Detector:
    """Load a detector that mmpixcon or stock mmdet trained.

    Args:
        checkpoint (str | Path): checkpoint of the detector, also within a method's model.
        config (str | Path, optional): config of the detector. Defaults to None, that which the
            checkpoint keeps.
        device (str, optional): device. Defaults to None, the best there is.

    Returns:
        Detector: detector in evaluation mode.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The checkpoint keeps no config, or one that may run code, it is of no
            detector, or of another one than the config, or nothing names its classes.
    """
    for path in (checkpoint, config):
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f'{path} does not exist')
    state = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu', logger='silent')
    meta: dict[str, Any] = state.get('meta') or {}
    if config is not None:
        cfg = Config.fromfile(config)
    elif meta.get('cfg'):
        cfg = read_kept_config(meta['cfg'], str(checkpoint))
    else:
        raise ValueError(f'{checkpoint} contains no config: give one with --config CONFIG')
    # A method's model holds the stock detector, whose weights have their stock names.
    if 'detector' in cfg.model:
        cfg.model = cfg.model.detector
    if not cfg.get('test_dataloader'):
        raise ValueError(
            f'{checkpoint} is of {cfg.model.type}, which detects nothing yet: fine-tune a detector '
            'from it first'
        )
    # Else mmengine warns that it has no folder for pictures, which are not its to write.
    if cfg.get('visualizer'):
        cfg.visualizer.vis_backends = []
    init_default_scope('mmdet')
    # What is loaded is looked at below.
    with quiet_libraries(), warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'dataset_meta or class names are not saved')
        inferencer = DetInferencer(cfg, str(checkpoint), device=device, show_progress=False)
    check_all_loaded(inferencer.model, state.get('state_dict', state), str(checkpoint))
    dataset_meta = inferencer.model.dataset_meta
    # Where a checkpoint names no classes, mmdet takes those of COCO.
    if not {'dataset_meta', 'CLASSES'} & meta.keys():
        dataset_meta['classes'] = _classes_of_config(cfg, checkpoint)
    return Detector(inferencer, tuple(dataset_meta['classes']))


def _classes_of_config(cfg: Config, checkpoint: str | Path) -> Sequence[str]:
    """Read the names of the classes of a config's test data, without its annotations."""
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'lazy_init': True})
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ValueError(
            f'neither {checkpoint} nor its config names the classes: set '
            'test_dataloader.dataset.metainfo.classes'
        )
    return classes

"""Backbones out of any checkpoint, for tools that look at features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmpixcon.datasets.data_files import packs_rgb
from mmpixcon.datasets.unlabelled import SUFFIXES
from mmpixcon.engine.checkpoint.pretrained_init import ReportingPretrainedInit
from mmpixcon.registry import MODELS
from mmpixcon.utils.images import read_image

from .config import merge_options

# Under what name a checkpoint may keep a backbone: the teacher's is that of mmdet's
# semi-supervised detectors; the empty one is a bare backbone.
PREFIXES = ('backbone.', 'module.backbone.', 'module.encoder_q.', 'teacher.backbone.', '')


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone in evaluation mode and what its images need.

    Attributes:
        backbone (nn.Module): Gives a tuple of maps (N, C, h, w).
        mean (Tensor): (3, 1, 1), in the order of the channels that it takes.
        std (Tensor): (3, 1, 1).
        bgr_to_rgb (bool): Whether it takes RGB; files are read as BGR.
    """

    backbone: nn.Module
    mean: Tensor
    std: Tensor
    bgr_to_rgb: bool

    @torch.no_grad()
    def maps(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """Feature maps.

        Args:
            images (np.ndarray): BGR, uint8, (N, H, W, 3).

        Returns:
            tuple[Tensor]: (N, C_i, h_i, w_i) each.
        """
        if self.bgr_to_rgb:
            images = images[..., ::-1]
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
        return tuple(self.backbone((batch - self.mean) / self.std))


def load_backbone(
    config: str | Path, checkpoint: str | Path, options: Mapping[str, Any] | None = None
) -> LoadedBackbone:
    """Build the backbone of a config and fill it from a checkpoint.

    Args:
        config (str | Path): config of a detector, a wrapped detector or a pretraining
            method, of mmpixcon, mmdet or mmselfsup.
        checkpoint (str | Path): checkpoint of that model, of another one with the same
            backbone, or of the backbone alone; a file, or a name as ``init_cfg`` takes it, such
            as ``efficientnet-lite://lite0``.
        options (Mapping[str, Any], optional): Settings of the config that change, dotted, such as
            the backbone's strides. Defaults to None.

    Returns:
        LoadedBackbone: In evaluation mode.

    Raises:
        FileNotFoundError: A file is missing.
        KeyError: The config has no backbone.
        RuntimeError: The checkpoint does not have the backbone's weights.
    """
    for kind, path in (('config', config), ('checkpoint', checkpoint)):
        if '://' not in str(path) and not Path(path).is_file():
            raise FileNotFoundError(f'{kind} {path} does not exist')
    cfg = Config.fromfile(config)
    merge_options(cfg, options or {})
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = cfg.get('model', ConfigDict())
    model = model.get('detector', model)
    if 'backbone' not in model:
        raise KeyError(f'{config} has neither model.backbone nor model.detector.backbone')
    backbone_cfg = ConfigDict(model.backbone.to_dict(), init_cfg=None)
    backbone = MODELS.build(backbone_cfg)
    state = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
    keys = state.get('state_dict', state)
    prefix = next(p for p in PREFIXES if any(key.startswith(p) for key in keys))
    ReportingPretrainedInit(str(checkpoint), prefix or None, min_loaded=0.9)(backbone)
    # Not chained: mmdet's backbones return nothing from train() and eval().
    backbone.eval()
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    mean = torch.tensor(preprocessor.get('mean', (0.0, 0.0, 0.0))).view(3, 1, 1)
    std = torch.tensor(preprocessor.get('std', (1.0, 1.0, 1.0))).view(3, 1, 1)
    takes_rgb = preprocessor.get('bgr_to_rgb', False) or packs_rgb(cfg)
    return LoadedBackbone(backbone, mean.float(), std.float(), bool(takes_rgb))


def read_photo(path: str | Path) -> np.ndarray:
    """Read a photo.

    Args:
        path (str | Path): image file.

    Returns:
        np.ndarray: BGR, uint8, (h, w, 3).

    Raises:
        ValueError: It cannot be read; the message says why.
    """
    image, reason = read_image(path)
    if image is None:
        raise ValueError(f'{path} cannot be read as an image: {reason}')
    return image


def read_square(path: str | Path, size: int) -> np.ndarray:
    """Read a photo as :func:`read_photo` does, and resize it to a square.

    Args:
        path (str | Path): image file.
        size (int): pixels a side.

    Returns:
        np.ndarray: BGR, uint8, (size, size, 3).
    """
    return mmcv.imresize(read_photo(path), (size, size), interpolation='area')


def find_images(paths: list[str | Path], limit: int | None = None) -> list[Path]:
    """Image files, those of folders in the order of their names.

    Args:
        paths (list[str | Path]): Files and folders.
        limit (int, optional): largest number of images. Defaults to None, all.

    Returns:
        list[Path]: The files.

    Raises:
        FileNotFoundError: A path is missing, or there are none.
    """
    images: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist')
        inside = sorted(path.rglob('*')) if path.is_dir() else [path]
        images += [p for p in inside if p.suffix.lower() in SUFFIXES]
    if not images:
        raise FileNotFoundError(f'no images in {", ".join(map(str, paths))}')
    return images[:limit]

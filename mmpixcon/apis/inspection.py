"""Detectors and photos as they see them, for tools that look inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.structures import SampleList
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader, load_state_dict
from torch import Tensor, nn

from mmpixcon.engine.checkpoint.load_report import report_loading
from mmpixcon.registry import MODELS

from .config import merge_options
from .runner import check_checkpoint


@dataclass(frozen=True)
class DetectorInput:
    """A photo as a detector sees it.

    Attributes:
        image (np.ndarray): BGR, uint8, (h, w, 3), resized, without padding.
        scale (tuple[float, float]): factors by which width and height of the file were resized.
        inputs (Tensor): (1, 3, H, W), normalized and padded.
        samples (SampleList): the one sample of the image.
    """

    image: np.ndarray
    scale: tuple[float, float]
    inputs: Tensor
    samples: SampleList


@dataclass(frozen=True)
class InspectedDetector:
    """A detector in evaluation mode and what its photos need.

    Attributes:
        detector (nn.Module): mmdet's, without a wrapper.
        preprocessor (nn.Module): Normalizes and pads.
        pipeline (Compose): pipeline of the config's test data, without annotations.
    """

    detector: nn.Module
    preprocessor: nn.Module
    pipeline: Compose

    def read(self, path: str | Path) -> DetectorInput:
        """Read a photo as in testing.

        Args:
            path (str | Path): Image file.

        Returns:
            DetectorInput: On the detector's device.
        """
        data = self.pipeline(dict(img_path=str(path), img_id=0))
        image = data['inputs'].permute(1, 2, 0).contiguous().numpy()
        batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        batch = self.preprocessor(batch, False)
        sample = batch['data_samples'][0]
        scale = tuple(sample.get('scale_factor', (1.0, 1.0)))
        return DetectorInput(image, scale, batch['inputs'], batch['data_samples'])


def load_for_inspection(
    config: str | Path,
    checkpoint: str | Path | None = None,
    device: str | torch.device = 'cpu',
    options: Mapping[str, Any] | None = None,
) -> InspectedDetector:
    """Build a detector and fill it from a checkpoint.

    Args:
        config (str | Path): config of a detector, stock or wrapped.
        checkpoint (str | Path, optional): checkpoint of it, or of one with other classes or none:
            layers that give classes may be missing. Defaults to None, the weights that a training
            of the config begins with: ``load_from``, or those of ``init_cfg``.
        device (str | torch.device): device that the detector runs on. Defaults to 'cpu'.
        options (Mapping[str, Any], optional): settings of the config that change, dotted, such as
            the size of photos. Defaults to None.

    Returns:
        InspectedDetector: In evaluation mode.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The config is not for testing, but for pretraining.
        RuntimeError: The checkpoint is of another architecture.
    """
    if not Path(config).is_file():
        raise FileNotFoundError(f'config {config} does not exist')
    cfg = Config.fromfile(config)
    merge_options(cfg, options or {})
    checkpoint = checkpoint or cfg.get('load_from')
    if checkpoint:
        check_checkpoint(str(checkpoint), 'checkpoint')
    if not cfg.get('test_dataloader'):
        raise ValueError(
            f'{config} has no test_dataloader to read photos with: give the config of the stock '
            'detector, such as one that the checkpoint is fine-tuned with'
        )
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    if checkpoint:
        state = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
        state = state.get('state_dict', state)
        report_loading(model, state, str(checkpoint), 0.9, 'min_loaded')
        load_state_dict(model, state, logger='silent')
    else:
        model.init_weights()
    model.to(device).eval()
    # Boxes are not looked at.
    steps = [s for s in get_test_pipeline_cfg(cfg) if 'LoadAnnotations' not in s['type']]
    return InspectedDetector(
        getattr(model, 'detector', model), model.data_preprocessor, Compose(steps)
    )

"""Checkpoints of detectors without a training."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpixcon.registry import MODELS


def save_detector(config: Path, path: Path, distinct: bool = False) -> Path:
    """Save a checkpoint of random weights, as a training on BCCD does.

    Args:
        config (Path): Config of a detector.
        path (Path): File to write.
        distinct (bool): Whether its scores are to differ from place to place. Defaults to False.
    """
    init_default_scope('mmdet')
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    # Building a model may put tensors into its config.
    text = cfg.pretty_text
    model = MODELS.build(cfg.model)
    model.init_weights()
    for key, parameter in model.named_parameters():
        if distinct and key.startswith(('bbox_head', 'roi_head')) and 'cls' in key:
            torch.nn.init.normal_(parameter, std=0.1)
    meta = dict(cfg=text, dataset_meta=dict(classes=('RBC', 'WBC', 'Platelets')))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path

"""Short trainings of shipped configs, and what they left."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor

from mmpixcon.datasets.data_files import set_data_root
from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS, shipped_config


def quick(name: str, root: Path, work_dir: Path, **options: object) -> Config:
    """A shipped small config for two short epochs on few images."""
    options = {
        'train_dataloader__batch_size': 4,
        'train_dataloader__dataset__indices': 8,
        'train_cfg__max_epochs': 2,
        'train_cfg__val_interval': 2,
        'val_dataloader__dataset__indices': 8,
        'randomness': dict(seed=0),
    } | options
    return shipped_config(name, root, work_dir, **options)


def weights(runner: Runner) -> dict[str, Tensor]:
    """A copy of the state of the model."""
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def scalars(runner: Runner, name: str) -> list[float]:
    """What was logged under a name, a value an iteration."""
    return list(runner.message_hub.get_scalar(name).data[0])


def quick_pretraining(name: str, root: Path, work_dir: Path, **options: object) -> Config:
    """A shipped small config for two epochs of two iterations."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=4)
    set_data_root(cfg, str(root))
    cfg.train_dataloader.dataset.indices = 8
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint.interval = 1
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.randomness = dict(seed=0)
    # A visualizer lives as long as the process, under its name.
    cfg.visualizer.name = str(work_dir)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    return cfg


def model_of(path: Path) -> torch.nn.Module:
    """The detector of a config, or that within its pretext model."""
    cfg = Config.fromfile(path).model
    cfg.get('detector', cfg).backbone.init_cfg = None
    return MODELS.build(copy.deepcopy(cfg))

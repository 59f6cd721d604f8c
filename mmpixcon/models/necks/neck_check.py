"""A check that a backbone and a batch fit a projector."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def check_neck_inputs(model: nn.Module) -> None:
    """Let a neck of mmselfsup name the setting that does not fit.

    By itself it tells shapes of a matrix product, or nothing.

    Args:
        model (nn.Module): model whose ``neck`` is looked at, if it pools a map and begins with a
            linear layer; others stay as they are. From then on it raises a ValueError for
            several maps, for one of another number of channels, and for a single image where
            its batch norm needs two.
    """
    neck: Any = getattr(model, 'neck', None)
    if not getattr(neck, 'with_avg_pool', False):
        return
    first = next((module for module in neck.modules() if isinstance(module, nn.Linear)), None)
    if first is None:
        return

    norms = [module for module in neck.modules() if isinstance(module, _BatchNorm)]

    def check(module: nn.Module, args: tuple) -> None:
        maps = args[0]
        if len(maps) != 1:
            raise ValueError(
                f'model.backbone gives {len(maps)} maps, model.neck takes one: set '
                'model.backbone.out_indices to the last stage alone'
            )
        shared = get_world_size() > 1 and all(isinstance(n, nn.SyncBatchNorm) for n in norms)
        if norms and module.training and len(maps[0]) == 1 and not shared:
            raise ValueError(
                'train_dataloader.batch_size: batch norm in model.neck needs two images or more in '
                'every batch, got 1: raise it, and set train_dataloader.drop_last=True'
            )
        channels = maps[0].shape[1] if isinstance(maps[0], Tensor) else first.in_features
        if channels != first.in_features:
            raise ValueError(
                f'model.neck.in_channels = {first.in_features}, but model.backbone gives '
                f'{channels} channels: set model.neck.in_channels={channels}'
            )

    neck.register_forward_pre_hook(check)

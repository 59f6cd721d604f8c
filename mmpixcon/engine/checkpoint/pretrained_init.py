"""Initializing a module from a checkpoint, with a report of what was loaded."""

from __future__ import annotations

from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS as ROOT_INITIALIZERS
from mmengine.runner.checkpoint import CheckpointLoader, _load_checkpoint_with_prefix
from torch import nn

from mmpixcon.registry import WEIGHT_INITIALIZERS

from .load_report import report_loading


# In mmengine's own registry as well: the configs keep mmdet's default scope, in
# which `Pretrained` is mmengine's.
@ROOT_INITIALIZERS.register_module(name='Pretrained', force=True)
@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class ReportingPretrainedInit(PretrainedInit):
    """mmengine's ``Pretrained``, which says what it loaded.

    Args:
        checkpoint (str): File, URL or ``torchvision://`` name.
        prefix (str, optional): Part of the checkpoint to take, for example
            ``'backbone.'``. Defaults to None, everything.
        map_location (str): device that tensors are put on. Defaults to 'cpu'.
        min_loaded (float): Least share of the module's tensors that the
            checkpoint must have, 0 to 1. Defaults to 0.5.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: str = 'cpu',
        min_loaded: float = 0.5,
    ) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.min_loaded = min_loaded

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into a module.

        Args:
            module (nn.Module): The module to initialize.

        Raises:
            RuntimeError: The checkpoint has less than ``min_loaded`` of the
                module's tensors.
        """
        if self.prefix is None:
            content = CheckpointLoader.load_checkpoint(self.checkpoint, self.map_location)
            state_dict = content.get('state_dict', content)
        else:
            state_dict = _load_checkpoint_with_prefix(
                self.prefix, self.checkpoint, self.map_location
            )
        report_loading(
            module,
            state_dict,
            self.checkpoint,
            self.min_loaded,
            key='init_cfg.min_loaded',
            prefix=self.prefix or '',
        )
        super().__call__(module)

"""Convolutions in the memory format that GPUs prefer."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpixcon.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Trains any model with the channels of its maps innermost in memory.

    An option, for configs of other packages too::

        default_hooks = dict(channels_last=dict(type='mmpixcon.ChannelsLastHook'))

    Only the weights of convolutions are laid out anew. The first convolution then gives maps
    of the same format, and every layer after it keeps it, so that images need no conversion of
    their own. Shapes, losses and names in checkpoints stay what they were.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Lay out the weights, those of a momentum encoder too.

        They are initialized or loaded by now: random numbers would fall on other weights in
        another format.
        """
        runner.model.to(memory_format=torch.channels_last)

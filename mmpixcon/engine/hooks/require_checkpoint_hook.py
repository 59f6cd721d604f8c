"""Stops a run that was to start from a checkpoint and did not."""

from __future__ import annotations

import re

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmpixcon.models.detectors.frozen import CLASS_LAYERS
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS

from ..checkpoint.load_report import compare_state_dicts

_EXAMPLES = 5


@HOOKS.register_module()
class RequireCheckpointHook(Hook):
    """Lets a training run begin only with weights from a checkpoint.

    A linear probe of random weights, or fine-tuning from them, runs as well and
    gives numbers that look like results. The checkpoint may come by
    ``load_from`` or by resuming.

    Args:
        frozen_too (bool): Whether each parameter that does not learn must come
            from the checkpoint, since it would stay random for good. Defaults
            to True.
        whole (bool): Whether everything must come from the checkpoint, but for layers
            that depend on the classes: a detector of another variant has a part of
            it and would train as well. Defaults to False.
    """

    def __init__(self, frozen_too: bool = True, whole: bool = False) -> None:
        self.frozen_too = frozen_too
        self.whole = whole
        self._loaded = False
        self._random: list[str] = []
        self._lacking: list[str] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note what does not learn and is not in the checkpoint."""
        model = unwrap(runner.model)
        self._loaded = True
        # Under the names of a checkpoint, the parameters themselves.
        tensors = model.state_dict(keep_vars=True)
        report = compare_state_dicts(
            tensors,
            checkpoint.get('state_dict', checkpoint),
            getattr(model, 'expected_missing_prefixes', ()),
        )
        absent = [
            name
            for name in (*report.missing, *report.mismatched)
            if isinstance(tensors[name], nn.Parameter)
        ]
        self._random = [name for name in absent if not tensors[name].requires_grad]
        self._lacking = [name for name in absent if not re.search(CLASS_LAYERS, name)]

    def before_train(self, runner: Runner) -> None:
        """Refuse to begin.

        Raises:
            ValueError: No checkpoint was loaded, or it lacks a parameter that
                does not learn, or with ``whole`` any that knows no classes.
        """
        if not self._loaded:
            raise ValueError(
                'load_from: this config starts from a checkpoint, and none was loaded. Give one '
                'of the same detector, trained on other data: --cfg-options load_from=PATH '
                '(--resume goes on with an interrupted run that has saved one).'
            )
        if self.whole and self._lacking:
            raise ValueError(
                f'load_from: {len(self._lacking)} parameters are not in the checkpoint, or have '
                f'another shape there: {_examples(self._lacking)}. Give one of the same detector, '
                'of the same variant and size. To start from a backbone or another part on '
                'purpose, set whole=False of RequireCheckpointHook in custom_hooks.'
            )
        if self.frozen_too and self._random:
            raise ValueError(
                f'load_from: {len(self._random)} parameters do not learn and are not in the '
                f'checkpoint, or have another shape there, so they would stay random: '
                f'{_examples(self._random)}. Give a checkpoint of the same '
                'detector, or let them learn (model.trainable of FrozenDetector). If they are '
                'meant to come from elsewhere, such as an init_cfg, set '
                'custom_hooks.RequireCheckpointHook.frozen_too=False.'
            )


def _examples(names: list[str]) -> str:
    """The first few."""
    return ', '.join(names[:_EXAMPLES]) + (', ...' if len(names) > _EXAMPLES else '')

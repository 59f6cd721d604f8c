"""Stops a training before a loss that is not finite reaches the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.task_modules.assigners import HungarianAssigner
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.optim import Optimizer

from mmpixcon.models.task_modules import FiniteHungarianAssigner, NonFiniteError
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS


@dataclass
class _Losses:
    """Flags of the finite losses of a batch, known to the CPU once ``copied`` is over."""

    names: list[str]
    finite: Tensor
    copied: torch.cuda.Event | None
    batch: Any


@dataclass
class _Gradients:
    """Flag of the finite gradients of a step, known to the CPU once ``copied`` is over."""

    finite: Tensor
    copied: torch.cuda.Event | None
    optimizer: Optimizer
    batch: Any


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops any model's training before NaN or infinity in a loss reaches its weights.

    The losses are looked at when the optimizer is about to step. Their copy to the CPU is begun
    before the backward pass, so that the device does not wait for it. Gradients that are not
    finite, though the losses are, stop it as well: before the step on a CPU, and on a GPU, which
    would have to wait, before the next step and before anything is saved. Steps that a gradient
    scaler leaves out are not errors, but a run of them is. Stock Hungarian matching names costs
    that are not finite in the place of SciPy's bare error.

    Args:
        max_skipped (int): number of steps that a gradient scaler may leave out in sequence.
            Defaults to 20: by then it has halved its scale from 65536 to below 1.

    Raises:
        ValueError: ``max_skipped`` is below 1.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_skipped: int = 20) -> None:
        if max_skipped < 1:
            raise ValueError(
                f'custom_hooks: FiniteLossHook: max_skipped = {max_skipped} must be at least 1'
            )
        self.max_skipped = max_skipped
        self._skipped = 0
        self._pending: list[_Losses] = []
        self._batch: Any = None
        self._gradients: _Gradients | None = None
        self._names: dict[int, str] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen to the model's losses and to the optimizer."""
        model = unwrap(runner.model)
        self._names = {id(p): name for name, p in model.named_parameters()}
        for module in model.modules():
            if type(getattr(module, 'assigner', None)) is HungarianAssigner:
                module.assigner = FiniteHungarianAssigner.like(module.assigner)
        parse_losses = model.parse_losses

        def parse(losses: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
            self._note(losses)
            return parse_losses(losses)

        model.parse_losses = parse
        wrapper = runner.optim_wrapper
        wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        for part in wrappers:
            part.optimizer.register_step_pre_hook(self._before_step)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, to name its images."""
        self._batch = data_batch

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Count the steps that the gradient scaler left out.

        Raises:
            NonFiniteError: It left out too many in sequence.
        """
        if isinstance(runner.optim_wrapper, OptimWrapperDict):
            self._pending.clear()
        elif not self._pending:
            self._skipped = 0
        elif runner.optim_wrapper.should_update():
            self._skipped += 1
            if self._skipped > self.max_skipped:
                broken = [name for losses in self._pending for name in _broken(losses)]
                raise NonFiniteError(
                    f'{self._skipped} steps in sequence were left out, since gradients are not '
                    f'finite at any loss scale'
                    + (f'; nor are {", ".join(dict.fromkeys(broken))}' if broken else '')
                    + f'. Images of the last batch: {_images(self._batch)}. {_REMEDY}'
                )
            self._pending.clear()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save nothing after a step with gradients that were not finite."""
        self._look_at_gradients()

    def after_train(self, runner: Runner) -> None:
        """Look at the gradients of the last step."""
        self._look_at_gradients()

    def _note(self, losses: Mapping[str, Any]) -> None:
        """Begin to copy whether the terms of the loss are finite."""
        terms = {name: value for name, value in losses.items() if 'loss' in name}
        if not terms:
            return
        sums = [
            torch.stack([v.detach().float().sum() for v in value]).sum()
            if isinstance(value, (list, tuple))
            else value.detach().float().sum()
            for value in terms.values()
        ]
        finite = torch.stack(sums).isfinite()
        copied = None
        if finite.is_cuda:
            finite = finite.to('cpu', non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        self._pending.append(_Losses([*terms], finite, copied, self._batch))

    def _before_step(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        """Look at the losses of all batches since the last step."""
        pending, self._pending = self._pending, []
        for losses in pending:
            broken = _broken(losses)
            if broken:
                raise NonFiniteError(
                    f'{", ".join(broken)} not finite; images of the batch: '
                    f'{_images(losses.batch)}. No step was taken: the last checkpoint is good, '
                    f'go on from it with --resume. {_REMEDY}'
                )
        if optimizer is not None:
            self._note_gradients(optimizer)

    def _note_gradients(self, optimizer: Optimizer) -> None:
        """Begin to copy whether the gradients are finite."""
        self._look_at_gradients()
        gradients = [
            parameter.grad
            for group in optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None and not parameter.grad.is_sparse
        ]
        if not gradients:
            return
        finite = torch.stack([n.float() for n in torch._foreach_norm(gradients)]).isfinite().all()
        copied = None
        if finite.is_cuda:
            finite = finite.to('cpu', non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        self._gradients = _Gradients(finite, copied, optimizer, self._batch)
        if copied is None:
            self._look_at_gradients()

    def _look_at_gradients(self) -> None:
        """Look at the gradients that were noted last.

        Raises:
            NonFiniteError: They are not finite.
        """
        noted, self._gradients = self._gradients, None
        if noted is None:
            return
        if noted.copied is not None:
            noted.copied.synchronize()
        if bool(noted.finite):
            return
        broken = [
            self._names.get(id(parameter), 'a parameter')
            for group in noted.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None and not bool(parameter.grad.isfinite().all())
        ]
        some = ', '.join(broken[:3]) + (f' and {len(broken) - 3} more' if len(broken) > 3 else '')
        taken = 'No step was taken' if noted.copied is None else 'Nothing was saved after it'
        raise NonFiniteError(
            f'gradients of {some or "some parameters"} not finite, though the losses are; images '
            f'of the batch: {_images(noted.batch)}. {taken}: the last checkpoint is good, go on '
            f'from it with --resume. {_REMEDY}'
        )


_REMEDY = (
    'Check the boxes and pixels of these images; else lower optim_wrapper.optimizer.lr, or train '
    'without --amp.'
)


def _broken(losses: _Losses) -> list[str]:
    """Names of the terms that are not finite."""
    if losses.copied is not None:
        losses.copied.synchronize()
    return [name for name, ok in zip(losses.names, losses.finite.tolist()) if not ok]


def _images(batch: Any) -> str:
    """Names of the images of a batch."""
    return ', '.join(dict.fromkeys(_paths(batch))) or 'unknown, without img_path'


def _paths(batch: Any) -> Iterator[str]:
    """Walk a batch, whatever it is built of."""
    if isinstance(batch, BaseDataElement):
        if 'img_path' in batch:
            yield str(batch.img_path)
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _paths(value)
    elif isinstance(batch, (list, tuple)):
        for value in batch:
            yield from _paths(value)

"""Checkpoints that every supported torch loads, and that resume exactly."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS

from ..checkpoint.class_names import check_class_names
from ..checkpoint.load_report import check_all_loaded, report_loading
from ..checkpoint.plain import from_plain, to_plain
from ..checkpoint.safe_files import pointed_checkpoint

_RANDOM = 'random_state'


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Save plain types, report what is loaded, resume the random numbers.

    - What is saved loads with ``torch.load(weights_only=True)``, without an
      allow-list, and is restored to what mmengine expects when loaded.
    - Loading (``load_from``, ``--resume``, testing) prints how many tensors
      were loaded, missing, unexpected or of another shape, and fails below
      ``min_loaded``. Testing and resuming fail where any is missing: a head
      with random weights would be measured, or trained from the middle of a
      schedule.
    - The states of Python's, numpy's and torch's random generators are saved
      and restored on resuming. Validation leaves them as they were. So with
      ``num_workers=0`` and ``EpochBasedTrainLoop`` or
      ``ResumableIterBasedTrainLoop`` a run that was stopped at a checkpoint and
      resumed has the weights of one that was not. Of several processes only
      the first saves its state; the others get new states that follow from it
      and from their rank.

    Args:
        min_loaded (float): Least share of the model's tensors that a
            checkpoint must have to train from it, 0 to 1. Tensors under the model's
            ``expected_missing_prefixes`` don't count. Defaults to 0.5.
    """

    # After every hook that adds to a checkpoint or changes its keys.
    priority = 'VERY_LOW'

    def __init__(self, min_loaded: float = 0.5) -> None:
        if not 0 <= min_loaded <= 1:
            raise ValueError(f'min_loaded is a share, 0 to 1, but is {min_loaded}')
        self.min_loaded = min_loaded
        self._resumed: dict[str, Any] | None = None
        self._before_val: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the random states and turn everything into plain types."""
        # In and just after an evaluation, the state that training will go on with.
        checkpoint[_RANDOM] = self._before_val or get_random_state()
        checkpoint.update(to_plain(checkpoint))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Report what the model takes, then restore what mmengine expects.

        Raises:
            RuntimeError: Less than ``min_loaded`` of the model's tensors are
                in the checkpoint with their shape.
            ValueError: The model is to be tested or a run resumed, and a tensor
                is missing, or the classes to test on have another order.
        """
        model = unwrap(runner.model)
        tensors = checkpoint.get('state_dict', checkpoint)
        path = _path_of_loading(runner)
        # Only training builds its loop; asking for it would read the training data.
        is_training = isinstance(runner._train_loop, BaseLoop)
        if not is_training or runner._resume:
            check_all_loaded(model, tensors, path)
        report_loading(
            model,
            tensors,
            path,
            self.min_loaded,
            key='custom_hooks.PlainCheckpointHook.min_loaded',
        )
        for section in ('meta', 'message_hub'):
            if section in checkpoint:
                checkpoint[section] = from_plain(checkpoint[section])
        if is_training:
            self._keep_dataset_meta(runner, checkpoint)
        else:
            self._check_class_names(runner, checkpoint, path)
        self._resumed = checkpoint.get(_RANDOM)

    def before_train_epoch(self, runner: Runner) -> None:
        """Restore the random states, once, as late as possible before the first batch."""
        # A checkpoint that was only loaded from starts a run of its own.
        if self._resumed is not None and runner._resume:
            set_random_state(self._resumed, get_rank())
        self._resumed = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Note the random states, so that a run doesn't depend on when it is validated."""
        # Before the first epoch of a resumed run, what is to be restored has not been yet.
        waiting = self._resumed if runner._resume else None
        self._before_val = waiting or get_random_state()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the random states back."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None

    @staticmethod
    def _check_class_names(runner: Runner, checkpoint: dict, path: str) -> None:
        """Compare the classes of a checkpoint with those of the data of the loop that runs."""
        for loop in (runner._test_loop, runner._val_loop):
            if isinstance(loop, BaseLoop):
                trained = checkpoint.get('meta', {}).get('dataset_meta')
                tested = getattr(loop.dataloader.dataset, 'metainfo', None)
                check_class_names(trained, tested, path)

    @staticmethod
    def _keep_dataset_meta(runner: Runner, checkpoint: dict) -> None:
        """Spare a false alarm: mmengine compares pickles, which differ for equal classes."""
        dataset: Any = getattr(runner.train_dataloader, 'dataset', None)
        saved = checkpoint.get('meta', {}).get('dataset_meta')
        if saved is None or not hasattr(dataset, 'metainfo'):
            return
        sides = [to_plain({'meta': meta}) for meta in (saved, dataset.metainfo)]
        if repr(sides[0]) == repr(sides[1]):
            checkpoint['meta']['dataset_meta'] = dataset.metainfo


def get_random_state() -> dict[str, Any]:
    """Collect the states of all random generators as plain types.

    Returns:
        dict: ``python``, ``numpy``, ``torch`` and, where CUDA was used,
        ``cuda``, a list of one state for each device.
    """
    state_of_numpy: Any = np.random.get_state()
    name, keys, position, has_gauss, gauss = state_of_numpy
    state = {
        'python': random.getstate(),
        # uint32, which older torch has no tensors of.
        'numpy': (name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any], rank: int = 0) -> None:
    """Restore the states of all random generators.

    Args:
        state (dict): states of process 0, as ``get_random_state`` returned them.
        rank (int): rank of this process. Others than 0 get states of their own,
            which follow from the saved one. Defaults to 0.
    """
    version, internal, gauss_next = state['python']
    random.setstate((version, tuple(internal), gauss_next))
    name, keys, position, has_gauss, gauss = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, gauss))
    # Generators take their states from the host, wherever a checkpoint was loaded to.
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        cuda = [device_state.cpu() for device_state in state['cuda']]
        torch.cuda.set_rng_state_all(cuda[: torch.cuda.device_count()])
    if rank:
        seed = (random.getrandbits(31) + rank) % 2**31
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


def _path_of_loading(runner: Runner) -> str:
    """Name the checkpoint that a runner was told to load."""
    if runner._load_from is None and runner._resume:
        return str(pointed_checkpoint(runner.work_dir) or 'the checkpoint')
    return runner._load_from or 'the checkpoint'

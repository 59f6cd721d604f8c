"""Options of the command line, and what a run keeps of a config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

# What the runner, mmengine's strategies and hooks, and mmdet's and our tools read of a config.
RUNNER_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
}
# Read of a config and not by the run: by people, leaderboards and the check of the data.
INFORMATION_KEYS = frozenset({'check_data', 'dataset_name'})


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Set values of a config, elements of lists by their type.

    Args:
        cfg (Config): config, changed in place.
        options (Mapping[str, Any]): values by dotted keys. An element of a list is named by its
            place or by its ``type``, with or without its registry:
            ``custom_hooks.PlainCheckpointHook.min_loaded``.

    Raises:
        KeyError: A list has no element of a type, or several.
    """
    cfg.merge_from_dict({place_of_key(cfg, key): value for key, value in options.items()})


def average_weights(cfg: Config) -> None:
    """Let a run evaluate and save an average of the weights, by mmengine's ``EMAHook``.

    Args:
        cfg (Config): config, changed in place; an ``EMAHook`` that it has stays as it is.
    """
    average = dict(type='EMAHook', ema_type='mmdet.ExpMomentumEMA', momentum=0.002, gamma=100)
    _add_hook(cfg, average)


def stop_at_plateau(cfg: Config, patience: int) -> None:
    """Let a run stop once its metric no longer rises, and keep the best checkpoint.

    The metric is that of ``default_hooks.checkpoint.save_best``, or without it the first one of the
    evaluation.

    Args:
        cfg (Config): config, changed in place; a ``PlateauStoppingHook`` that it has keeps its
            other settings.
        patience (int): evaluations without a better score after which the run stops.

    Raises:
        ValueError: The config evaluates nothing.
    """
    if cfg.get('val_cfg') is None:
        raise ValueError(
            '--early-stopping needs an evaluation, and this config has none: its val_cfg is None, '
            'as in pretraining. Train without it, or set val_dataloader, val_evaluator and val_cfg.'
        )
    saving = cfg.default_hooks.checkpoint
    saving['save_best'] = saving.get('save_best') or 'auto'
    best = saving['save_best']
    monitor = best if isinstance(best, str) else best[0]
    hook = _add_hook(cfg, dict(type='mmpixcon.PlateauStoppingHook', monitor=monitor))
    hook['patience'] = patience


def compare_batch(cfg: Config, processes: int) -> list[str]:
    """Tell when the learning rate of a config is that of much larger batches.

    Args:
        cfg (Config): config of a training.
        processes (int): processes that train together.

    Returns:
        list[str]: a warning where a step has half as many images as the rate was tuned for, or
        fewer; empty otherwise, and where the rate is scaled.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    size = (cfg.get('train_dataloader') or {}).get('batch_size')
    wrapper = cfg.get('optim_wrapper') or {}
    rate = (wrapper.get('optimizer') or {}).get('lr')
    base = scaling.get('base_batch_size')
    if scaling.get('enable') or not (base and size and rate):
        return []
    step = size * processes * wrapper.get('accumulative_counts', 1)
    if 2 * step > base:
        return []
    return [
        f'optim_wrapper.optimizer.lr = {rate:g} is the rate of {base} images a step, and a step '
        f'has {step} (train_dataloader.batch_size = {size}, processes: {processes}). At too high a '
        'rate a model may collapse: detection transformers then give every image the same boxes. '
        f'--auto-scale-lr lowers the rate to {rate * step / base:g}; '
        'optim_wrapper.accumulative_counts makes steps of several batches.'
    ]


def _add_hook(cfg: Config, hook: dict[str, Any]) -> Any:
    """Return the hook of its type that a config has, or else this one, added to it."""
    hooks = list(cfg.get('custom_hooks') or ())
    for present in hooks:
        if _type_name(present) == _type_name(hook):
            return present
    cfg.custom_hooks = [*hooks, hook]
    return cfg.custom_hooks[-1]


def check_compile(cfg: Config) -> None:
    """Check what a config's ``compile`` says before models and data are built.

    Args:
        cfg (Config): config; ``compile`` is True, False or arguments of ``torch.compile``.

    Raises:
        ValueError: ``torch.compile`` knows no such argument or backend.
    """
    value = cfg.get('compile')
    if value is None or isinstance(value, bool):
        return
    try:
        torch.compile(lambda: None, **value)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f'compile = {value!r}: {error}. Give True, False or arguments of torch.compile, as '
            "dict(mode='max-autotune')"
        ) from None


def place_of_key(cfg: Config, key: str) -> str:
    """Replace the types in a dotted key by places in their lists.

    Args:
        cfg (Config): config with the lists.
        key (str): dotted key.

    Returns:
        str: dotted key that mmengine understands.

    Raises:
        KeyError: A list has no element of a type, or several.
    """
    node: Any = cfg
    path: list[str] = []
    for part in key.split('.'):
        if isinstance(node, (list, tuple)) and not part.isdigit():
            types = [_type_name(element) for element in node]
            if types.count(part) != 1:
                quantity = 'several' if part in types else 'none'
                raise KeyError(
                    f'--cfg-options {key}: {".".join(path)} is a list with {quantity} of type '
                    f'{part}; it has {", ".join(f"{i}: {name}" for i, name in enumerate(types))}. '
                    'Name an element by a type that is there once, or by its place: '
                    f'{".".join([*path, "0"])}'
                )
            part = str(types.index(part))
        path.append(part)
        if isinstance(node, (list, tuple)):
            node = node[int(part)] if int(part) < len(node) else None
        elif isinstance(node, (Mapping, Config)):
            node = node.get(part)
        else:
            node = None
    return '.'.join(path)


def _type_name(element: Any) -> str:
    """The type of an element of a list, without its registry."""
    kind = element.get('type') if isinstance(element, Mapping) else type(element)
    return kind.__name__ if isinstance(kind, type) else str(kind).rsplit('.', 1)[-1]


def drop_unread(cfg: Config) -> list[str]:
    """Drop the keys that no run reads, so that a dumped config is what ran.

    They are what a config is put together from: variables of files in ``_base_``, and of the
    config itself. A config that has a ``runner_type`` keeps everything, since its runner may read
    anything; ``kept_keys = ['NAME', ...]`` in a config keeps what its own hooks read.

    Args:
        cfg (Config): config, changed in place.

    Returns:
        list[str]: names of the keys that were dropped.
    """
    if 'runner_type' in cfg:
        return []
    kept = RUNNER_KEYS | INFORMATION_KEYS | {'kept_keys', *cfg.get('kept_keys', ())}
    dropped = sorted(key for key in cfg if key not in kept)
    for key in dropped:
        cfg.pop(key)
    return dropped

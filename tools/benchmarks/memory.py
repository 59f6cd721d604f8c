r"""Peak memory of each method's training step beside its floor's, and the cards that it fits.

    python tools/benchmarks/memory.py
    python tools/benchmarks/memory.py --methods PLRC 'UP-DETR' --amp --with-cp

Full configs, each with its own batch of one GPU and its own largest images: weights, gradients,
state of the optimizer, memory banks, and what a step holds at its most; for the floor the same
without what the method adds (see dispatch.py). It is the allocator's own count on a GPU, so this
wants one. A card must have a tenth more, for its context and for what the allocator cannot use
between tensors, and that is what the last column asks of it. --with-cp sets
``model...backbone.with_cp``: activations within the blocks of the ResNet are computed again in
the backward pass.
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

import mmpixcon  # noqa: F401  (registers)
from dispatch import METHODS, config_of, step_of
from measuring import autocast, describe, peak_memory, start_of_peak
from mmpixcon.utils.tables import format_table

#: Gigabytes of usual cards.
CARDS = (24, 40, 80)
# What a card must have beyond the peak of the tensors.
MARGIN = 1.1
# Of the same memory as the first method of their name.
SKIPPED = ('PLRC, strategy 2',)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    methods = [method for method in METHODS if method not in SKIPPED]
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--methods', nargs='+', choices=list(METHODS), default=methods)
    parser.add_argument('--amp', nargs='?', const='bfloat16', choices=['bfloat16', 'float16'])
    parser.add_argument('--with-cp', action='store_true', help='checkpoint the backbone')
    return parser.parse_args()


class Inputs(NamedTuple):
    """Inputs of a step on a GPU: images or pictures, their width and height, pixels of a patch."""

    batch: int
    size: tuple[int, int]
    patch: int = 0


def inputs_of(cfg: Config) -> Inputs:
    """The batch of one GPU, at the largest size that a config's pipeline makes.

    Pictures of detection pretexts become squares of as many pixels, a multiple of 32 a side, and
    of Siamese DETR there are two of an image.

    Raises:
        ValueError: Nothing in the pipeline says how large images are.
    """
    batch = cfg.train_dataloader.batch_size
    pipeline = cfg.train_dataloader.dataset.pipeline
    steps = {step['type'].rsplit('.', 1)[-1]: step for step in pipeline}
    if 'ContrastViews' in steps:
        views = steps['ContrastViews'].views
        side = views[0][0].scale
        patches = [view.patch for view in views if isinstance(view, dict) and 'patch' in view]
        return Inputs(batch, (side, side), patches[0] if patches else 0)
    sizes = _sizes([cfg.train_dataloader.dataset])
    if not sizes:
        raise ValueError('train_dataloader.dataset.pipeline resizes nothing')
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    if 'RegionCrops' not in steps:
        return Inputs(batch, (width, height))
    side = 32 * math.ceil(math.sqrt(width * height) / 32)
    pictures = 2 * batch if 'IoUConstrainedViews' in steps else batch
    return Inputs(pictures, (side, side), steps['RegionCrops']['size'])


def _sizes(node: Any) -> list[tuple[int, int]]:
    """Sizes (w, h) that the resizing transforms within a transform make."""
    if isinstance(node, dict):
        kind = str(node.get('type', ''))
        found = []
        if 'Resize' in kind:
            scales = node.get('scales') or [node.get('scale')]
            # No photo is longer than 5 : 3, which a bound of the longer side may allow.
            found = [
                (min(max(s), math.ceil(min(s) * 5 / 3)), min(s))
                for s in scales
                if isinstance(s, (tuple, list))
            ]
        return found + [size for value in node.values() for size in _sizes(value)]
    if isinstance(node, (list, tuple)):
        return [size for value in node for size in _sizes(value)]
    return []


def smallest_card(peak: float | None, cards: Sequence[int] = CARDS) -> str:
    """Name the smallest card that a peak fits with ``MARGIN``.

    Args:
        peak (float, optional): GB; None if even the card at hand was too small.
        cards (Sequence[int]): GB, smallest first.

    Returns:
        str: as '24 GB', or 'none'.
    """
    fits = [card for card in cards if peak is not None and peak * MARGIN <= card]
    return f'{fits[0]} GB' if fits else 'none'


def peak_of(part: str, cfg: Config, amp: str, device: str) -> float | None:
    """Most GB held by a config's 'step' or 'floor', weights included.

    Two steps with the config's optimizer: the second one finds all of its state.

    Returns:
        float, optional: GB; None if the device has too few.
    """
    inputs = inputs_of(cfg)
    before = start_of_peak(device)
    try:
        measured = step_of(cfg, inputs.batch, inputs.size, inputs.patch, device)
        model, loss = measured.model, getattr(measured, part)
        if part == 'floor' and measured.floor_model is not None:
            model = measured.floor_model
        # What the other part needs is let go.
        del measured
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        for _ in range(2):
            with autocast(device, amp):
                value = loss()
            wrapper.update_params(value)
        return (peak_memory(device) - before) / 1e9
    except torch.cuda.OutOfMemoryError:
        return None


def row(method: str, inputs: Inputs, step: float | None, floor: float | None) -> list[str]:
    """A line of the table."""
    ratio = f'{step / floor:.2f}' if step and floor else '-'
    held = ['too much' if peak is None else f'{peak:.1f}' for peak in (step, floor)]
    batch = f'{inputs.batch} x {inputs.size[0]} x {inputs.size[1]}'
    return [method, batch, *held, ratio, smallest_card(step)]


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if not torch.cuda.is_available():
        raise SystemExit('memory is measured on a GPU, and torch finds none')
    logging.disable(logging.INFO)
    rows = []
    for method in args.methods:
        print(f'{method} ...'.ljust(50), end='\r', flush=True)
        peaks = []
        for part in ('step', 'floor'):
            cfg = config_of(method, 'full')
            if args.with_cp:
                set_with_cp(cfg)
            peaks.append(peak_of(part, cfg, args.amp or 'float32', 'cuda'))
            gc.collect()
            torch.cuda.empty_cache()
        rows.append(row(method, inputs_of(cfg), *peaks))
    checkpoints = ', with_cp' if args.with_cp else ''
    print(f'{describe("cuda")}; {args.amp or "float32"}{checkpoints}'.ljust(50))
    print(format_table(['config', 'batch', 'step GB', 'floor GB', 'ratio', 'fits'], rows))


def set_with_cp(cfg: Config) -> None:
    """Let the backbone of a method compute its activations again in the backward pass."""
    cfg.model.get('detector', cfg.model).backbone.with_cp = True


if __name__ == '__main__':
    main()

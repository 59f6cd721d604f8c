"""Length and settings of a training: from the data, the machine, and what a user asked for."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from typing import Any

import torch

from .data import FitData

# Learning rates of the shipped configs are those of so many images a step.
BASE_BATCH = 8
PRETRAINING_BATCH = 32
# Steps of a batch in which a small detector learns BCCD, and the least and most that are taken
# without being asked for.
EPOCHS = 24
STEPS = {'cpu': (200, 600), 'cuda': (600, 12000)}
PRETRAINING_STEPS = {'cpu': 360, 'cuda': 3000}
# Longest side of the photos that a detector sees.
LONGEST = {'cpu': 320, 'cuda': 640}
# Sizes that strides of 32 divide.
DIVISOR = 32


@dataclass(frozen=True)
class Overrides:
    """Settings of a user in place of what follows from data and machine; None follows.

    Attributes:
        batch_size (int, optional): images of a step.
        workers (int, optional): processes that load images.
        lr (float, optional): learning rate.
        iterations (int, optional): steps of the detector.
        pretraining_steps (int, optional): steps of the pretraining.
        scale (tuple[int, int], optional): width and height that photos are resized to fit into.
        device (str, optional): 'cpu' or 'cuda'.
    """

    batch_size: int | None = None
    workers: int | None = None
    lr: float | None = None
    iterations: int | None = None
    pretraining_steps: int | None = None
    scale: tuple[int, int] | None = None
    device: str | None = None


@dataclass(frozen=True)
class Plan:
    """Lengths and sizes of a training.

    Attributes:
        device (str): 'cpu' or 'cuda'.
        batch_size (int): images of a step.
        pretraining_batch (int): photos of a step of the pretraining.
        workers (int): processes that load images.
        lr_scale (float): factor of the learning rate of the config.
        lr (float, optional): learning rate in place of the config's.
        iterations (int): steps of the detector.
        val_interval (int): steps between two evaluations.
        pretraining_epochs (int): passes over the unlabeled photos.
        scale (tuple[int, int]): width and height that photos are resized to fit into.
        has_scale (bool): whether the user asked for that size.
    """

    device: str
    batch_size: int
    pretraining_batch: int
    workers: int
    lr_scale: float
    lr: float | None
    iterations: int
    val_interval: int
    pretraining_epochs: int
    scale: tuple[int, int]
    has_scale: bool = False

    def rows(self) -> list[tuple[str, object]]:
        """Write the plan as rows of a table.

        Returns:
            list[tuple[str, object]]: names and values.
        """
        rate = f'{self.lr:g}' if self.lr is not None else f"{self.lr_scale:g} x the config's"
        return [
            ('device', self.device),
            ('photos fit into', f'{self.scale[0]} x {self.scale[1]}'),
            ('batch size', self.batch_size),
            ('workers', self.workers),
            ('learning rate', rate),
            ('steps', self.iterations),
            ('steps between evaluations', self.val_interval),
        ]


def make_plan(data: FitData, overrides: Overrides, percent: float = 100.0) -> Plan:
    """Choose lengths and sizes for data and machine.

    Args:
        data (FitData): data.
        overrides (Overrides): what a user asked for.
        percent (float): share of the labeled photos to train on. Defaults to 100.

    Returns:
        Plan: plan.

    Raises:
        ValueError: A value is out of range, or the share leaves no photo.
    """
    for field in fields(overrides):
        value: Any = getattr(overrides, field.name)
        least = 0 if field.name == 'workers' else 1
        if isinstance(value, int) and value < least:
            option = '--' + field.name.replace('_', '-')
            raise ValueError(f'{option} {value} must be at least {least}')
    if not 0 < percent <= 100:
        raise ValueError(f'--percent {percent:g} must be above 0 and at most 100')
    if overrides.lr is not None and not overrides.lr > 0:
        raise ValueError(f'--lr {overrides.lr:g} must be above 0')
    device = overrides.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if device not in STEPS:
        raise ValueError(f'--device {device} must be cpu or cuda')
    if device == 'cuda' and not torch.cuda.is_available():
        raise ValueError('--device cuda: torch sees no GPU here; leave the option out')
    photos = max(round(data.numbers['train'][0] * percent / 100), 1)
    # Half as many images a step where there are few: more steps of each.
    usual = BASE_BATCH if photos >= 100 else BASE_BATCH // 2
    batch = overrides.batch_size or min(usual, photos)
    if batch > photos:
        raise ValueError(
            f'--batch-size {batch}: there are {photos} photos to train on; take at most so many'
        )
    least, most = STEPS[device]
    iterations = overrides.iterations or min(max(photos * EPOCHS // batch, least), most)
    pretraining_batch = min(PRETRAINING_BATCH, data.num_unlabelled)
    per_epoch = max(data.num_unlabelled // pretraining_batch, 1)
    steps = overrides.pretraining_steps or PRETRAINING_STEPS[device]
    cores = os.cpu_count() or 1
    workers = overrides.workers
    return Plan(
        device=device,
        batch_size=batch,
        pretraining_batch=pretraining_batch,
        workers=min(max(cores - 1, 0), 4) if workers is None else workers,
        lr_scale=batch / BASE_BATCH if overrides.batch_size else 1.0,
        lr=overrides.lr,
        iterations=iterations,
        val_interval=max(math.ceil(iterations / 4), 1),
        pretraining_epochs=max(math.ceil(steps / per_epoch), 1),
        scale=overrides.scale or fitting_scale(data.size, LONGEST[device]),
        has_scale=overrides.scale is not None,
    )


def fitting_scale(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Choose the size that photos are resized to fit into.

    Args:
        size (tuple[int, int]): width and height of the photos.
        longest (int): longest side to take.

    Returns:
        tuple[int, int]: width and height in the proportion of the photos, multiples of 32.
    """
    factor = min(longest / max(size), 1.0)
    width, height = (max(round(side * factor / DIVISOR), 1) * DIVISOR for side in size)
    return width, height

"""Base of hooks that measure features of annotated images while a backbone is pretrained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmpixcon.datasets.data_files import packs_rgb
from mmpixcon.evaluation import annotated_maps
from mmpixcon.models.contrast import gather_rows
from mmpixcon.models.unwrap import unwrap


class MeasureHook(Hook):
    """Measures after every few epochs and after the last one; logs ``objects/NAME_...``.

    Curves, recipes and leaderboards find the values as they find those of an evaluation.

    Args:
        loaders (dict[str, dict]): Data loaders by the argument that gives them,
            mmdet data sets whose pipelines end in ``PackDetInputs``.
        interval (int): Epochs between two measurements.
        **counts (int): Other settings that must be at least 1.

    Raises:
        ValueError: One is below 1.
    """

    #: What the logged names begin with.
    name: str

    def __init__(self, loaders: dict[str, dict], interval: int, **counts: int) -> None:
        counts = dict(interval=interval, **counts)
        if min(counts.values()) < 1:
            settings = ' and '.join(f'{name} = {value}' for name, value in counts.items())
            raise ValueError(f'custom_hooks: {type(self).__name__}: {settings} must be at least 1')
        self.loaders, self.interval = loaders, interval

    def after_train_epoch(self, runner: Runner) -> None:
        """Measure and log."""
        if not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        scalars = {f'objects/{self.name}_{k}': v for k, v in self.measure(runner).items()}
        for name, value in scalars.items():
            runner.message_hub.update_scalar(f'val/{name}', value)
            runner.logger.info(f'{name}: {value:.4f}')
        # One record, as of an evaluation.
        runner.visualizer.add_scalars(scalars, step=runner.epoch + 1)

    def measure(self, runner: Runner) -> dict[str, float]:
        """Measure.

        Args:
            runner (Runner): runner with the model, its ``backbone`` and ``data_preprocessor``.

        Returns:
            dict: Value by name.
        """
        raise NotImplementedError

    def build_loaders(self) -> dict[str, Any]:
        """The loaders, built."""
        return {k: Runner.build_dataloader(copy.deepcopy(v)) for k, v in self.loaders.items()}

    def maps(
        self, runner: Runner, loader: Any
    ) -> Iterator[tuple[Tensor, tuple[int, int], list[DetDataSample]]]:
        """See :func:`annotated_maps`; the model evaluates meanwhile."""
        model = unwrap(runner.model)
        preprocessor = model.data_preprocessor
        was_training = model.training
        model.eval()
        try:
            yield from annotated_maps(
                model.backbone,
                loader,
                preprocessor.mean.flatten().tolist(),
                preprocessor.std.flatten().tolist(),
                preprocessor._channel_conversion or packs_rgb(runner.cfg),
                preprocessor.device,
            )
        finally:
            model.train(was_training)

    def gather(
        self, name: str, loader: Any, parts: Sequence[tuple[Tensor, ...]], content: str
    ) -> list[Tensor]:
        """Rows of all batches and of all processes, which share out the images.

        Args:
            name (str): name of the loader.
            loader (DataLoader): The loader.
            parts (Sequence[tuple[Tensor, ...]]): rows of each batch.
            content (str): name of the rows, for the message.

        Returns:
            list[Tensor]: As many as in a part.

        Raises:
            ValueError: There are none.
        """
        where = f'custom_hooks: {type(self).__name__}.{name}: {loader.dataset.ann_file}'
        if not parts:
            raise ValueError(f'{where} has no image to measure')
        rows = [gather_rows(torch.cat(column))[0] for column in zip(*parts)]
        if not len(rows[0]):
            raise ValueError(f'{where} has no {content}')
        return rows

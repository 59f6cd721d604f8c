"""Schedules and statistics of PixCon."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from mmpixcon.datasets.transforms import refuse_unrecorded_geometry
from mmpixcon.models.contrast.statistics import contrast_statistics
from mmpixcon.models.detectors import PixelContrastDetector
from mmpixcon.models.losses.pixel_contrast_loss import PixelContrastLoss
from mmpixcon.models.unwrap import unwrap
from mmpixcon.registry import HOOKS

from ..schedules import ScalarSchedule


@HOOKS.register_module()
class PixelContrastHook(Hook):
    """Checks PixCon's data, runs its schedules, logs what its contrast sees.

    Args:
        momentum (dict | list[dict], optional): Schedule of the share of the
            momentum encoder that an update keeps, see :class:`ScalarSchedule`.
            Defaults to None, the model's own value throughout.
        alpha (dict | list[dict], optional): Schedule of the weight of L_NCE.
        beta (dict | list[dict], optional): Schedule of the weight of L_Cos.
        S (float | dict | list, optional): Divisor of the mean distance in the
            threshold of positives. A number or one schedule (a dict) for all
            levels, or a list with one of these for each of the model's
            levels. Defaults to None, the model's own.
        stats_interval (int): Every how many iterations to log positives per
            anchor, share of anchors, similarity of positives and deviation of
            features. Defaults to 10.

    Examples:
        >>> dict(type='PixelContrastHook',
        ...      beta=dict(start=0, end=1, stop=5),
        ...      momentum=dict(start=0.99, end=1.0, stop=50, shape='cosine'),
        ...      S=[18.0, dict(start=4.0, end=9.0, stop=10)])  # of two levels

    Raises:
        ValueError: ``stats_interval`` is below 1, a schedule is not one, or an
            S is not positive.
    """

    def __init__(
        self,
        momentum: dict | list[dict] | None = None,
        alpha: dict | list[dict] | None = None,
        beta: dict | list[dict] | None = None,
        S: float | dict | list[float | dict] | None = None,
        stats_interval: int = 10,
    ) -> None:
        if stats_interval < 1:
            raise ValueError(f'stats_interval must be at least 1, got {stats_interval}')
        settings = dict(momentum=momentum, alpha=alpha, beta=beta)
        self.schedules = {
            name: ScalarSchedule(value) for name, value in settings.items() if value is not None
        }
        self.S: list[ScalarSchedule] | ScalarSchedule | None = None
        if S is not None:
            self.S = [_divisor(divisor) for divisor in S] if isinstance(S, list) else _divisor(S)
        self.stats_interval = stats_interval
        self._statistics: dict[str, Tensor] = {}
        self._watch: RemovableHandle | None = None

    @staticmethod
    def _model(runner: Runner) -> PixelContrastDetector:
        return unwrap(runner.model)

    def before_train(self, runner: Runner) -> None:
        """Check the model and, in a new run, make the momentum encoder its copy.

        Raises:
            TypeError: The model is no PixelContrastDetector.
            ValueError: A weight that the model holds at 0 has a schedule, S has
                not one entry a level, or a transform moves pixels without
                recording it (by name).
        """
        model = self._model(runner)
        if not isinstance(model, PixelContrastDetector):
            raise TypeError(
                f'PixelContrastHook needs model.type = PixelContrastDetector, '
                f'got {type(model).__name__}'
            )
        for name in ('alpha', 'beta'):
            if name in self.schedules and getattr(model, name) == 0:
                raise ValueError(
                    f'custom_hooks: PixelContrastHook schedules {name} but model.{name} is 0; '
                    f"set model.{name} to the schedule's last value"
                )
        if isinstance(self.S, list) and len(self.S) != len(model.levels):
            raise ValueError(
                f'custom_hooks: PixelContrastHook has S for {len(self.S)} levels, but '
                f'model.levels = {list(model.levels)}'
            )
        dataset = runner.train_dataloader.dataset
        while dataset is not None:
            # Before the views, and in data sets that mix images.
            refuse_unrecorded_geometry(getattr(dataset, 'pipeline', []), 'train_dataloader.dataset')
            dataset = getattr(dataset, 'dataset', None)
        if runner.iter == 0:
            model.momentum_encoder.synchronize(**model.online_encoder)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set what the schedules say for this iteration."""
        model = self._model(runner)
        epoch_length = len(runner.train_dataloader)
        if self.S is not None:
            schedules = self.S if isinstance(self.S, list) else [self.S] * len(model.levels)
            model.S = tuple(schedule(runner.iter, epoch_length) for schedule in schedules)
        for name, schedule in self.schedules.items():
            value = schedule(runner.iter, epoch_length)
            if name == 'momentum':
                model.momentum_encoder.set_momentum(value)
            else:
                setattr(model, name, value)
        if self.every_n_train_iters(runner, self.stats_interval):
            self._watch = model.pixel_loss.register_forward_hook(self._measure, with_kwargs=True)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log what was measured, and what the schedules set."""
        model = self._model(runner)
        if self._watch is not None:
            self._watch.remove()
            self._watch = None
        scalars = {name: value.item() for name, value in self._statistics.items()}
        self._statistics = {}
        if 'momentum' in self.schedules:
            scalars['momentum'] = model.momentum_encoder.momentum
        for name in ('alpha', 'beta'):
            if name in self.schedules:
                scalars[name] = getattr(model, name)
        if self.S is not None:
            scalars |= {f'S_{index}': value for index, value in enumerate(model.S)}
        for name, value in scalars.items():
            runner.message_hub.update_scalar(f'train/pixcon/{name}', value)

    def _measure(self, module: PixelContrastLoss, args: Any, kwargs: dict, output: object) -> None:
        """Measure a level on the way."""
        query, gamma, key, pairs = args
        statistics = contrast_statistics(query, gamma, key, pairs, module.cos)
        level = kwargs['level']
        self._statistics |= {f'l{level}_{name}': value for name, value in statistics.items()}


def _divisor(value: float | dict) -> ScalarSchedule:
    """A schedule of S from a number or a schedule's one piece."""
    piece = value if isinstance(value, dict) else dict(start=value, end=value, stop=1)
    schedule = ScalarSchedule(piece)
    if any(end <= 0 for part in schedule.pieces for end in (part['start'], part['end'])):
        raise ValueError(f'custom_hooks: PixelContrastHook: S = {value} must be positive')
    return schedule

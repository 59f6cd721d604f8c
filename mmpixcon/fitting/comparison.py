"""Comparison of methods: lengths that fit a budget, and what came out, with deviations."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from mmpixcon.recipes.finished import FinishedRun
from mmpixcon.utils.quiet import quiet_libraries

from .choices import NONE
from .configs import METRIC
from .plans import Plan
from .recipes import detector_stage

# Steps that are timed after the first, which is slower.
TIMED = 2
# Seconds that a training takes besides its steps: imports, loading, saving.
OVERHEAD = 25.0
# Share of a budget that is planned with: the rest is for what takes longer than thought.
PLANNED = 0.85
# Cores that work on separate trainings do not slow each other down to nothing.
EFFICIENCY = 0.8
LEAST_STEPS = 5
# More than so many times the usual length helps small detectors little.
LONGEST = 4.0
UNITS = {'s': 1, 'm': 60, 'min': 60, 'h': 3600, 'd': 86400}


@dataclass(frozen=True)
class Costs:
    """Seconds that the parts of a comparison take.

    Attributes:
        pretraining (Mapping[str, float]): seconds of a step of the pretraining, by method.
        training (Mapping[str, float]): seconds of a step of the detector, by method.
        evaluation (float): seconds of an evaluation.
    """

    pretraining: Mapping[str, float]
    training: Mapping[str, float]
    evaluation: float


@dataclass(frozen=True)
class Outcome:
    """Verdict of a comparison.

    Attributes:
        winner (str): method with the largest gain that is one, or 'none'.
        lines (tuple[str, ...]): sentences.
        gains (dict[str, dict[float, tuple[float, float]]]): AP more than without a method, and the
            deviation of that difference, in percent, by method and share.
    """

    winner: str
    lines: tuple[str, ...]
    gains: dict[str, dict[float, tuple[float, float]]]


def read_budget(text: str) -> float:
    """Read a time such as ``2h``, ``90min`` or ``1h30m``.

    Args:
        text (str): time.

    Returns:
        float: seconds.

    Raises:
        ValueError: The text is not a time.
    """
    parts = re.findall(r'(\d+(?:\.\d+)?)\s*(min|[smhd])', text.lower())
    if not parts or re.sub(r'(\d+(?:\.\d+)?)\s*(min|[smhd])\s*', '', text.lower()):
        raise ValueError(f'--budget {text} is not a time, such as 2h or 90min')
    return sum(float(number) * UNITS[unit] for number, unit in parts)


@quiet_libraries()
def seconds_a_step(cfg: Config, device: str, threads: int) -> float:
    """Time training steps of a config.

    Args:
        cfg (Config): config of a detector or a pretraining.
        device (str): 'cpu' or 'cuda'.
        threads (int): threads that a training will have.

    Returns:
        float: seconds of a step, with the loading of its images by this process.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        model = MODELS.build(cfg.model).to(device).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        settings = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False)
        settings['sampler'] = dict(type=DefaultSampler, shuffle=True)
        loader = Runner.build_dataloader(settings, seed=0)
        start = done = 0.0
        for batch in loader:
            model.train_step(batch, wrapper)
            if device == 'cuda':
                torch.cuda.synchronize()
            if not start:
                start = time.perf_counter()
                continue
            done += 1
            if done == TIMED:
                break
        return (time.perf_counter() - start) / max(done, 1)
    finally:
        torch.set_num_threads(before)


def scaled(plan: Plan, factor: float, photos: int) -> Plan:
    """Change the lengths of a plan.

    Args:
        plan (Plan): plan.
        factor (float): factor of all lengths.
        photos (int): photos of the pretraining.

    Returns:
        Plan: plan with other lengths, of at least a few steps.
    """
    iterations = max(round(plan.iterations * factor), LEAST_STEPS)
    per_epoch = max(photos // plan.pretraining_batch, 1)
    steps = plan.pretraining_epochs * per_epoch * factor
    return replace(
        plan,
        iterations=iterations,
        # The last one decides; others would cost time.
        val_interval=iterations,
        pretraining_epochs=max(round(steps / per_epoch), 1),
    )


def planned_seconds(
    plan: Plan, costs: Costs, photos: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds that a comparison takes on one core, by what is done once and for each training.

    Args:
        plan (Plan): plan.
        costs (Costs): seconds of the parts.
        photos (int): photos of the pretraining.

    Returns:
        tuple[tuple[float, float], tuple[float, float]]: the pretraining of all methods, and one
        training of a detector with each: seconds besides the steps, and seconds of all steps.
    """
    steps = plan.pretraining_epochs * max(photos // plan.pretraining_batch, 1)
    methods = len(costs.training)
    return (
        (OVERHEAD * len(costs.pretraining), steps * sum(costs.pretraining.values())),
        (methods * (OVERHEAD + costs.evaluation), plan.iterations * sum(costs.training.values())),
    )


def speed_of(jobs: int) -> float:
    """How many times as fast as one after another trainings are that run beside each other."""
    return 1 + (jobs - 1) * EFFICIENCY


def seconds_of_seed(
    plan: Plan, costs: Costs, shares: int, jobs: int, photos: int, first: bool
) -> float:
    """Seconds that one seed of a comparison is planned to take.

    Args:
        plan (Plan): plan.
        costs (Costs): seconds of the parts.
        shares (int): trainings of a detector with each method.
        jobs (int): trainings at a time.
        photos (int): photos of the pretraining.
        first (bool): whether it is the first seed, which has the pretraining too.

    Returns:
        float: seconds.
    """
    once, each = planned_seconds(plan, costs, photos)
    return (sum(once) * first + shares * sum(each)) / speed_of(jobs)


def fitting_plan(
    plan: Plan, costs: Costs, trainings: int, budget: float, jobs: int, photos: int
) -> tuple[Plan, float]:
    """Choose lengths with which a comparison ends within a budget.

    Args:
        plan (Plan): usual lengths.
        costs (Costs): seconds of the parts.
        trainings (int): trainings of a detector with each method: shares times seeds.
        budget (float): seconds.
        jobs (int): trainings at a time.
        photos (int): photos of the pretraining.

    Returns:
        tuple[Plan, float]: plan, and the seconds that it is thought to take.

    Raises:
        ValueError: Not even a few steps fit.
    """
    speed = speed_of(jobs)
    fixed, whole = (
        once + trainings * each
        for once, each in zip(*planned_seconds(plan, costs, photos), strict=True)
    )
    factor = min((budget * PLANNED * speed - fixed) / whole, LONGEST)
    least = LEAST_STEPS / plan.iterations
    if factor < least:
        needed = (fixed + whole * least) / speed / PLANNED
        raise ValueError(
            f'--budget is too short: {len(costs.training)} methods with {trainings} trainings each '
            f'take at least {math.ceil(needed / 60)}min. Take fewer --methods, --percents or '
            '--seeds, or a longer budget'
        )
    return scaled(plan, factor, photos), (fixed + whole * factor) / speed


def judge(
    runs: Sequence[FinishedRun], methods: Sequence[str], percents: Sequence[float]
) -> Outcome:
    """Compare every method with none.

    A gain is called one beyond two deviations of the difference of the means.

    Args:
        runs (Sequence[FinishedRun]): finished trainings of detectors.
        methods (Sequence[str]): names of the methods, 'none' among them.
        percents (Sequence[float]): shares of the labels.

    Returns:
        Outcome: gains, sentences and the winner.
    """
    scores = {
        (method, percent): [
            100 * run.metrics[METRIC]
            for run in runs
            if run.name == detector_stage(method, percent) and METRIC in run.metrics
        ]
        for method in methods
        for percent in percents
    }
    curve = {p: statistics.mean(v) for p in percents if (v := scores.get((NONE, p)))}
    gains: dict[str, dict[float, tuple[float, float]]] = {}
    lines: list[str] = []
    sums: dict[str, float] = {}
    for method in methods:
        for percent in percents:
            ours, theirs = scores[method, percent], scores.get((NONE, percent), [])
            if method == NONE or not ours or not theirs:
                continue
            gain = statistics.mean(ours) - statistics.mean(theirs)
            deviation = _deviation_of_means(ours, theirs)
            gains.setdefault(method, {})[percent] = gain, deviation
            if not math.isnan(deviation) and gain > 2 * deviation:
                sums[method] = sums.get(method, 0.0) + gain
                saved = labels_for(curve, statistics.mean(ours))
                lines.append(
                    f'{method} gains {gain:.1f} AP with {percent:g} % of the labels (deviation '
                    f'{deviation:.1f}){_as_many(percent, saved)}.'
                )
            elif not math.isnan(deviation) and -gain > 2 * deviation:
                lines.append(
                    f'{method} costs {-gain:.1f} AP with {percent:g} % of the labels (deviation '
                    f'{deviation:.1f}).'
                )
    winner = max(sums, key=lambda name: sums[name], default=NONE)
    if not sums:
        reason = (
            'One seed has no deviation: no difference can be told from chance.'
            if any(math.isnan(d) for by in gains.values() for _, d in by.values())
            else 'No method gains more than two deviations of the difference over none.'
        )
        lines.append(reason)
    return Outcome(winner, tuple(lines), gains)


def labels_for(curve: Mapping[float, float], score: float) -> float | None:
    """Tell with which share of the labels the trainings without a method reach a score.

    Args:
        curve (Mapping[float, float]): scores by share.
        score (float): score.

    Returns:
        float | None: share in percent, interpolated over its logarithm; infinity beyond the
        largest share, None where there are fewer than two shares.
    """
    shares = sorted(curve)
    if len(shares) < 2:
        return None
    values = np.maximum.accumulate([curve[share] for share in shares])
    if score > values[-1]:
        return math.inf
    return float(np.exp(np.interp(score, values, np.log(shares))))


def _as_many(percent: float, saved: float | None) -> str:
    if saved is None:
        return ''
    if math.isinf(saved):
        return ', more than none has with all that were tried'
    return f', as much as none would have with {saved:.3g} %'


def _deviation_of_means(first: Sequence[float], second: Sequence[float]) -> float:
    """Deviation of the difference of two means; NaN with a single value."""
    if min(len(first), len(second)) < 2:
        return math.nan
    return math.sqrt(
        statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    )

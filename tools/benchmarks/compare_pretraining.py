r"""Pretrain by several methods, fine-tune each, over several seeds; print one table.

    python tools/dataset_converters/coco_subset.py data/bccd/train.json
    python tools/benchmarks/compare_pretraining.py \
        --pretrain 'MoCo v2=configs/moco/mocov2_r18_1xb32-100e_bccd.py' \
                   DetCo=configs/detco/detco_r18_1xb32-100e_bccd.py \
        --fine-tune 10%=configs/finetune/faster-rcnn_r18_fpn_1xb4-200i_bccd-10percent.py \
                    100%=configs/finetune/faster-rcnn_r18_fpn_1xb4-200i_bccd.py \
        --work-dir work_dirs/compare_pretraining

The first row starts from random weights; the others normalise pixels as in
pretraining. Seed s pretrains and fine-tunes with seed s. Mean and standard deviation (n
- 1) of AP and AP50, and the difference of the mean AP to random weights; also as
results.md, results.json, results.png, and the pretraining's curves in losses.png. What
was done is not done again, what was interrupted resumes; so a method more is a row more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.runner.checkpoint import find_latest_checkpoint

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.utils.trainings import (
    Trainings,
    mean_and_deviation,
    named_configs,
    read_config,
    read_metrics,
)
from mmpixcon.visualization.curves import draw_comparison, draw_curves

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'
RANDOM = 'random weights'
METRICS = ('AP', 'AP50')
CHECKPOINT = 'model.backbone.init_cfg'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--pretrain', nargs='+', metavar='NAME=CONFIG', default=[])
    parser.add_argument('--fine-tune', nargs='+', metavar='NAME=CONFIG', required=True)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare_pretraining'))
    parser.add_argument('--data-root', help="folder of the data, in place of the configs'")
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time; they share the processor cores'
    )
    parser.add_argument(
        '--pretrain-options', nargs='+', default=[], help='of every pretraining, as key=value'
    )
    parser.add_argument(
        '--fine-tune-options', nargs='+', default=[], help='of every fine-tuning, as key=value'
    )
    args = parser.parse_args()
    try:
        args.pretrain = named_configs(args.pretrain)
        args.fine_tune = named_configs(args.fine_tune)
    except ValueError as error:
        parser.error(str(error))
    if RANDOM in args.pretrain:
        parser.error(f'{RANDOM!r} is the first row: name the method otherwise')
    return args


class Comparison:
    """The runs of a command line.

    Args:
        args (argparse.Namespace): Of :func:`parse_args`.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.trainings = Trainings(TRAIN, args.work_dir, args.data_root, args.jobs)
        runs_a_seed = len(args.pretrain) + len(args.fine_tune) * (len(args.pretrain) + 1)
        self.left = runs_a_seed * len(args.seeds)
        self.minutes: list[float] = []
        self.lock = threading.Lock()
        # By method, fine-tuning and seed; by method and seed.
        self.metrics: dict[tuple[str, str, int], dict[str, float]] = {}
        self.folders: dict[tuple[str, int], Path] = {}

    def row(self, method: str, seed: int) -> None:
        """Pretrain with one seed, fine-tune on everything that was asked for."""
        args = self.args
        start = [f'{CHECKPOINT}=None']
        if method != RANDOM:
            folder, took = self.trainings.run(
                method, args.pretrain[method], seed, args.pretrain_options
            )
            self.folders[method, seed] = folder
            start = [f'{CHECKPOINT}.checkpoint={find_latest_checkpoint(str(folder))}']
            self._report(f'{method}, seed {seed}: pretrained', took)
        for label, config in args.fine_tune.items():
            options = [*args.fine_tune_options, *self.normalisation(method, config), *start]
            folder, took = self.trainings.run(f'{method}, {label}', config, seed, options)
            found = self.metrics[method, label, seed] = read_metrics(folder)
            self._report(f'{method}, {label}, seed {seed}: AP {found["AP"]:.3f}', took)

    def normalisation(self, method: str, config: str) -> list[str]:
        """Options that normalise the pixels as in pretraining, where that is otherwise."""
        if method == RANDOM:
            return []
        before, after = (
            read_config(path).model.get('data_preprocessor') or {}
            for path in (self.args.pretrain[method], config)
        )
        return [
            f'model.data_preprocessor.{name}={",".join(map(str, before[name]))}'
            for name in ('mean', 'std')
            if name in before and list(before[name]) != list(after.get(name, ()))
        ]

    def _report(self, text: str, took: float) -> None:
        with self.lock:
            self.left -= 1
            self.minutes += [took] if took else []
            mean = statistics.mean(self.minutes) if self.minutes else float('nan')
            eta = mean * self.left / self.args.jobs
            print(f'{text}; {self.left} runs left, {eta:.0f} min to go', flush=True)

    def run(self) -> None:
        """Do what isn't done; seeds outside, so that whole rows come early."""
        with ThreadPoolExecutor(self.args.jobs) as pool:
            futures = [
                pool.submit(self.row, method, seed)
                for seed in self.args.seeds
                for method in (RANDOM, *self.args.pretrain)
            ]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def values(self, method: str, label: str, metric: str) -> list[float]:
        """A metric over the seeds, in per cent."""
        return [100 * self.metrics[method, label, seed][metric] for seed in self.args.seeds]

    def table(self) -> str:
        """Markdown: mean and deviation a cell."""
        heads = [
            f'{label} {m}' for label in self.args.fine_tune for m in (*METRICS, 'AP to random')
        ]
        lines = ['| pretraining | ' + ' | '.join(heads) + ' |', '|---' * (len(heads) + 1) + '|']
        for method in (RANDOM, *self.args.pretrain):
            cells = []
            for label in self.args.fine_tune:
                cells += [mean_and_deviation(self.values(method, label, m)) for m in METRICS]
                means = [statistics.mean(self.values(m, label, 'AP')) for m in (method, RANDOM)]
                cells.append(f'{means[0] - means[1]:+.1f}')
            lines.append(f'| {method} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)

    def write(self) -> None:
        """Write the table, the numbers and the pictures."""
        out = self.args.work_dir
        (out / 'results.md').write_text(self.table() + '\n')
        numbers = [
            dict(pretraining=method, data=label, seed=seed, **found)
            for (method, label, seed), found in sorted(self.metrics.items())
        ]
        (out / 'results.json').write_text(json.dumps(numbers, indent=1))
        points = {
            f'{method}, {label}': self.values(method, label, 'AP')
            for label in self.args.fine_tune
            for method in (RANDOM, *self.args.pretrain)
        }
        draw_comparison(points, 'AP, a point a seed').savefig(out / 'results.png', dpi=120)
        if self.folders:
            first = {m: self.folders[m, self.args.seeds[0]] for m in self.args.pretrain}
            panels = {'loss': ['loss'], 'spread of the queries': ['feature_std']}
            draw_curves(first, panels).savefig(out / 'losses.png', dpi=120)


def main() -> None:
    """Run what isn't done, then print."""
    comparison = Comparison(parse_args())
    comparison.run()
    comparison.write()
    print(comparison.table())


if __name__ == '__main__':
    main()

r"""Train several configs over several seeds, evaluate, and print one table.

    python tools/benchmarks/compare.py \
        stock=configs/stock/deformable-detr_r18_1xb8-12e_scenes.py \
        PixCon=configs/pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py \
        --seeds 0 1 2 --work-dir work_dirs/compare

Mean and standard deviation (n - 1) over seeds of COCO's metrics, and the
difference of the first config's mean; also as results.md, results.json and
results.png. A finished run is not done again, an interrupted one resumes; both
as long as its resolved config is the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.utils.trainings import (
    METRICS,
    Trainings,
    mean_and_deviation,
    named_configs,
    read_metrics,
)
from mmpixcon.visualization.curves import draw_comparison

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='+', metavar='NAME=CONFIG', help='the first is baseline')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument('--data-root', help="folder of the data, in place of the configs'")
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at a time; they share the processor cores'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='settings of every run, as key=value'
    )
    args = parser.parse_args()
    try:
        args.configs = named_configs(args.configs)
    except ValueError as error:
        parser.error(str(error))
    return args


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean and deviation a cell."""
    lines = ['| model | ' + ' | '.join(METRICS) + ' | AP to first |']
    lines.append('|---' * (len(METRICS) + 2) + '|')
    base = next(iter(results.values()))
    for name, runs in results.items():
        cells = [mean_and_deviation([100 * run[metric] for run in runs]) for metric in METRICS]
        gain = statistics.mean(r['AP'] for r in runs) - statistics.mean(r['AP'] for r in base)
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {100 * gain:+.1f} |')
    return '\n'.join(lines)


def main() -> None:
    """Run what isn't done, then print."""
    args = parse_args()
    # Seeds outside: an interrupted comparison has whole rows of fewer seeds.
    todo = [(name, seed) for seed in args.seeds for name in args.configs]
    found: dict[tuple[str, int], dict[str, float]] = {}
    minutes: list[float] = []
    trainings = Trainings(TRAIN, args.work_dir, args.data_root, args.jobs)
    with ThreadPoolExecutor(args.jobs) as pool:
        running: dict[Future, tuple[str, int]] = {
            pool.submit(trainings.run, name, args.configs[name], seed, args.cfg_options): (
                name,
                seed,
            )
            for name, seed in todo
        }
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name, seed = running.pop(future)
                try:
                    work_dir, took = future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
                found[name, seed] = read_metrics(work_dir)
                minutes += [took] if took else []
                left = len(todo) - len(found)
                eta = statistics.mean(minutes) * left / args.jobs if minutes else float('nan')
                print(
                    f'[{len(found)}/{len(todo)}] {name}, seed {seed}: '
                    f'AP {found[name, seed]["AP"]:.3f}; {eta:.0f} min to go',
                    flush=True,
                )
    results = {name: [found[name, seed] for seed in args.seeds] for name in args.configs}
    text = table(results)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    (args.work_dir / 'results.md').write_text(text + '\n')
    aps = {name: [100 * run['AP'] for run in runs] for name, runs in results.items()}
    draw_comparison(aps, 'AP, a point a seed').savefig(args.work_dir / 'results.png', dpi=120)
    (args.work_dir / 'results.json').write_text(json.dumps(results, indent=1))
    print(text)


if __name__ == '__main__':
    main()

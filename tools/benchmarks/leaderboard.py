r"""Collects finished runs: means and deviations over seeds, and metafile.yml entries.

    python tools/benchmarks/leaderboard.py work_dirs/compare_pretraining --baseline 'random, 100%'
    python tools/benchmarks/leaderboard.py work_dirs/a work_dirs/b --metrics AP=coco/bbox_mAP \
        --paper paper.yml --out work_dirs/leaderboard

Work folders are those of recipes and of tools/train.py, or folders above them. Writes
results.md, results.csv, metafile.yml (the format of mmdet's leaderboards, checked with the
model-index package where it is installed) and pictures.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.recipes.finished import collect, unnamed_data
from mmpixcon.recipes.leaderboard import (
    by_name,
    check_metafile,
    known_collections,
    markdown,
    read_paper,
)
from mmpixcon.recipes.metrics import display
from mmpixcon.recipes.report import write_report


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Collect finished runs')
    parser.add_argument('work_dirs', nargs='+', type=Path)
    parser.add_argument(
        '--metrics',
        nargs='+',
        metavar='NAME=METRIC',
        help='of the table, as in the log (default: the first two of most runs)',
    )
    parser.add_argument('--baseline', help='the run that the others are compared to')
    parser.add_argument(
        '--paper', type=Path, help='YAML file with the numbers of a paper: RUN: {NAME: VALUE}'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/leaderboard'))
    return parser.parse_args()


def main() -> None:
    """Collect, write, print."""
    args = parse_args()
    try:
        groups = by_name(collect(args.work_dirs))
        if args.metrics:
            wrong = [pair for pair in args.metrics if '=' not in pair]
            if wrong:
                raise ValueError(f'--metrics {wrong[0]}: write NAME=METRIC, as AP=coco/bbox_mAP')
            metrics = dict(pair.partition('=')[::2] for pair in args.metrics)
        else:
            # Of pretraining beside fine-tuning, what most were evaluated by.
            firsts = Counter(tuple(run.metrics)[:2] for runs in groups.values() for run in runs)
            metrics = {display(m)[1]: m for m in firsts.most_common(1)[0][0]}
            for name, runs in list(groups.items()):
                if not all(m in run.metrics for m in metrics.values() for run in runs):
                    print(f'{name} is left out: it was not evaluated by {", ".join(metrics)}')
                    del groups[name]
        paper = read_paper(args.paper, groups, metrics) if args.paper else {}
        text = markdown(groups, metrics, args.baseline, paper)
        metric = next(iter(metrics.values()))
        files = write_report(args.out, text, groups, metric, known_collections(), paper)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'leaderboard: {error}') from None
    print(f'{text}\n\n' + '\n'.join(map(str, files)))
    for note in unnamed_data(runs[0] for runs in groups.values()):
        print(note)
    for error in check_metafile(args.out / 'metafile.yml'):
        print(f'model-index: {error}')


if __name__ == '__main__':
    main()

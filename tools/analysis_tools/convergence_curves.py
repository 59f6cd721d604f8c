r"""Draws how a metric grows over training, of runs from several starts.

    python tools/analysis_tools/convergence_curves.py \
        'from scratch=work_dirs/a_seed0,work_dirs/a_seed1' 'Siamese DETR=work_dirs/b' \
        --metric coco/bbox_mAP --out curves.png

The picture is that of figure 6 of Siamese DETR. Runs may be finished, interrupted, resumed or still
going on. Several work folders of a name (seeds) are drawn as mean and deviation (n - 1), where all
of them were evaluated. The numbers are printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import mmpixcon  # noqa: F401  (makes the pinned set importable)
from mmpixcon.utils.tables import markdown_table
from mmpixcon.visualization.curves import draw_convergence, read_evaluations


def parse_run(text: str) -> tuple[str, list[str]]:
    """Read NAME=WORK_DIR,WORK_DIR."""
    name, _, rest = text.partition('=')
    folders = [folder for folder in rest.split(',') if folder]
    if not (name and folders):
        raise argparse.ArgumentTypeError(f'{text!r} is no NAME=WORK_DIR[,WORK_DIR...]')
    return name, folders


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('runs', nargs='+', type=parse_run, metavar='NAME=WORK_DIR[,WORK_DIR...]')
    parser.add_argument('--metric', default='coco/bbox_mAP', help='as it is named in the log')
    parser.add_argument('--x', choices=['epoch', 'iteration'], default='epoch')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/convergence_curves.png'))
    args = parser.parse_args()
    if len(dict(args.runs)) < len(args.runs):
        parser.error('two runs have the same name; write NAME=WORK_DIR,WORK_DIR for seeds')
    return args


def curve(folders: list[str], metric: str, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, ) that all runs were evaluated at, and values (runs, n)."""
    runs = [read_evaluations(folder, metric, unit) for folder in folders]
    places = [place for place in runs[0] if all(place in run for run in runs)]
    if not places:
        raise ValueError(f'{", ".join(folders)} were never evaluated at the same {unit}')
    return np.array(places), np.array([[run[place] for place in places] for run in runs])


def table(curves: dict[str, tuple[np.ndarray, np.ndarray]], unit: str) -> str:
    """Means and deviations, a row a place, a column a name."""
    cells = {
        name: {
            place: f'{column.mean():.4f}'
            + (f' ± {column.std(ddof=1):.4f}' if len(column) > 1 else '')
            for place, column in zip(places.tolist(), values.T)
        }
        for name, (places, values) in curves.items()
    }
    rows = [
        [place, *(column.get(place, '') for column in cells.values())]
        for place in sorted(set().union(*cells.values()))
    ]
    return markdown_table([unit, *cells], rows)


def main() -> None:
    """Read, print and draw."""
    args = parse_args()
    try:
        curves = {name: curve(folders, args.metric, args.x) for name, folders in args.runs}
    except (OSError, ValueError) as error:
        sys.exit(f'convergence_curves: {error}')
    print(table(curves, args.x))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_convergence(curves, args.x, args.metric).savefig(args.out, dpi=120)
    print(args.out)


if __name__ == '__main__':
    main()

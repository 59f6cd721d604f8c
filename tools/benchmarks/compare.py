r"""Trains several configs over several seeds, evaluates, and prints one table.

    python tools/benchmarks/compare.py \
        stock=configs/stock/deformable-detr_r18_1xb8-12e_scenes.py \
        PixCon=configs/pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py \
        --seeds 0 1 2 --work-dir work_dirs/compare

A recipe of one stage a config, of which no file is written: mean and standard deviation (n - 1)
over seeds of COCO's metrics, and the difference of the first config's mean. A finished run is not
done again, an interrupted one resumes, and results stand beside them: see tools/run_recipe.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.apis.options import OptionsAction
from mmpixcon.recipes import Recipe, Stage, Table
from mmpixcon.recipes.command import add_launch_arguments, launch_of, run

METRICS = {
    'AP': 'coco/bbox_mAP',
    'AP50': 'coco/bbox_mAP_50',
    'AP75': 'coco/bbox_mAP_75',
    'AP_S': 'coco/bbox_mAP_s',
    'AP_M': 'coco/bbox_mAP_m',
    'AP_L': 'coco/bbox_mAP_l',
}
DATA = '--data-root'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='+', metavar='NAME=CONFIG', help='the first is baseline')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument(DATA, help="folder of the data, in place of the configs'")
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionsAction, default={}, help='settings of all runs'
    )
    add_launch_arguments(parser)
    args = parser.parse_args()
    args.launch = launch_of(parser, args)
    try:
        args.configs = parse_configs(args.configs)
    except ValueError as error:
        parser.error(str(error))
    return args


def parse_configs(entries: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=CONFIG`` of a command line.

    Raises:
        ValueError: A config file is missing, or two have the same name.
    """
    pairs = [entry.partition('=')[::2] for entry in entries]
    for name, config in pairs:
        if not config or not Path(config).is_file():
            raise ValueError(f'{name}={config}: no such config file; write NAME=CONFIG')
    if len(dict(pairs)) < len(pairs):
        raise ValueError('two configs have the same name')
    return dict(pairs)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """A stage a config, and their table."""
    stages = {
        name: Stage(
            name,
            Path(config).resolve(),
            tuple(args.seeds),
            options=args.cfg_options,
            data=DATA if args.data_root else None,
        )
        for name, config in args.configs.items()
    }
    table = Table('Compared', {name: {'': name} for name in stages}, METRICS)
    return Recipe(args.work_dir, stages, (table,), {DATA: args.data_root})


def main() -> None:
    """Run what isn't done, then report."""
    args = parse_args()
    run(lambda: recipe_of(args), args.work_dir, args.launch, args.changed)


if __name__ == '__main__':
    main()

r"""Runs a recipe: pretrain, fine-tune, evaluate, compare, in one command.

    python tools/run_recipe.py configs/recipes/demo.py
    python tools/run_recipe.py configs/recipes/RECIPE.py --launcher pytorch --gpus 8 \
        --data coco=/data/coco

Runs what isn't done yet, resumes what was interrupted, skips what is done with the same
settings; then writes tables, results.csv, metafile.yml and pictures to the work folder.
A config that changed since is refused: --changed rerun or --changed keep says otherwise.
--only 'VICReg*' runs the stages of these names and what they build on; the tables show what
is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.apis.options import OptionsAction
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.command import add_launch_arguments, launch_of, run


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Run a recipe', formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        'recipe', type=Path, help='config file with stages; a shipped one by its name'
    )
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/RECIPE')
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='STAGE',
        help="stages, as 'VICReg*', to run with what they build on; all where it is missing",
    )
    parser.add_argument('--seeds', type=int, nargs='+', help="in place of the recipe's")
    parser.add_argument(
        '--data',
        nargs='+',
        action=OptionsAction,
        default={},
        help='folders of data, as NAME=FOLDER',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionsAction, default={}, help='settings of all stages'
    )
    add_launch_arguments(parser)
    parser.add_argument(
        '--list', action='store_true', help='show the stages and what is done, run nothing'
    )
    args = parser.parse_args()
    args.launch = launch_of(parser, args)
    return args


def main() -> None:
    """Run what isn't done, then report."""
    args = parse_args()
    work_dir = args.work_dir or Path('work_dirs') / args.recipe.stem
    run(
        lambda: read_recipe(args.recipe, args.data, args.cfg_options, args.seeds),
        work_dir,
        args.launch,
        args.changed,
        args.only,
        args.list,
    )


if __name__ == '__main__':
    main()

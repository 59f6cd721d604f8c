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
import sys
from pathlib import Path

from mmengine.config import DictAction

import mmpixcon  # noqa: F401  (makes mmdet:: configs of the pinned set readable)
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.execute import CHANGED, Execution
from mmpixcon.recipes.launch import LAUNCHERS, Board, Launch
from mmpixcon.recipes.report import report
from mmpixcon.recipes.state import ChangedError


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
        '--data', nargs='+', action=DictAction, default={}, help='folders of data, as NAME=FOLDER'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='settings of all stages'
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--gpus', type=int, default=1, help='of a stage, with --launcher pytorch')
    parser.add_argument('--partition', default='', help='with --launcher slurm')
    parser.add_argument('--jobs', type=int, default=1, help='stages at a time')
    parser.add_argument(
        '--changed', choices=CHANGED, default='refuse', help='with runs of other settings'
    )
    parser.add_argument(
        '--list', action='store_true', help='show the stages and what is done, run nothing'
    )
    args = parser.parse_args()
    if args.launcher == 'slurm' and not args.partition:
        parser.error('--launcher slurm needs --partition')
    if args.jobs < 1 or args.gpus < 1:
        parser.error('--jobs and --gpus must be at least 1')
    return args


def main() -> None:
    """Run what isn't done, then report."""
    args = parse_args()
    work_dir = args.work_dir or Path('work_dirs') / args.recipe.stem
    try:
        recipe = read_recipe(args.recipe, args.data, args.cfg_options, args.seeds)
        launch = Launch(args.launcher, args.gpus, args.partition, args.jobs)
        execution = Execution(recipe, work_dir, launch, args.changed, args.only)
        states = execution.check()
    except (ImportError, FileNotFoundError, ValueError, ChangedError) as error:
        raise SystemExit(f'run_recipe: {error}') from None
    if args.list:
        for (name, seed), state in states.items():
            done = 'not begun' if state is None else 'done' if state.finished else 'interrupted'
            print(f'{name}, seed {seed}: {done}')
        return
    try:
        execution.execute(Board(len(states), sys.stdout))
    except KeyboardInterrupt:
        raise SystemExit('\ninterrupted; the same command goes on') from None
    except RuntimeError as error:
        raise SystemExit(f'run_recipe: {error}') from None
    if not recipe.tables:
        return
    try:
        text, files = report(recipe, work_dir, execution.others())
    except (ValueError, ChangedError) as error:
        raise SystemExit(f'run_recipe: {error}') from None
    print('\n' + '\n\n'.join(filter(None, [text, '\n'.join(map(str, files))])))


if __name__ == '__main__':
    main()

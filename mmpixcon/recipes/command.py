"""Parts that the tools share which run recipes: errors become sentences."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .execute import CHANGED, Execution
from .launch import LAUNCHERS, Board, Launch
from .recipe import Recipe
from .report import report


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how stages run, and what happens to those of other settings."""
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument('--gpus', type=int, default=1, help='of a stage, with --launcher pytorch')
    parser.add_argument('--partition', default='', help='with --launcher slurm')
    parser.add_argument('--jobs', type=int, default=1, help='stages at a time, sharing the cores')
    parser.add_argument(
        '--changed', choices=CHANGED, default='refuse', help='if there are runs of other settings'
    )


def launch_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Launch:
    """Read :func:`add_launch_arguments`; what does not go together ends the program."""
    if args.launcher == 'slurm' and not args.partition:
        parser.error('--launcher slurm needs --partition')
    if args.jobs < 1 or args.gpus < 1:
        parser.error('--jobs and --gpus must be at least 1')
    return Launch(args.launcher, args.gpus, args.partition, args.jobs)


def run(
    read: Callable[[], Recipe],
    work_dir: Path,
    launch: Launch,
    changed: str = 'refuse',
    only: Sequence[str] | None = None,
    show: bool = False,
) -> None:
    """Do what isn't done of a recipe, then write and print its tables.

    Args:
        read (Callable): Gives the recipe.
        work_dir (Path): folder of its runs.
        launch (Launch): settings that the stages are started with.
        changed (str): treatment of runs of other settings, as in :class:`Execution`. Defaults to
            'refuse'.
        only (Sequence[str], optional): names or patterns of stages, as in :class:`Execution`.
            Defaults to None.
        show (bool): Print what is done and run nothing. Defaults to False.

    Raises:
        SystemExit: Something is wrong with the recipe, a run or its results; or it was interrupted.
    """
    try:
        recipe = read()
        execution = Execution(recipe, work_dir, launch, changed, only)
        states = execution.check()
        if show:
            for (name, seed), state in states.items():
                done = 'not begun' if state is None else 'done' if state.finished else 'interrupted'
                print(f'{name}, seed {seed}: {done}')
            return
        execution.execute(Board(len(states), sys.stdout))
        if not recipe.tables:
            return
        text, files = report(recipe, work_dir, execution.others())
    except (ImportError, FileNotFoundError, ValueError, RuntimeError) as error:
        raise SystemExit(f'{Path(sys.argv[0]).stem}: {error}') from None
    except KeyboardInterrupt as interruption:
        print('\ninterrupted; run the same command again to continue', file=sys.stderr)
        raise SystemExit(getattr(interruption, 'status', 130)) from None
    print('\n' + '\n\n'.join(filter(None, [text, '\n'.join(map(str, files))])))

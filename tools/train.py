"""Train a model: python tools/train.py CONFIG, or mim train mmpixcon CONFIG."""

from __future__ import annotations

import argparse
import contextlib

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.config import average_weights, compare_batch, merge_options, stop_at_plateau
from mmpixcon.apis.runner import (
    AMP_DTYPES,
    add_common_arguments,
    build_runner,
    check_checkpoint,
    explained,
    load_config,
    resume_newest,
    use_mixed_precision,
)
from mmpixcon.engine.restarts import count_restarts
from mmpixcon.engine.work_folder import begin_anew, is_first_process, lock_work_folder


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=['auto', *AMP_DTYPES],
        help='train in mixed precision; without a type, bfloat16 where the card has it',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size (auto_scale_lr of the config)',
    )
    parser.add_argument(
        '--ema',
        action='store_true',
        help='evaluate and save an average of the weights (EMAHook of custom_hooks)',
    )
    parser.add_argument(
        '--early-stopping',
        nargs='?',
        const=5,
        type=int,
        metavar='PATIENCE',
        help='stop after so many evaluations without a better score, 5 without a number, and keep '
        'the best checkpoint (PlateauStoppingHook of custom_hooks)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from a checkpoint; without a path, from the latest one in the work folder',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='start a new run in a work folder with checkpoints, which are moved aside',
    )
    parser.add_argument(
        '--reschedule',
        action='store_true',
        help="with --resume, go on with the config's schedule, where it is not the checkpoint's",
    )
    return parser.parse_args()


def main() -> None:
    """Train."""
    args = parse_args()
    cfg = load_config(args, stages=('train', 'val'))
    if args.reschedule:
        merge_options(cfg, {'custom_hooks.ScheduleHook.renew': True})
    if args.ema:
        average_weights(cfg)
    if args.early_stopping is not None:
        stop_at_plateau(cfg, args.early_stopping)
    if args.amp:
        use_mixed_precision(cfg, args.amp)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise KeyError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size in the config, the batch '
                'size that its learning rate was tuned for.'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is None and cfg.get('resume') and not cfg.get('load_from'):
        args.resume = 'auto'
    with contextlib.ExitStack() as claims:
        if is_first_process():
            claims.enter_context(lock_work_folder(cfg.work_dir))
            moved = (
                None
                if args.resume or cfg.get('resume')
                # After a restart, the checkpoints are those of this run.
                else begin_anew(cfg.work_dir, args.overwrite and not count_restarts())
            )
            args.notes += [moved] if moved else []
        if args.resume == 'auto':
            args.notes += resume_newest(cfg)
        elif args.resume is not None:
            cfg.resume = True
            cfg.load_from = args.resume
        if cfg.get('load_from'):
            check_checkpoint(cfg.load_from, '--resume' if args.resume else 'load_from')
        with explained(cfg):
            runner = build_runner(cfg, args.notes)
            for note in compare_batch(cfg, runner.world_size):
                runner.logger.warning(note)
            runner.train()


if __name__ == '__main__':
    main()

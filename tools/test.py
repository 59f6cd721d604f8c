"""Test a model: python tools/test.py CONFIG CHECKPOINT, or mim test mmpixcon CONFIG."""

from __future__ import annotations

import argparse

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.runner import (
    add_common_arguments,
    build_runner,
    check_checkpoint,
    explained,
    load_config,
)
from mmpixcon.engine.hooks.plain_checkpoint_hook import PlainCheckpointHook


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    add_common_arguments(parser)
    parser.add_argument('--out', help='write the predictions to this .pkl file')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir', help='write pictures of the predictions to this folder of the work folder'
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that --show waits')
    parser.add_argument(
        '--tta', action='store_true', help='test-time augmentation, with tta_model and tta_pipeline'
    )
    args = parser.parse_args()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out writes a pickle file, so name it *.pkl, not {args.out}')
    return args


def use_tta(cfg: Config) -> None:
    """Put the config's test-time augmentation in place.

    Raises:
        ValueError: The config has none.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ValueError(
            f'--tta needs {" and ".join(missing)} in the config. A list of _base_ with '
            "'mmdet::retinanet/retinanet_tta.py' beside this config has both; its img_scales are "
            "those of COCO's images."
        )
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def main() -> None:
    """Test."""
    args = parse_args()
    cfg = load_config(args, stages=('test',))
    check_checkpoint(args.checkpoint, 'the second argument')
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    if args.tta:
        use_tta(cfg)
    runner = build_runner(cfg, args.notes)
    # Stock configs don't have it, and would be tested with whatever part of a checkpoint fits.
    if not any(isinstance(hook, PlainCheckpointHook) for hook in runner.hooks):
        runner.register_hook(PlainCheckpointHook())
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    with explained(cfg):
        runner.test()


if __name__ == '__main__':
    main()

"""Several models on a command line."""

from __future__ import annotations

import argparse


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--model NAME=CONFIG,CHECKPOINT``, to be repeated, a column each.

    Args:
        parser (argparse.ArgumentParser): parser of a tool that compares checkpoints.
    """
    parser.add_argument(
        '--model',
        action='append',
        type=_model_argument,
        required=True,
        metavar='NAME=CONFIG,CHECKPOINT',
        help='a column; may be repeated',
    )


def _model_argument(text: str) -> tuple[str, str, str]:
    """Read NAME=CONFIG,CHECKPOINT."""
    name, _, rest = text.partition('=')
    config, _, checkpoint = rest.partition(',')
    if not (name and config and checkpoint):
        raise argparse.ArgumentTypeError(f'{text!r} is no NAME=CONFIG,CHECKPOINT')
    return name, config, checkpoint

"""Several models on a command line."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any


def add_model_argument(parser: argparse.ArgumentParser, needs_checkpoint: bool = True) -> None:
    """Add ``--model NAME=CONFIG,CHECKPOINT``, to be repeated, a column each.

    Args:
        parser (argparse.ArgumentParser): parser of a tool that compares checkpoints.
        needs_checkpoint (bool): Whether ``,CHECKPOINT`` cannot be left out. Without one, the tool
            gets an empty string. Defaults to True.
    """
    meaning = 'a model; may be repeated'
    if not needs_checkpoint:
        meaning += '; without a checkpoint, as a training of the config begins'
    parser.add_argument(
        '--model',
        action=_AppendModel,
        type=partial(_model_argument, needs_checkpoint=needs_checkpoint),
        required=True,
        metavar='NAME=CONFIG,CHECKPOINT' if needs_checkpoint else 'NAME=CONFIG[,CHECKPOINT]',
        help=meaning,
    )


def _model_argument(text: str, needs_checkpoint: bool) -> tuple[str, str, str]:
    """Read NAME=CONFIG,CHECKPOINT."""
    name, _, rest = text.partition('=')
    config, comma, checkpoint = rest.partition(',')
    # A comma asks for a checkpoint, such as one of an empty variable of the shell.
    complete = checkpoint if needs_checkpoint or comma else True
    if not (name and config and complete):
        raise argparse.ArgumentTypeError(f'{text!r} is no NAME=CONFIG,CHECKPOINT')
    return name, config, checkpoint


class _AppendModel(argparse.Action):
    """Append a model, whose name says which column is its."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *values: Any
    ) -> None:
        """Append."""
        model = values[0]
        models = getattr(namespace, self.dest) or []
        if any(name == model[0] for name, *_ in models):
            parser.error(f'--model: two are named {model[0]}; give each a name of its own')
        setattr(namespace, self.dest, [*models, model])

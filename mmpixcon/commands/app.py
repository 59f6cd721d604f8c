"""The command ``mmpixcon``, also ``python -m mmpixcon``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer

from .check import check
from .compare import compare
from .detect import detect
from .export import export
from .fit import fit

app = typer.Typer(
    help='Train detectors on your photos, with or without self-supervised pretraining.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=dict(help_option_names=['-h', '--help']),
)
app.command()(check)
app.command()(detect)
app.command()(fit)
app.command()(compare)
app.command()(export)


# Options that take several values at once, as argparse has them.
LISTS = ('--methods', '--percents')


def repeat_options(arguments: Iterable[str], names: Sequence[str] = LISTS) -> list[str]:
    """Give an option anew for each of its values, as typer wants it.

    Args:
        arguments (Iterable[str]): command line.
        names (Sequence[str]): options that take several values. Defaults to :data:`LISTS`.

    Returns:
        list[str]: ``--methods none --methods vicreg`` for ``--methods none vicreg``.
    """
    repeated: list[str] = []
    option, has_value = '', False
    for argument in arguments:
        if argument.startswith('--') or not option:
            option, has_value = (argument if argument in names else ''), False
        elif has_value:
            repeated.append(option)
        else:
            has_value = True
        repeated.append(argument)
    return repeated


def main() -> None:
    """Run the command line."""
    app(args=repeat_options(sys.argv[1:]))

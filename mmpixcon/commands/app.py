"""The command ``mmpixcon``, also ``python -m mmpixcon``."""

from __future__ import annotations

import typer

from .check import check
from .detect import detect

app = typer.Typer(
    help='Train detectors on your photos, with features that were taught.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=dict(help_option_names=['-h', '--help']),
)
app.command()(check)
app.command()(detect)


def main() -> None:
    """Run the command line."""
    app()

"""The command ``mmpixcon``, also ``python -m mmpixcon``."""

from __future__ import annotations

import typer

from .check import check

app = typer.Typer(
    help='Train detectors on your photos, with features that were taught.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=dict(help_option_names=['-h', '--help']),
)
app.command()(check)


@app.callback()
def _more_to_come() -> None:
    """Keep the verb in the command line while there is only one."""


def main() -> None:
    """Run the command line."""
    app()

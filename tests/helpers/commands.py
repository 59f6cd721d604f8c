"""The verbs of ``mmpixcon`` and the examples of their help."""

from __future__ import annotations

import re
import shlex

from typer.testing import CliRunner

from mmpixcon.commands.app import app


def example_of(verb: str) -> list[str]:
    """Take the example out of the help of a verb.

    Args:
        verb (str): such as 'fit'.

    Returns:
        list[str]: words after ``mmpixcon``.
    """
    printed = ' '.join(CliRunner().invoke(app, [verb, '--help']).output.split())
    (example,) = re.findall(rf'Example: mmpixcon ({verb} .*?) [╭┏]', printed)
    return shlex.split(example)

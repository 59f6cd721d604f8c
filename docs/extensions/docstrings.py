"""Docstrings as the package writes them, which Sphinx would stumble over."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext import napoleon

# ``literal``, or the stars of `*args` and `**kwargs`, which no star ends.
STARS = re.compile(r'(``.*?``)|(?<![\w*\\])(\*{1,2})(?=\w+(?![\w*]))')

# A name without its module, which is found wherever it is described.
BARE_NAME = re.compile(r'(:(?:class|func):`)(?=\w+`)')


def escape_stars(line: str) -> str:
    """Write stars of arguments so that they are not taken for emphasis.

    Args:
        line (str): Of a docstring.

    Returns:
        str: The line as reStructuredText.
    """
    if line.lstrip().startswith(('>>>', '...')):
        return line
    return STARS.sub(lambda m: m[1] or m[2].replace('*', r'\*'), line)


def on_docstring(
    app: Sphinx, what: str, name: str, value: object, options: Any, lines: list[str]
) -> None:
    """Escape the stars of a docstring, and let its names be looked up in all modules."""
    lines[:] = [BARE_NAME.sub(r'\1.', escape_stars(line)) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    # Before napoleon.
    app.connect('autodoc-process-docstring', on_docstring, priority=400)
    # With its default settings this one changes nothing, and it fails at mmcv's
    # cache_randomness, which is no attribute of a class.
    for listener in list(app.events.listeners['autodoc-skip-member']):
        if listener.handler is napoleon._skip_member:
            app.disconnect(listener.id)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}

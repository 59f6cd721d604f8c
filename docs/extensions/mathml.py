"""Equations as MathML, which browsers draw themselves: the site needs nothing from elsewhere."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)


def convert(node: nodes.Element, as_block: bool) -> str:
    """An equation as MathML; what cannot be converted is a warning, which fails the build.

    Args:
        node (nodes.Element): ``math`` or ``math_block``.
        as_block (bool): Whether it stands on lines of its own.

    Returns:
        str: A ``<math>`` element.
    """
    tex = node.astext()
    if r'\\' in tex and r'\begin' not in tex:
        tex = rf'\begin{{aligned}}{tex}\end{{aligned}}'
    try:
        return tex2mathml(tex, as_block=as_block)
    except (MathError, SyntaxError) as error:
        LOGGER.warning('equation %r: %s', tex, error, location=node)
        return f'<code>{tex}</code>'


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write an equation within a line."""
    translator.body.append(convert(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation on lines of its own, wide ones with a bar to scroll."""
    translator.body.append('<div class="math" style="overflow-x: auto">')
    translator.body.append(convert(node, as_block=True))
    translator.body.append('</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer('mathml', (visit_inline, None), (visit_block, None))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}

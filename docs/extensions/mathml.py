"""Equations as MathML, which browsers draw themselves: the site needs nothing from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
MATHML = 'http://www.w3.org/1998/Math/MathML'
ElementTree.register_namespace('', MATHML)


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
        return indices_beside(tex2mathml(tex, as_block=as_block))
    except (MathError, SyntaxError) as error:
        LOGGER.warning('equation %r: %s', tex, error, location=node)
        return f'<code>{tex}</code>'


def indices_beside(mathml: str) -> str:
    r"""Put the index of an accented letter, ``\hat p_k``, beside it; docutils puts it below.

    Args:
        mathml (str): A ``<math>`` element.

    Returns:
        str: The same element otherwise.
    """
    # HTML's names, which XML does not know.
    mathml = re.sub(r'&(?!(?:lt|gt|amp|quot|apos);)\w+;', lambda m: unescape(m[0]), mathml)
    root = ElementTree.fromstring(mathml)
    for element in root.iter(f'{{{MATHML}}}munderover'):
        letter, index, accent = element
        if accent.get('stretchy') == 'false':
            element.tag = f'{{{MATHML}}}msub'
            accented = ElementTree.Element(f'{{{MATHML}}}mover', accent='true')
            accented.extend([letter, accent])
            element[:] = [accented, index]
    return ElementTree.tostring(root, encoding='unicode')


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write an equation within a line."""
    translator.body.append(convert(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation on lines of its own, wide ones with a bar to scroll."""
    translator.body.append('<div class="math" style="overflow: auto hidden; padding: 0.4em 0">')
    translator.body.append(convert(node, as_block=True))
    translator.body.append('</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer('mathml', (visit_inline, None), (visit_block, None))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}

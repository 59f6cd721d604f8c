"""Links of pages and included READMEs, which hold in the repository, made to hold in the site."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

# `](target)` and `](target#heading)`, of links and of images.
LINK = re.compile(r'(?<=\]\()(?!https?:|#)([^)\s#]+)(#[^)\s]*)?(?=\))')
# A whole file, as a page of the site includes it.
INCLUDE = re.compile(r'^```\{include\} (\S+)\n((?::.*\n)*)```', re.MULTILINE)


def pages_of_files(srcdir: Path) -> dict[str, str]:
    """The pages that include a file without cutting it.

    Args:
        srcdir (Path): Of the site.

    Returns:
        dict[str, str]: Pages, relative to the site and without ending, by the path of the
        file, relative to the repository.
    """
    pages = {}
    for page in sorted(srcdir.rglob('*.md')):
        for target, options in INCLUDE.findall(page.read_text(encoding='utf-8')):
            if 'start-after' in options or 'end-before' in options:
                continue
            file = os.path.relpath(page.parent / target, srcdir.parent)
            pages.setdefault(file, page.relative_to(srcdir).with_suffix('').as_posix())
    return pages


def rewrite(text: str, folder: Path, srcdir: Path, pages: dict[str, str]) -> str:
    """Point each relative link to a page of the site, to a picture, or to the file itself.

    Args:
        text (str): Markdown.
        folder (Path): That its links start from.
        srcdir (Path): Of the site, a folder of the repository.
        pages (dict[str, str]): Pages by what they stand for, as :func:`pages_of_files`;
            a file with a heading, ``FILE#HEADING``, comes before the file.

    Returns:
        str: Markdown with links that start from the site's top. What does not exist is left
        alone, for Sphinx to complain of.
    """

    def site_link(match: re.Match) -> str:
        target, heading = match[1], match[2] or ''
        path = Path(os.path.normpath(folder / target))
        file = path.relative_to(srcdir.parent).as_posix()
        for name in (f'{file}{heading}', file, f'{file}/README.md'):
            if name in pages:
                return f'/{pages[name]}.md{heading}'
        if not path.is_file():
            return match[0]
        return f'/{os.path.relpath(path, srcdir)}{heading}'

    return LINK.sub(site_link, text)


def on_include(app: Sphinx, path: Path, page: str, content: list[str]) -> None:
    """Rewrite what a page includes, before it is parsed."""
    srcdir = Path(app.srcdir)
    file = Path(os.path.normpath(srcdir / path))
    if file.suffix == '.md':
        pages = {**pages_of_files(srcdir), **app.config.readme_pages}
        content[0] = rewrite(content[0], file.parent, srcdir, pages)


def on_source(app: Sphinx, page: str, content: list[str]) -> None:
    """Rewrite a page of the site itself, before it is parsed."""
    srcdir = Path(app.srcdir)
    file = Path(app.env.doc2path(page))
    if file.suffix == '.md':
        pages = {**pages_of_files(srcdir), **app.config.readme_pages}
        content[0] = rewrite(content[0], file.parent, srcdir, pages)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value('readme_pages', {}, 'env', [dict])
    app.connect('include-read', on_include)
    app.connect('source-read', on_source)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}

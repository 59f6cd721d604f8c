"""Settings of the documentation site; `make docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / 'extensions'))

# The pinned OpenMMLab set is importable together once mmpixcon is: before autodoc tries others.
from mmpixcon import __version__ as release  # noqa: E402

project = 'mmpixcon'
author = 'mmpixcon contributors'
copyright = f'{author}, Apache 2.0'
version = release

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    # Links from the source lead to the page that is read last by its name: to reference/.
    'sphinx.ext.viewcode',
    'docstrings',
    'mathml',
    'readme_links',
]
exclude_patterns = ['_build', 'examples']

myst_enable_extensions = ['dollarmath']
# Links to a heading of a README keep working, down to the third level.
myst_heading_anchors = 4

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
# Types stand in the docstrings, with shapes.
autodoc_typehints = 'none'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Fields of dataclasses are members as well, and would be described twice.
napoleon_use_ivar = True
add_module_names = False
toc_object_entries = False

# What a README has of its own kind: lines of a console, prompts with placeholders.
highlight_language = 'none'

html_theme = 'furo'
html_title = f'mmpixcon {release}'
html_math_renderer = 'mathml'
html_show_sourcelink = False

# Pages that stand for what no page includes whole.
readme_pages = {
    'README.md': 'index',
    'README.md#pretraining': 'pretraining',
    'configs/recipes': 'recipes',
}

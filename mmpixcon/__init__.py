"""mmpixcon: teaching features to detect, as a plugin for MMDetection and MMSelfSup.

Importing the package checks the installed OpenMMLab set, provides mmcv's
operators where none are compiled, makes mmselfsup importable beside today's mmcv
and registers everything under scope ``mmpixcon``.
"""

import mmpixcon_ops

from .compat import (
    import_mmselfsup,
    keep_sampling_locations,
    mend_adjust_hue,
    register_package,
)
from .version import __version__
from .versions import check_versions

check_versions()
mmpixcon_ops.install()
import_mmselfsup()
mend_adjust_hue()
keep_sampling_locations()
register_package()

from mmdet.utils import register_all_modules as _register_mmdet  # noqa: E402

_register_mmdet(init_default_scope=False)

from . import datasets, engine, evaluation, models, visualization  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'visualization']

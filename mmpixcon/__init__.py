"""mmpixcon: teaching features to detect, as a plugin for MMDetection and MMSelfSup.

Importing the package checks the installed OpenMMLab set, makes mmselfsup
importable beside mmcv 2.1 and registers everything under scope ``mmpixcon``.
"""

from .compat import check_versions, import_mmselfsup, register_package
from .version import __version__

check_versions()
import_mmselfsup()
register_package()

from mmdet.utils import register_all_modules as _register_mmdet  # noqa: E402

_register_mmdet(init_default_scope=False)

from . import datasets, engine, evaluation, models, visualization  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'visualization']

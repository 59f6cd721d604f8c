"""mmpixcon: teaching features to detect, as a plugin for MMDetection and MMSelfSup.

Importing the package checks the installed OpenMMLab set, provides mmcv's
operators where none are compiled, makes mmselfsup importable beside today's mmcv
and registers everything under scope ``mmpixcon``.
"""

from .limits import limit_opencv
from .version import __version__
from .versions import check_versions

# First, so that what is missing is named before an import of it fails.
check_versions()

# Before anything loads OpenCV.
limit_opencv()

import mmpixcon_ops  # noqa: E402

from . import compat  # noqa: E402

mmpixcon_ops.install()
compat.import_mmselfsup()
compat.mend_adjust_hue()
compat.keep_sampling_locations()
compat.keep_data_out_of_compilation()
compat.register_package()

from mmdet.utils import register_all_modules as _register_mmdet  # noqa: E402

_register_mmdet(init_default_scope=False)

from . import datasets, engine, evaluation, models, visualization  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'visualization']

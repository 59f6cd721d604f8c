"""Makes the OpenMMLab packages importable and usable together.

Nothing is changed on disk. What importing mmpixcon changes in
other packages while Python runs is here, one function each, and called from
``mmpixcon/__init__.py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
import torch
from packaging.version import Version

# The newest mmcv that mmcls 1.0.0rc6 and mmselfsup 1.0.0 accept. Their code
# runs on newer ones; only the check at import refuses them.
_ACCEPTED_MMCV = '2.0.1'


def import_mmselfsup() -> None:
    """Import mmcls and mmselfsup beside an mmcv that is newer than 2.0.

    Their version checks run while mmcv reports a version that they accept.

    Raises:
        ImportError: One of them fails to import for another reason.
    """
    import mmcv

    real = mmcv.__version__
    try:
        if Version(real) > Version(_ACCEPTED_MMCV):
            mmcv.__version__ = _ACCEPTED_MMCV
        for package in ('mmcls', 'mmselfsup'):
            importlib.import_module(package)
    finally:
        mmcv.__version__ = real
    _forget_missing_locations()


def _forget_missing_locations() -> None:
    """Keep mmengine from importing modules that mmselfsup names and does not have.

    mmselfsup 1.0.0 says that its runners and loops are in
    ``mmselfsup.engine.runner``, which is not there: any run in its scope would
    stop at the first loop that is looked up.
    """
    from mmengine.registry import Registry

    registries = importlib.import_module('mmselfsup.registry')
    for registry in vars(registries).values():
        if isinstance(registry, Registry) and registry.scope == 'mmselfsup':
            missing = [
                location
                for location in registry._locations
                if importlib.util.find_spec(location) is None
            ]
            registry._imported = registry._imported or bool(missing)


def register_package() -> None:
    """Let configs of any project say ``_base_ = 'mmpixcon::...'``.

    mmengine reads such a base only from the packages of a fixed table.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('mmpixcon', 'mmpixcon')


def mend_adjust_hue() -> None:
    """Let mmcv 2.1 lower the hue under numpy 2.

    It adds ``np.uint8(hue_factor * 255)`` to the hue. For a negative factor
    numpy 1 wrapped around, which is meant; numpy 2 raises ``OverflowError``, at
    random in the middle of a training with ``ColorJitter``.
    """
    import mmcv.image.photometric as photometric

    adjust_hue = photometric.adjust_hue
    try:
        adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.1)
    except OverflowError:
        pass
    else:
        return

    def adjust_hue_wrapping(img: np.ndarray, hue_factor: float, backend: str | None = None) -> Any:
        return adjust_hue(img, _HueFactor(hue_factor), backend)

    adjust_hue_wrapping.__doc__ = adjust_hue.__doc__
    # mmselfsup and others have it under the same name, from before.
    for module in list(sys.modules.values()):
        if getattr(module, 'adjust_hue', None) is adjust_hue:
            module.adjust_hue = adjust_hue_wrapping  # type: ignore[attr-defined]


class _HueFactor(float):
    """A factor whose product wraps around at 256, as the hue does."""

    def __mul__(self, other: float) -> int:
        return int(float(self) * other) % 256


def keep_sampling_locations() -> None:
    """Keep the positions of deformable attention in float32 under autocast.

    mmcv casts them to the type of the values before its operator: in bfloat16,
    neighboring positions are 0.6 cells apart in a map 152 cells wide. The operators
    of mmpixcon take both types, so they get the positions as they are. A compiled
    mmcv is left as it is.
    """
    import mmcv.ops.multi_scale_deform_attn as module

    import mmpixcon_ops

    if mmpixcon_ops.operators() == 'mmpixcon_ops':
        from mmpixcon_ops.deformable_attention import MultiScaleDeformableAttnFunction

        module.MultiScaleDeformableAttnFunction = MultiScaleDeformableAttnFunction


def keep_data_out_of_compilation() -> None:
    """Let a config's ``compile`` work where data samples hold arrays.

    mmengine compiles the whole of ``train_step``, moving the data to the device
    included. That copies the homographies of the views, numpy arrays, and the
    compiler of torch 2.14 fails at their copy. Nothing there is worth compiling.
    """
    from mmengine.model import BaseDataPreprocessor

    BaseDataPreprocessor.cast_data = torch.compiler.disable(BaseDataPreprocessor.cast_data)

"""Stands for ``mmcv._ext``, mmcv's compiled operators, where mmcv has none.

mmcv asks for operators by name. Those that detection needs are here, with the
signatures of mmcv's C++ functions; any other name is a function that raises
when it is called, so that ``import mmcv.ops`` works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from mmpixcon_ops.boxes import nms, nms_match, softnms
from mmpixcon_ops.convolution import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from mmpixcon_ops.deformable_attention import ms_deform_attn_backward, ms_deform_attn_forward
from mmpixcon_ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from mmpixcon_ops.pooling import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
]

# What `mmpixcon_ops.operators` tells this module from a compiled one by.
IS_MMPIXCON_OPS = True


def get_compiler_version() -> str:
    """Name the compiler of the operators, for reports of the environment."""
    return 'none, the operators are those of mmpixcon_ops'


def get_compiling_cuda_version() -> str:
    """Name the CUDA version of the operators, for reports of the environment."""
    return 'not available'


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Stand for an operator that is not here."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv's operator '{name}' needs a compiled mmcv, and none is installed; mmpixcon_ops "
            'has only the operators that detection commonly needs. To get a compiled mmcv: in a '
            'checkout of mmpixcon "make env MMCV=compiled"; elsewhere, with torch below 2.14, a '
            'C++ compiler and Python\'s headers, "pip uninstall mmcv-lite" and then '
            '"MMCV_WITH_OPS=1 pip install --no-build-isolation --no-binary mmcv mmcv==2.1.0".'
        )

    missing.__name__ = missing.__qualname__ = name
    return missing

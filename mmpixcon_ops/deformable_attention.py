"""Multi-scale deformable attention where mmcv has no compiled operators.

The functions compute what mmcv's ``ms_deform_attn_forward`` and ``ms_deform_attn_backward`` do,
equation 3 of `Deformable DETR <https://arxiv.org/abs/2010.04159>`_ (Zhu et al.): on a GPU by
Triton's kernels, where Triton works and takes the tensors; otherwise by mmcv's own version in
PyTorch.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class MultiScaleDeformableAttnFunction(Function):
    """The function of that name in mmcv, with locations and weights in a type of their own.

    mmcv's casts them to the type of ``value``. Under autocast to bfloat16 a location then keeps
    8 bits: in the right half of a map 152 cells wide, the places it can take are 0.6 cells apart.

    ``apply`` takes what :func:`ms_deform_attn_forward` does. Each gradient has the type of what
    it is the gradient of; there are none of second order.
    """

    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,
        value_spatial_shapes: Tensor,
        value_level_start_index: Tensor,
        sampling_locations: Tensor,
        attention_weights: Tensor,
        im2col_step: int,
    ) -> Tensor:
        """Attend, and keep the inputs.

        Args:
            ctx (Any): Autograd's.
            value (Tensor): values of the keys. This and what follows are as in
                :func:`ms_deform_attn_forward`.
            value_spatial_shapes (Tensor): See there.
            value_level_start_index (Tensor): See there.
            sampling_locations (Tensor): See there.
            attention_weights (Tensor): See there.
            im2col_step (int): See there.

        Returns:
            Tensor: (bs, num_queries, num_heads * dims) in the type of ``value``.
        """
        inputs = (
            value,
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations,
            attention_weights,
        )
        ctx.save_for_backward(*inputs)
        return ms_deform_attn_forward(*inputs, im2col_step)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of value, locations and weights.

        Args:
            ctx (Any): Autograd's.
            grad_output (Tensor): (bs, num_queries, num_heads * dims).

        Returns:
            tuple[Tensor | None, ...]: One for each argument of ``forward``, None for those that
            need no gradient.
        """
        inputs = ctx.saved_tensors
        value, _, _, locations, weights = inputs
        of_value, _, _, of_locations, of_weights, _ = ctx.needs_input_grad
        contiguous = torch.contiguous_format
        # Zeros where sums are added up; the other two are overwritten.
        grad_value = torch.zeros_like(value, memory_format=contiguous) if of_value else None
        grad_locations = (
            torch.empty_like(locations, memory_format=contiguous) if of_locations else None
        )
        grad_weights = torch.empty_like(weights, memory_format=contiguous) if of_weights else None
        _backward(*inputs, grad_output, grad_value, grad_locations, grad_weights)
        return grad_value, None, None, grad_locations, grad_weights, None


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Multi-scale deformable attention, as mmcv's operator of that name.

    A sample is bilinear between the centers of four cells; cells outside the map count zero.
    What is computed has no graph.

    Args:
        value (Tensor): (bs, num_keys, num_heads, dims), floats.
        value_spatial_shapes (Tensor): Integers (num_levels, 2), height and width of each level
            in cells. Their products sum up to ``num_keys``.
        value_level_start_index (Tensor): Integers (num_levels,), the first key of each level.
        sampling_locations (Tensor): (bs, num_queries, num_heads, num_levels, num_points, 2), x
            and y as shares of a level's width and height: 0 and 1 are its outer edges.
        attention_weights (Tensor): (bs, num_queries, num_heads, num_levels, num_points).
        im2col_step (int): number of images that the compiled operator takes at a time. Ignored: all
            are taken at once.

    Returns:
        Tensor: (bs, num_queries, num_heads * dims) in the type of ``value``. Where the types
        differ, or have 16 bits, it is computed in float32.

    Raises:
        ValueError: If shapes do not fit together.
    """
    inputs = (
        *(value, value_spatial_shapes, value_level_start_index),
        *(sampling_locations, attention_weights),
    )
    _check(*inputs)
    kernels = _kernels(value, sampling_locations, attention_weights)
    with torch.no_grad():
        if kernels is not None:
            return kernels.forward(*inputs)
        return _in_pytorch(value, value_spatial_shapes, sampling_locations, attention_weights)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Gradients of :func:`ms_deform_attn_forward`, as mmcv's operator of that name.

    A location's gradient is by x and y as shares, not by cells. On the GPU the sums over
    queries are added up in no fixed order, so that two runs differ in the last bits.

    Args:
        value (Tensor): values of the keys. This and the next four are as in
            :func:`ms_deform_attn_forward`.
        value_spatial_shapes (Tensor): See there.
        value_level_start_index (Tensor): See there.
        sampling_locations (Tensor): See there.
        attention_weights (Tensor): See there.
        grad_output (Tensor): (bs, num_queries, num_heads * dims).
        grad_value (Tensor): Zeros, in shape like ``value``; written in place.
        grad_sampling_loc (Tensor): In shape like ``sampling_locations``; written in place.
        grad_attn_weight (Tensor): In shape like ``attention_weights``; written in place.
        im2col_step (int): Ignored, as there.

    Raises:
        ValueError: If shapes do not fit together.
    """
    inputs = (
        *(value, value_spatial_shapes, value_level_start_index),
        *(sampling_locations, attention_weights),
    )
    grads = (grad_value, grad_sampling_loc, grad_attn_weight)
    _check(*inputs)
    expected = (value.shape, sampling_locations.shape, attention_weights.shape)
    for name, grad, shape in zip(('value', 'sampling_loc', 'attn_weight'), grads, expected):
        if grad.shape != shape:
            raise ValueError(f'grad_{name} has to be {tuple(shape)}, not {tuple(grad.shape)}')
    _backward(*inputs, grad_output, *grads)


def _backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    *grads: Tensor | None,
) -> None:
    """Write the gradients of value, locations and weights, of which some may be None."""
    batch, _, heads, dims = value.shape
    shape = (batch, sampling_locations.shape[1], heads * dims)
    if grad_output.shape != shape:
        raise ValueError(f'grad_output has to be {shape}, not {tuple(grad_output.shape)}')
    kernels = _kernels(value, sampling_locations, attention_weights)
    if kernels is not None:
        kernels.backward(
            *(value, value_spatial_shapes, value_level_start_index),
            *(sampling_locations, attention_weights, grad_output, *grads),
        )
        return
    wanted = [grad for grad in grads if grad is not None]
    if not wanted:
        return
    leaves = [
        tensor.detach().requires_grad_(grad is not None)
        for tensor, grad in zip((value, sampling_locations, attention_weights), grads)
    ]
    with torch.enable_grad():
        output = _in_pytorch(leaves[0], value_spatial_shapes, *leaves[1:])
    found = torch.autograd.grad(
        output, [leaf for leaf in leaves if leaf.requires_grad], grad_output.to(output.dtype)
    )
    for grad, computed in zip(wanted, found):
        grad.copy_(computed)


def _in_pytorch(
    value: Tensor,
    value_spatial_shapes: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """The version of mmcv in PyTorch, in float32 where all types have 16 bits."""
    # Only here: mmcv's module takes the operators from this one when it is imported.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    dtype = functools.reduce(
        torch.promote_types, (value.dtype, sampling_locations.dtype, attention_weights.dtype)
    )
    # As the kernels; and grid_sample of older torch takes neither on a CPU.
    if dtype in (torch.bfloat16, torch.float16):
        dtype = torch.float32
    # As a compiled operator does: autocast would change types in the forward pass only.
    kind = value.device.type
    as_they_are = (
        torch.autocast(kind, enabled=False) if kind in ('cpu', 'cuda') else contextlib.nullcontext()
    )
    with as_they_are:
        output = multi_scale_deformable_attn_pytorch(
            value.to(dtype),
            value_spatial_shapes,
            sampling_locations.to(dtype),
            attention_weights.to(dtype),
        )
    return output.to(value.dtype)


def _kernels(
    value: Tensor, sampling_locations: Tensor, attention_weights: Tensor
) -> ModuleType | None:
    """The module of Triton's kernels, if they take these tensors here."""
    if not value.is_cuda:
        return None
    kernels = _triton()
    if kernels is None or not kernels.supports(value, sampling_locations, attention_weights):
        return None
    return kernels if kernels.works_on(value.device) else None


@functools.cache
def _triton() -> ModuleType | None:
    """The module of Triton's kernels, if Triton is installed: it is for Linux only."""
    try:
        return importlib.import_module('.deformable_attention_triton', __package__)
    except ImportError:
        return None


def _check(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> None:
    """Compare shapes, which a kernel would trust; what the device holds is not read."""
    if value.dim() != 4:
        raise ValueError(f'value has to be (bs, keys, heads, dims), not {tuple(value.shape)}')
    batch, _, heads, _ = value.shape
    levels = len(value_spatial_shapes)
    shape = tuple(sampling_locations.shape)
    if len(shape) != 6 or (shape[0], *shape[2:4], shape[5]) != (batch, heads, levels, 2):
        raise ValueError(
            f'sampling_locations has to be ({batch}, queries, {heads}, {levels}, points, 2) with '
            f'a value {tuple(value.shape)} of {levels} levels, not {shape}'
        )
    if value_spatial_shapes.shape != (levels, 2):
        raise ValueError(
            f'value_spatial_shapes has to be (levels, 2), not {tuple(value_spatial_shapes.shape)}'
        )
    if value_level_start_index.shape != (levels,):
        raise ValueError(
            f'value_level_start_index has to be ({levels},), '
            f'not {tuple(value_level_start_index.shape)}'
        )
    if attention_weights.shape != shape[:-1]:
        raise ValueError(
            f'attention_weights has to be {shape[:-1]}, not {tuple(attention_weights.shape)}'
        )

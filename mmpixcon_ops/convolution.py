"""Deformable convolution, plain and modulated, by torchvision."""

from __future__ import annotations

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

from .dtypes import torchvision_dtype


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve at shifted places ("Deformable Convolutional Networks", equation 2).

    The paper is https://arxiv.org/abs/1703.06211.

    Args:
        input (Tensor): Maps, shape (B, C, H, W).
        weight (Tensor): Weights, shape (C_out, C / group, kH, kW).
        offset (Tensor): Shifts in cells, y before x, shape (B, 2 *
            deformable_group * kH * kW, H_out, W_out).
        output (Tensor): Output, shape (B, C_out, H_out, W_out).
        columns (Tensor): Scratch memory of mmcv, not used.
        ones (Tensor): Scratch memory of mmcv, not used.
        kW (int): Width of the kernel.
        kH (int): Height of the kernel.
        dW (int): Stride from left to right.
        dH (int): Stride from top to bottom.
        padW (int): Padding left and right.
        padH (int): Padding at top and bottom.
        dilationW (int): Dilation from left to right.
        dilationH (int): Dilation from top to bottom.
        group (int): Groups of channels that are convolved apart.
        deformable_group (int): Groups of channels with shifts of their own.
        im2col_step (int): Images at a time in mmcv; torchvision chooses.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(_convolve(input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Compute the gradients of maps and shifts.

    torchvision computes those of the weights in the same pass. They wait in
    ``columns``, which mmcv hands to ``deform_conv_backward_parameters`` next.

    Args:
        input (Tensor): Maps; this and all that is not named here as in
            ``deform_conv_forward``.
        offset (Tensor): Shifts.
        grad_output (Tensor): Gradient of the output.
        grad_input (Tensor): Output, the gradient of the maps.
        grad_offset (Tensor): Output, the gradient of the shifts.
        weight (Tensor): Weights.
        columns (Tensor): Scratch memory, which holds the gradient of the weights
            afterwards.
        kW (int): Width of the kernel.
        kH (int): Height of the kernel.
        dW (int): Stride from left to right.
        dH (int): Stride from top to bottom.
        padW (int): Padding left and right.
        padH (int): Padding at top and bottom.
        dilationW (int): Dilation from left to right.
        dilationH (int): Dilation from top to bottom.
        group (int): Groups of channels.
        deformable_group (int): Groups with shifts of their own.
        im2col_step (int): Not used.
    """
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    of_input, of_weight, of_offset, _, _ = _gradients(
        grad_output, input, weight, offset, None, None, geometry
    )
    grad_input.copy_(of_input)
    grad_offset.copy_(of_offset)
    columns.set_(of_weight.to(columns.dtype))  # type: ignore[call-overload]


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add the gradient of the weights.

    Args:
        input (Tensor): Maps; this and all that is not named here as in
            ``deform_conv_forward``.
        offset (Tensor): Shifts.
        grad_output (Tensor): Gradient of the output.
        grad_weight (Tensor): Output, to which the gradient is added.
        columns (Tensor): Scratch memory, as ``deform_conv_backward_input`` left it.
        ones (Tensor): Not used.
        kW (int): Width of the kernel.
        kH (int): Height of the kernel.
        dW (int): Stride from left to right.
        dH (int): Stride from top to bottom.
        padW (int): Padding left and right.
        padH (int): Padding at top and bottom.
        dilationW (int): Dilation from left to right.
        dilationH (int): Dilation from top to bottom.
        group (int): Groups of channels.
        deformable_group (int): Groups with shifts of their own.
        scale (float): Factor of the gradient.
        im2col_step (int): Not used.
    """
    if columns.shape == grad_weight.shape:
        of_weight = columns
    else:
        # Nothing but the weights learns: this is the only pass. Their values do not matter here.
        geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
        _, of_weight, _, _, _ = _gradients(
            grad_output, input, torch.zeros_like(grad_weight), offset, None, None, geometry
        )
    grad_weight.add_(of_weight.to(grad_weight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Convolve at shifted places with a factor for each ("Deformable ConvNets v2", equation 1).

    The paper is https://arxiv.org/abs/1811.11168.

    Args:
        input (Tensor): Maps, shape (B, C, H, W).
        weight (Tensor): Weights, shape (C_out, C / group, kernel_h, kernel_w).
        bias (Tensor): Bias, shape (C_out,), or empty.
        ones (Tensor): Scratch memory of mmcv, not used.
        offset (Tensor): Shifts in cells, y before x, shape (B, 2 *
            deformable_group * kernel_h * kernel_w, H_out, W_out).
        mask (Tensor): Factors, shape (B, deformable_group * kernel_h * kernel_w,
            H_out, W_out).
        output (Tensor): Output, shape (B, C_out, H_out, W_out).
        columns (Tensor): Scratch memory of mmcv, not used.
        kernel_h (int): Height of the kernel.
        kernel_w (int): Width of the kernel.
        stride_h (int): Stride from top to bottom.
        stride_w (int): Stride from left to right.
        pad_h (int): Padding at top and bottom.
        pad_w (int): Padding left and right.
        dilation_h (int): Dilation from top to bottom.
        dilation_w (int): Dilation from left to right.
        group (int): Groups of channels that are convolved apart.
        deformable_group (int): Groups of channels with shifts of their own.
        with_bias (bool): Whether there is a bias.
    """
    geometry = (
        *(stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w),
        *(group, deformable_group),
    )
    output.copy_(_convolve(input, weight, offset, mask, bias if with_bias else None, geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Compute the gradients of ``modulated_deform_conv_forward``.

    Args:
        input (Tensor): Maps; this and all that is not named here as in the
            forward pass.
        weight (Tensor): Weights.
        bias (Tensor): Bias, or empty.
        ones (Tensor): Not used.
        offset (Tensor): Shifts.
        mask (Tensor): Factors.
        columns (Tensor): Not used.
        grad_input (Tensor): Output, the gradient of the maps.
        grad_weight (Tensor): Output, the gradient of the weights.
        grad_bias (Tensor): Output, the gradient of the bias.
        grad_offset (Tensor): Output, the gradient of the shifts.
        grad_mask (Tensor): Output, the gradient of the factors.
        grad_output (Tensor): Gradient of the output.
        kernel_h (int): Height of the kernel.
        kernel_w (int): Width of the kernel.
        stride_h (int): Stride from top to bottom.
        stride_w (int): Stride from left to right.
        pad_h (int): Padding at top and bottom.
        pad_w (int): Padding left and right.
        dilation_h (int): Dilation from top to bottom.
        dilation_w (int): Dilation from left to right.
        group (int): Groups of channels.
        deformable_group (int): Groups with shifts of their own.
        with_bias (bool): Whether there is a bias.
    """
    geometry = (
        *(stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w),
        *(group, deformable_group),
    )
    gradients = _gradients(
        grad_output, input, weight, offset, mask, bias if with_bias else None, geometry
    )
    targets = (grad_input, grad_weight, grad_offset, grad_mask)
    for target, gradient in zip(targets, gradients):
        target.copy_(gradient)
    if with_bias:
        grad_bias.copy_(gradients[4])


def _operands(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Give torchvision's operator tensors for what is left out, all of a type that it takes."""
    if mask is None:
        mask = input.new_zeros((input.shape[0], 1))
    if bias is None:
        bias = input.new_zeros(weight.shape[0])
    dtype = torchvision_dtype(input)
    input, weight, offset, mask, bias = (
        tensor.to(dtype).contiguous() for tensor in (input, weight, offset, mask, bias)
    )
    return input, weight, offset, mask, bias


def _convolve(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: tuple[int, ...],
) -> Tensor:
    """Run torchvision's deformable convolution.

    Args:
        input (Tensor): Maps.
        weight (Tensor): Weights.
        offset (Tensor): Shifts.
        mask (Tensor, optional): Factors.
        bias (Tensor, optional): Bias.
        geometry (tuple[int, ...]): Strides, paddings, dilations, each from top to
            bottom before from left to right, then both numbers of groups.

    Returns:
        Tensor: The convolved maps.
    """
    return torch.ops.torchvision.deform_conv2d(
        *_operands(input, weight, offset, mask, bias), *geometry, mask is not None
    )


def _gradients(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: tuple[int, ...],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of ``_convolve``.

    Args:
        grad_output (Tensor): Gradient of the convolved maps; the other arguments
            are those of ``_convolve``.
        input (Tensor): Maps.
        weight (Tensor): Weights.
        offset (Tensor): Shifts.
        mask (Tensor, optional): Factors.
        bias (Tensor, optional): Bias.
        geometry (tuple[int, ...]): Strides, paddings, dilations, groups.

    Returns:
        tuple[Tensor, ...]: Gradients of maps, weights, shifts, factors and bias.
    """
    operands = _operands(input, weight, offset, mask, bias)
    grad_output = grad_output.to(operands[0].dtype).contiguous()
    return torch.ops.torchvision._deform_conv2d_backward(
        grad_output, *operands, *geometry, mask is not None
    )

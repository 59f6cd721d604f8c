"""RoIAlign and RoIPool by torchvision."""

from __future__ import annotations

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

from .dtypes import torchvision_dtype


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average each bin of each region ("Mask R-CNN", https://arxiv.org/abs/1703.06870, section 3).

    Args:
        input (Tensor): Maps, shape (B, C, H, W).
        rois (Tensor): Regions, shape (R, 5): index of the image, then x1, y1, x2,
            y2 in pixels of the image.
        output (Tensor): Output, shape (R, C, aligned_height, aligned_width).
        argmax_y (Tensor): Not used; mmcv's maximum pooling needs it.
        argmax_x (Tensor): Not used; mmcv's maximum pooling needs it.
        aligned_height (int): Bins from top to bottom.
        aligned_width (int): Bins from left to right.
        spatial_scale (float): Cells of the map for each pixel of the image.
        sampling_ratio (int): Samples of a bin in each direction; 0 chooses them
            by the size of the region.
        pool_mode (int): 1, the average of the samples.
        aligned (bool): Shift by half a cell, so that cell centers lie at halves.

    Raises:
        NotImplementedError: ``pool_mode`` is 0, the maximum of the samples.
    """
    _refuse_maximum(pool_mode)
    dtype = torchvision_dtype(input)
    pooled = torch.ops.torchvision.roi_align(
        input.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Compute the gradient of ``roi_align_forward``.

    Args:
        grad_output (Tensor): Gradient of the output, shape (R, C, aligned_height,
            aligned_width).
        rois (Tensor): regions of the forward pass, shape (R, 5).
        argmax_y (Tensor): Not used.
        argmax_x (Tensor): Not used.
        grad_input (Tensor): Output, the gradient of the maps, shape (B, C, H, W).
        aligned_height (int): Bins from top to bottom.
        aligned_width (int): Bins from left to right.
        spatial_scale (float): Cells of the map for each pixel of the image.
        sampling_ratio (int): Samples of a bin in each direction.
        pool_mode (int): 1, the average of the samples.
        aligned (bool): Shift by half a cell.

    Raises:
        NotImplementedError: ``pool_mode`` is 0, the maximum of the samples.
    """
    _refuse_maximum(pool_mode)
    dtype = torchvision_dtype(grad_output)
    gradient = torch.ops.torchvision._roi_align_backward(
        grad_output.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.copy_(gradient)


def _refuse_maximum(pool_mode: int) -> None:
    """Raise for the kind of RoIAlign that torchvision does not have."""
    if pool_mode != 1:
        raise NotImplementedError(
            "RoIAlign with pool_mode='max' needs a compiled mmcv, and none is installed; "
            "mmpixcon_ops has pool_mode='avg'. To get a compiled mmcv in a checkout of mmpixcon: "
            'make env MMCV=compiled'
        )


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Take the maximum of each bin of each region ("Fast R-CNN", section 2.1).

    mmcv bounds the bins of a region that is not rounded, torchvision those of a
    rounded one. So each bin goes to torchvision as a region of one bin, with the
    bounds that mmcv gives it.

    Args:
        input (Tensor): Maps, shape (B, C, H, W).
        rois (Tensor): Regions, shape (R, 5): index of the image, then x1, y1, x2,
            y2 in pixels of the image, the last pixel included.
        output (Tensor): Output, shape (R, C, pooled_height, pooled_width); 0 in
            bins outside the map.
        argmax (Tensor): Output of the same shape, int32: place ``y * W + x`` of
            the maximum; -1 in bins outside the map.
        pooled_height (int): Bins from top to bottom.
        pooled_width (int): Bins from left to right.
        spatial_scale (float): Cells of the map for each pixel of the image.
    """
    bins, is_empty = _bins(rois, input.shape[2:], (pooled_height, pooled_width), spatial_scale)
    dtype = torchvision_dtype(input)
    pooled, places = torch.ops.torchvision.roi_pool(input.to(dtype), bins.to(dtype), 1.0, 1, 1)
    for target, values, outside in ((output, pooled, 0), (argmax, places, -1)):
        # (R * bins, C) -> (R, C, bins from top to bottom, from left to right)
        values = values.flatten(1).masked_fill(is_empty[:, None], outside)
        target.copy_(
            values.view(len(rois), pooled_height, pooled_width, input.shape[1]).permute(0, 3, 1, 2)
        )


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Compute the gradient of ``roi_pool_forward``.

    Args:
        grad_output (Tensor): Gradient of the output, shape (R, C, pooled_height,
            pooled_width).
        rois (Tensor): Regions, shape (R, 5).
        argmax (Tensor): Places of the maxima, from the forward pass.
        grad_input (Tensor): Output, the gradient of the maps, shape (B, C, H, W).
        pooled_height (int): Bins from top to bottom.
        pooled_width (int): Bins from left to right.
        spatial_scale (float): Cells of the map for each pixel of the image; not
            used, since the places are known.
    """
    dtype = torchvision_dtype(grad_output)
    gradient = torch.ops.torchvision._roi_pool_backward(
        grad_output.to(dtype).contiguous(),
        rois.to(dtype),
        argmax,
        1.0,
        pooled_height,
        pooled_width,
        *grad_input.shape,
    )
    grad_input.copy_(gradient)


def _bins(
    rois: Tensor, map_size: torch.Size, pooled_size: tuple[int, int], spatial_scale: float
) -> tuple[Tensor, Tensor]:
    """Bound the bins of regions as mmcv does.

    Args:
        rois (Tensor): Regions, shape (R, 5).
        map_size (torch.Size): Height and width of the map.
        pooled_size (tuple[int, int]): Bins from top to bottom, from left to right.
        spatial_scale (float): Cells of the map for each pixel of the image.

    Returns:
        tuple: Regions of one bin each, shape (R * bins, 5), first and last cell
        included, and whether a bin has no cell, shape (R * bins,).
    """
    rois = rois.to(torch.promote_types(rois.dtype, torch.float32))
    bounds, empty = [], []
    for size, bins, low, high in zip(map_size, pooled_size, (2, 1), (4, 3)):
        start = rois[:, low, None] * spatial_scale
        length = (rois[:, high, None] + 1) * spatial_scale - start
        steps = torch.arange(bins, device=rois.device)
        first = (steps * (length / bins) + start).floor().clamp(0, size)
        end = ((steps + 1) * (length / bins) + start).ceil().clamp(0, size)
        bounds.append((first, end - 1))
        empty.append((end <= first) | (length <= 0))
    (top, bottom), (left, right) = bounds
    image, top, left, bottom, right = torch.broadcast_tensors(
        rois[:, :1, None], top[:, :, None], left[:, None], bottom[:, :, None], right[:, None]
    )
    is_empty = (empty[0][:, :, None] | empty[1][:, None]).flatten()
    return torch.stack([image, left, top, right, bottom], dim=-1).view(-1, 5), is_empty

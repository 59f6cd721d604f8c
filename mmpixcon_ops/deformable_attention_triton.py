"""Multi-scale deformable attention as Triton kernels, forward and backward.

The operator of `Deformable DETR <https://arxiv.org/abs/2010.04159>`_ (Zhu et al.), equation 3,
without the linear layers around it: each query takes a weighted sum of bilinear samples of its
head's channels, over levels and points. Bilinear samples are those of ``grid_sample`` with
``align_corners=False`` and zeros outside.

One program handles a block of queries of one head in one image. Its tile is queries x channels;
the channels of a head lie side by side in memory, so that a corner of a sample is one run of
bytes. Levels' sizes are read from the device's memory inside the kernels: nothing here waits
for the device.

The kernels use what Triton has had since 2.1 only: no ``tl.floor``, no descriptors. Their
arguments without a hint are pointers and integers of a launch, which Triton types itself.
"""

# No `from __future__ import annotations`: annotations would be strings, and the interpreter of
# Triton 3.0 and 3.1 does not know 'tl.constexpr' for tl.constexpr.

import contextlib
import functools
import warnings

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Types of value, locations and weights that the kernels read.
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
#: Most channels of a head.
MAX_DIMS = 256
#: Warps of a program. Two: small programs fill the card evenly also for the few hundred queries
#: of a decoder, and 32 of them, the most that a multiprocessor holds, are still all its warps.
WARPS = 2
#: Release of Triton and compute capability from which on neighboring floats are added by one
#: atomic instruction, up to four.
VECTOR_ATOMICS = (3, 2), (9, 0)


@triton.jit
def _cell_of(x, y, width, height, rows):
    """The upper left of the four cells around points, and how far beyond its center they lie.

    A point which is a whole cell or more outside is not ``inside``, NaN neither. Its position
    becomes 0, because to turn a huge number or NaN into an integer has no defined result.
    """
    x = x * width.to(tl.float32) - 0.5
    y = y * height.to(tl.float32) - 0.5
    inside = rows & (x > -1) & (x < width) & (y > -1) & (y < height)
    x = tl.where(inside, x, 0.0)
    y = tl.where(inside, y, 0.0)
    # Conversion cuts off towards 0; the positions in (-1, 0) have to go down to -1.
    column = x.to(tl.int32)
    row = y.to(tl.int32)
    column -= (x < column.to(tl.float32)).to(tl.int32)
    row -= (y < row.to(tl.float32)).to(tl.int32)
    return column, row, x - column.to(tl.float32), y - row.to(tl.float32), inside


@triton.jit
def _forward_kernel(
    value_ptr,
    shapes_ptr,
    starts_ptr,
    locations_ptr,
    weights_ptr,
    output_ptr,
    keys,
    queries,
    HEADS: tl.constexpr,
    DIMS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_D: tl.constexpr,
    WIDE: tl.constexpr,
):
    """A block of queries x channels of the output, for one head and one image."""
    # Heads run fastest, then queries, as tensors lie in memory. The programs at work at a time
    # are then those of a stretch of queries: near them, values stay in the L2 cache. With one
    # head after the other, they would read an eighth of each row, and their additions would
    # meet on an eighth of the addresses.
    program = tl.program_id(0)
    head = program % HEADS
    first = program // HEADS * BLOCK_Q
    # The whole tensors may have more than 2**31 elements.
    image = tl.program_id(1).to(tl.int64)
    query = tl.arange(0, BLOCK_Q)
    channel = tl.arange(0, BLOCK_D)
    rows = first + query < queries
    channels = (channel < DIMS)[None, :]

    block = (image * queries + first) * HEADS + head
    sample = query * (HEADS * LEVELS * POINTS)
    locations_ptr += block * (LEVELS * POINTS * 2)
    weights_ptr += block * (LEVELS * POINTS)
    value_ptr += image * keys * (HEADS * DIMS) + head * DIMS

    total = tl.zeros((BLOCK_Q, BLOCK_D), dtype=tl.float32)
    for level in range(LEVELS):
        height = tl.load(shapes_ptr + 2 * level).to(tl.int32)
        width = tl.load(shapes_ptr + 2 * level + 1).to(tl.int32)
        start = tl.load(starts_ptr + level).to(tl.int64)
        level_ptr = value_ptr + start * (HEADS * DIMS)
        for point in tl.static_range(POINTS):
            index = sample + level * POINTS + point
            x = tl.load(locations_ptr + 2 * index, mask=rows, other=0.0).to(tl.float32)
            y = tl.load(locations_ptr + 2 * index + 1, mask=rows, other=0.0).to(tl.float32)
            weight = tl.load(weights_ptr + index, mask=rows, other=0.0).to(tl.float32)
            column, row, right, down, inside = _cell_of(x, y, width, height, rows)
            # A point outside counts nothing, even if its weight is infinite or NaN.
            weight = tl.where(inside, weight, 0.0)

            cell = row * width + column
            if WIDE:
                cell = cell.to(tl.int64)
            corner = level_ptr + (cell * (HEADS * DIMS))[:, None] + channel[None, :]
            below = corner + width * (HEADS * DIMS)
            has_left = inside & (column >= 0)
            has_right = inside & (column + 1 < width)
            has_top = row >= 0
            has_bottom = row + 1 < height
            mask = (has_top & has_left)[:, None] & channels
            top_left = tl.load(corner, mask=mask, other=0.0).to(tl.float32)
            mask = (has_top & has_right)[:, None] & channels
            top_right = tl.load(corner + HEADS * DIMS, mask=mask, other=0.0).to(tl.float32)
            mask = (has_bottom & has_left)[:, None] & channels
            bottom_left = tl.load(below, mask=mask, other=0.0).to(tl.float32)
            mask = (has_bottom & has_right)[:, None] & channels
            bottom_right = tl.load(below + HEADS * DIMS, mask=mask, other=0.0).to(tl.float32)

            upper = weight * (1 - down)
            lower = weight * down
            total += (upper * (1 - right))[:, None] * top_left
            total += (upper * right)[:, None] * top_right
            total += (lower * (1 - right))[:, None] * bottom_left
            total += (lower * right)[:, None] * bottom_right

    output_ptr += block * DIMS
    target = output_ptr + (query * (HEADS * DIMS))[:, None] + channel[None, :]
    tl.store(target, total.to(output_ptr.dtype.element_ty), mask=rows[:, None] & channels)


@triton.jit
def _backward_kernel(
    value_ptr,
    shapes_ptr,
    starts_ptr,
    locations_ptr,
    weights_ptr,
    grad_output_ptr,
    grad_value_ptr,
    grad_locations_ptr,
    grad_weights_ptr,
    keys,
    queries,
    HEADS: tl.constexpr,
    DIMS: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_D: tl.constexpr,
    WIDE: tl.constexpr,
    OF_VALUE: tl.constexpr,
    OF_SAMPLES: tl.constexpr,
):
    """Gradients that a block of queries sends to the values, its locations and its weights.

    Those of location and weight follow from the four products, summed over the channels, of
    the gradient with a corner: four sums a point, and all else is arithmetic of one number a
    query.
    """
    program = tl.program_id(0)
    head = program % HEADS
    first = program // HEADS * BLOCK_Q
    image = tl.program_id(1).to(tl.int64)
    query = tl.arange(0, BLOCK_Q)
    channel = tl.arange(0, BLOCK_D)
    rows = first + query < queries
    channels = (channel < DIMS)[None, :]

    block = (image * queries + first) * HEADS + head
    sample = query * (HEADS * LEVELS * POINTS)
    locations_ptr += block * (LEVELS * POINTS * 2)
    weights_ptr += block * (LEVELS * POINTS)
    grad_locations_ptr += block * (LEVELS * POINTS * 2)
    grad_weights_ptr += block * (LEVELS * POINTS)
    plane = image * keys * (HEADS * DIMS) + head * DIMS

    grad_output_ptr += block * DIMS
    source = grad_output_ptr + (query * (HEADS * DIMS))[:, None] + channel[None, :]
    grad = tl.load(source, mask=rows[:, None] & channels, other=0.0).to(tl.float32)
    for level in range(LEVELS):
        height = tl.load(shapes_ptr + 2 * level).to(tl.int32)
        width = tl.load(shapes_ptr + 2 * level + 1).to(tl.int32)
        start = tl.load(starts_ptr + level).to(tl.int64)
        base = plane + start * (HEADS * DIMS)
        location_tile = tl.zeros((BLOCK_Q, BLOCK_D), dtype=tl.float32)
        weight_tile = tl.zeros((BLOCK_Q, BLOCK_D), dtype=tl.float32)
        for point in tl.static_range(POINTS):
            index = sample + level * POINTS + point
            x = tl.load(locations_ptr + 2 * index, mask=rows, other=0.0).to(tl.float32)
            y = tl.load(locations_ptr + 2 * index + 1, mask=rows, other=0.0).to(tl.float32)
            weight = tl.load(weights_ptr + index, mask=rows, other=0.0).to(tl.float32)
            column, row, right, down, inside = _cell_of(x, y, width, height, rows)
            weight = tl.where(inside, weight, 0.0)

            cell = row * width + column
            if WIDE:
                cell = cell.to(tl.int64)
            offset = (cell * (HEADS * DIMS))[:, None] + channel[None, :]
            has_left = inside & (column >= 0)
            has_right = inside & (column + 1 < width)
            has_top = row >= 0
            has_bottom = row + 1 < height
            in_top_left = (has_top & has_left)[:, None] & channels
            in_top_right = (has_top & has_right)[:, None] & channels
            in_bottom_left = (has_bottom & has_left)[:, None] & channels
            in_bottom_right = (has_bottom & has_right)[:, None] & channels

            if OF_SAMPLES:
                corner = value_ptr + base + offset
                below = corner + width * (HEADS * DIMS)
                # All loads stand before the first atomic addition, which none is moved across.
                top_left = tl.load(corner, mask=in_top_left, other=0.0)
                top_right = tl.load(corner + HEADS * DIMS, mask=in_top_right, other=0.0)
                bottom_left = tl.load(below, mask=in_bottom_left, other=0.0)
                bottom_right = tl.load(below + HEADS * DIMS, mask=in_bottom_right, other=0.0)
                dot_top_left = tl.sum(grad * top_left.to(tl.float32), 1)
                dot_top_right = tl.sum(grad * top_right.to(tl.float32), 1)
                dot_bottom_left = tl.sum(grad * bottom_left.to(tl.float32), 1)
                dot_bottom_right = tl.sum(grad * bottom_right.to(tl.float32), 1)

                top = (1 - right) * dot_top_left + right * dot_top_right
                bottom = (1 - right) * dot_bottom_left + right * dot_bottom_right
                across = (1 - down) * (dot_top_right - dot_top_left)
                across += down * (dot_bottom_right - dot_bottom_left)
                grad_weight = (1 - down) * top + down * bottom
                grad_x = width.to(tl.float32) * weight * across
                grad_y = height.to(tl.float32) * weight * (bottom - top)
                # Collected in the tile's channels, see below.
                location_tile = tl.where(
                    channel[None, :] == 2 * point, grad_x[:, None], location_tile
                )
                location_tile = tl.where(
                    channel[None, :] == 2 * point + 1, grad_y[:, None], location_tile
                )
                weight_tile = tl.where(channel[None, :] == point, grad_weight[:, None], weight_tile)

            if OF_VALUE:
                # Relaxed: nobody reads a sum before the kernel's end, and the default order
                # would put a fence around each addition.
                corner = grad_value_ptr + base + offset
                below = corner + width * (HEADS * DIMS)
                upper = weight * (1 - down)
                lower = weight * down
                share = (upper * (1 - right))[:, None] * grad
                tl.atomic_add(corner, share, mask=in_top_left, sem='relaxed')
                share = (upper * right)[:, None] * grad
                tl.atomic_add(corner + HEADS * DIMS, share, mask=in_top_right, sem='relaxed')
                share = (lower * (1 - right))[:, None] * grad
                tl.atomic_add(below, share, mask=in_bottom_left, sem='relaxed')
                share = (lower * right)[:, None] * grad
                tl.atomic_add(below + HEADS * DIMS, share, mask=in_bottom_right, sem='relaxed')

        if OF_SAMPLES:
            # Written by whole tiles with one result a channel: one by one, each result would
            # first go through shared memory, behind two barriers, and be a write of 4 bytes.
            index = (sample + level * POINTS)[:, None]
            tl.store(
                grad_locations_ptr + 2 * index + channel[None, :],
                location_tile.to(grad_locations_ptr.dtype.element_ty),
                mask=rows[:, None] & (channel < 2 * POINTS)[None, :],
            )
            tl.store(
                grad_weights_ptr + index + channel[None, :],
                weight_tile.to(grad_weights_ptr.dtype.element_ty),
                mask=rows[:, None] & (channel < POINTS)[None, :],
            )


@triton.jit
def _probe_kernel(target_ptr):
    """The least that needs Triton's compiler and a launch."""
    tl.store(target_ptr, 1.0)


@functools.cache
def works_on(device: torch.device) -> bool:
    """Return whether a kernel can be built for a device and launched there; warns, once, if not.

    Triton may be installed and still not work: without a C compiler, with a driver or a card
    that it no longer knows. To find out costs a tiny kernel once for each device of a process.

    Args:
        device (torch.device): device that the tensors are on, with its index.

    Returns:
        bool: False if not on a GPU, or where the kernel fails.
    """
    if device.type != 'cuda':
        return False
    try:
        with torch.cuda.device(device):
            _probe_kernel[(1,)](torch.empty(1, device=device))
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:
        warnings.warn(
            f'Triton does not work on {device}, so that deformable attention takes the slower '
            f'PyTorch version: {type(error).__name__}: {error}',
            stacklevel=2,
        )
        return False
    return True


def supports(value: Tensor, sampling_locations: Tensor, attention_weights: Tensor) -> bool:
    """Return whether the kernels take tensors of these types and sizes.

    Args:
        value (Tensor): (bs, num_keys, num_heads, dims).
        sampling_locations (Tensor): (bs, num_queries, num_heads, num_levels, num_points, 2).
        attention_weights (Tensor): The same without the last axis.

    Returns:
        bool: True for 16 and 32-bit floats, heads of up to 256 channels, and as many images
        as an axis of a launch has room for.
    """
    tensors = (value, sampling_locations, attention_weights)
    return (
        all(tensor.dtype in DTYPES for tensor in tensors)
        and value.shape[3] <= MAX_DIMS
        and value.shape[0] < 2**16
    )


def _adds_vectors(device: torch.device) -> bool:
    """Return whether one atomic instruction adds several neighboring floats."""
    release, capability = VECTOR_ATOMICS
    if device.type != 'cuda' or torch.version.hip:
        return False
    installed = tuple(int(part) for part in triton.__version__.split('.')[:2])
    return installed >= release and torch.cuda.get_device_capability(device) >= capability


def _sizes(value: Tensor, sampling_locations: Tensor, elements: int) -> dict[str, int]:
    """Settings that a kernel is specialized for, with so many elements of the tile in a thread.

    The layout of a tile follows from that number, because Triton gives a thread no longer run
    of a row than its share of the tile. The sizes are fixed, not tuned at run time. A tuner
    would run the backward kernel several times over and add each time to the same gradient,
    unless told to reset it; it waits for the device; and it tunes anew for each number of
    queries, which differs from batch to batch here, as the images' sizes do. What would be
    tuned follows from how the memory works anyway: as many elements as 16 bytes have, so that
    neighboring threads read whole runs.
    """
    _, keys, heads, dims = value.shape
    levels, points = sampling_locations.shape[3:5]
    # The backward kernel collects 2 x points results in the channels.
    block_d = triton.next_power_of_2(max(dims, 2 * points))
    # A row that is wider than a warp would be summed up through shared memory.
    warps = WARPS if block_d <= 128 else 1
    return dict(
        HEADS=heads,
        DIMS=dims,
        LEVELS=levels,
        POINTS=points,
        BLOCK_Q=max(elements * 32 * warps // block_d, 1),
        BLOCK_D=block_d,
        WIDE=keys * heads * dims >= 2**31,
        num_warps=warps,
    )


def _launch(kernel: triton.JITFunction, queries: int, arguments: list, sizes: dict) -> None:
    """Start a kernel on the device of its first argument, and do not wait."""
    value = arguments[0]
    grid = (triton.cdiv(queries, sizes['BLOCK_Q']) * value.shape[2], value.shape[0])
    # Triton starts kernels on the current device, which need not be that of the tensors.
    with torch.cuda.device(value.device) if value.is_cuda else contextlib.nullcontext():
        kernel[grid](*arguments, value.shape[1], queries, **sizes)


def forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """Multi-scale deformable attention.

    Args:
        value (Tensor): (bs, num_keys, num_heads, dims), of a type in ``DTYPES``.
        value_spatial_shapes (Tensor): Integers (num_levels, 2), height and width of each level
            in cells.
        value_level_start_index (Tensor): Integers (num_levels,), the first key of each level.
        sampling_locations (Tensor): (bs, num_queries, num_heads, num_levels, num_points, 2), x
            and y as shares of a level's width and height, of a type in ``DTYPES``.
        attention_weights (Tensor): (bs, num_queries, num_heads, num_levels, num_points), of a
            type in ``DTYPES``.

    Returns:
        Tensor: (bs, num_queries, num_heads * dims) in the type of ``value``, computed in
        float32 whatever the types.
    """
    batch, _, heads, dims = value.shape
    queries = sampling_locations.shape[1]
    shape = (batch, queries, heads * dims)
    if attention_weights.numel() * dims == 0:
        return value.new_zeros(shape)
    output = value.new_empty(shape)
    inputs = [value, value_spatial_shapes, value_level_start_index]
    inputs += [sampling_locations, attention_weights]
    arguments = [tensor.contiguous() for tensor in inputs]
    sizes = _sizes(value, sampling_locations, 16 // value.element_size())
    _launch(_forward_kernel, queries, [*arguments, output], sizes)
    return output


def backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor | None,
    grad_sampling_loc: Tensor | None,
    grad_attn_weight: Tensor | None,
) -> None:
    """Gradients of ``forward``, written in place; those which are None are left out.

    The sums of ``grad_value`` are added up in float32 and in no fixed order.

    Args:
        value (Tensor): values of the keys. This and the next four are as in ``forward``.
        value_spatial_shapes (Tensor): See there.
        value_level_start_index (Tensor): See there.
        sampling_locations (Tensor): See there.
        attention_weights (Tensor): See there.
        grad_output (Tensor): (bs, num_queries, num_heads * dims).
        grad_value (Tensor | None): Zeros, in shape like ``value``. A contiguous one in float32
            is added to as it is; any other takes over the sums of a buffer.
        grad_sampling_loc (Tensor | None): In shape like ``sampling_locations``, overwritten.
        grad_attn_weight (Tensor | None): In shape like ``attention_weights``, overwritten.
    """
    of_samples = grad_sampling_loc is not None or grad_attn_weight is not None
    if grad_value is None and not of_samples:
        return
    if attention_weights.numel() * value.shape[-1] == 0:
        for grad in (grad_value, grad_sampling_loc, grad_attn_weight):
            if grad is not None:
                grad.zero_()
        return
    # A gradient that nobody wants takes the pointer of the values: the kernel does not touch it.
    into_value = into_locations = into_weights = value
    if grad_value is not None:
        into_value = _buffer(grad_value, value, (torch.float32,))
    if of_samples:
        into_locations = _buffer(grad_sampling_loc, sampling_locations, DTYPES)
        into_weights = _buffer(grad_attn_weight, attention_weights, DTYPES)
    inputs = [value, value_spatial_shapes, value_level_start_index]
    inputs += [sampling_locations, attention_weights, grad_output]
    arguments = [tensor.contiguous() for tensor in inputs]
    # Where neighbors are added one by one, the threads of a warp have to be the neighbors: with
    # four elements in a thread, each of four instructions would touch every sector of the row.
    sizes = _sizes(value, sampling_locations, 4 if _adds_vectors(value.device) else 1)
    sizes.update(OF_VALUE=grad_value is not None, OF_SAMPLES=of_samples)
    arguments += [into_value, into_locations, into_weights]
    _launch(_backward_kernel, sampling_locations.shape[1], arguments, sizes)
    for grad, buffer in (
        (grad_value, into_value),
        (grad_sampling_loc, into_locations),
        (grad_attn_weight, into_weights),
    ):
        if grad is not None and buffer is not grad:
            grad.copy_(buffer)


def _buffer(grad: Tensor | None, like: Tensor, dtypes: tuple[torch.dtype, ...]) -> Tensor:
    """Give what the kernel writes a gradient into: itself, if it is contiguous and of a type."""
    if grad is not None and grad.dtype in dtypes and grad.is_contiguous():
        return grad
    return torch.zeros(like.shape, dtype=torch.float32, device=like.device)

"""Rows of all processes, with exact gradients or without any."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor


def gather_with_gradient(rows: Tensor) -> Tensor:
    """Rows of all processes in order of rank; gradients reach where they came from.

    Every process' loss may depend on every process' rows: a row's gradient is
    the sum of what all losses give it. A mean over the gathered rows, computed
    alike in each process and averaged by DistributedDataParallel, has the
    gradient of one process with the whole batch.

    Args:
        rows (Tensor): (n, ...), as many in each process.

    Returns:
        Tensor: (n x processes, ...).
    """
    if get_world_size() == 1:
        return rows
    from torch.distributed.nn.functional import all_gather as differentiable_all_gather

    return torch.cat(differentiable_all_gather(rows.contiguous()))


@torch.no_grad()
def gather_counts(count: int, device: torch.device) -> list[int]:
    """A number of each process, in order of rank. Waits for the device.

    Args:
        count (int): The number of this process.
        device (torch.device): device that the processes exchange tensors on.

    Returns:
        list[int]: The numbers of all processes.
    """
    if get_world_size() == 1:
        return [count]
    return torch.cat(all_gather(torch.tensor([count], device=device))).tolist()


@torch.no_grad()
def gather_rows(rows: Tensor, counts: list[int] | None = None) -> tuple[Tensor, slice]:
    """Rows of all processes in order of rank, without gradient.

    Args:
        rows (Tensor): (n, ...); n may differ between processes.
        counts (list[int], optional): n of each process, where :func:`gather_counts` has found
            it out already: nothing waits for the device then. Defaults to None.

    Returns:
        tuple[Tensor, slice]: (sum of n, ...) and where the own ones stand.
    """
    if get_world_size() == 1:
        return rows.detach(), slice(0, len(rows))
    if counts is None:
        counts = gather_counts(len(rows), rows.device)
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    gathered = [part[:count] for part, count in zip(all_gather(padded), counts)]
    start = sum(counts[: get_rank()])
    return torch.cat(gathered), slice(start, start + len(rows))

"""Shuffled batch norm: keys are normalized among other images than their queries."""

from __future__ import annotations

import torch
from mmengine.dist import broadcast, get_world_size
from torch import Tensor

from .gather import gather_counts, gather_rows


class ShuffledKeys:
    """Deal the images of all processes anew for the key encoder (MoCo, section 3.3).

    Batch norm within a process leaks which key belongs to which query. So each
    process encodes keys of images that are drawn from all of them, and gets its
    own keys back. In a single process there is nothing to deal.

    Args:
        *batches (Tensor): (n, ...) each, the same n images in several views;
            n may differ between processes.
    """

    @torch.no_grad()
    def __init__(self, *batches: Tensor) -> None:
        self.batches = batches
        if get_world_size() == 1:
            return
        # One wait for the device a step.
        self.counts = gather_counts(len(batches[0]), batches[0].device)
        gathered = [gather_rows(batch, self.counts) for batch in batches]
        images, self.local_rows = gathered[0]
        order = torch.randperm(len(images), device=images.device)
        # Each process must deal alike.
        broadcast(order, src=0)
        self.restored = order.argsort()
        self.batches = tuple(rows[order[self.local_rows]] for rows, _ in gathered)

    @torch.no_grad()
    def restore(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys back into the order of the images.

        Args:
            keys (Tensor): (n, ...), of ``batches``.

        Returns:
            tuple[Tensor, Tensor]: Those of the own images, (n, ...), and of all
            processes' images in order of rank, for a memory bank.
        """
        if get_world_size() == 1:
            return keys, keys
        all_keys = gather_rows(keys, self.counts)[0][self.restored]
        return all_keys[self.local_rows], all_keys

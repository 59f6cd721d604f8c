"""The newest keys, as negatives."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MemoryBank(nn.Module):
    """A ring of keys, MoCo's queue.

    Rows are keys, so that similarities are one product with a view of the ring:
    nothing is copied or transposed. Batches of any size are written, wrapping
    around, by index and without waiting for the device. The ring starts with
    random unit vectors.

    Args:
        size (int): Keys that it holds, K.
        channels (int): channels of a key, C.

    Raises:
        ValueError: ``size`` or ``channels`` is not positive.
    """

    keys: Tensor
    pointer: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        if size < 1 or channels < 1:
            raise ValueError(
                f'queue_len = {size} and channels = {channels} of a memory bank must be at least 1'
            )
        self.register_buffer('keys', F.normalize(torch.randn(size, channels), dim=1))
        self.register_buffer('pointer', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys.

        Args:
            keys (Tensor): (n, C), of all processes, oldest first and in the
                same order everywhere (:class:`ShuffledKeys` gives them so). Of
                more than K keys the last K stay.
        """
        size, count = len(self.keys), len(keys)
        first = max(count - size, 0)
        places = torch.arange(first, count, device=self.keys.device)
        places.add_(self.pointer).remainder_(size)
        keys = keys[-size:]
        self.keys.index_copy_(0, places, keys.to(self.keys.dtype))
        self.pointer.add_(count).remainder_(size)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: object, **kwargs: object
    ) -> None:
        saved = state_dict.get(f'{prefix}keys')
        if saved is not None and saved.shape != self.keys.shape:
            raise ValueError(
                f'the checkpoint has a memory bank {prefix[:-1]} of {tuple(saved.shape)} keys, '
                f'the config one of {tuple(self.keys.shape)}: set queue_len and the channels to '
                "the checkpoint's"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

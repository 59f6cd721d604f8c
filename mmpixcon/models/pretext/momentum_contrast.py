"""The step that MoCo, DetCo and PLRC share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import torch
from mmselfsup.models.algorithms.base import BaseModel
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor, nn

from ..contrast import MemoryBank, MomentumEncoder, ShuffledKeys, update_after_steps

Vectors = dict[str, Tensor]


class MomentumContrast(BaseModel):
    """Contrast of queries with keys of a momentum encoder (MoCo, algorithm 1).

    A subclass says what is encoded and how it is contrasted. Everything that belongs together
    has one name: a projector, its queries, its keys and their memory bank. The momentum encoder
    moves after each step of the optimizer, whatever makes the steps.

    A constructor ends with :meth:`add_contrast`.
    """

    def add_contrast(self, momentum: float, banks: dict[str, MemoryBank]) -> None:
        """Add what contrast needs beside the encoder.

        Args:
            momentum (float): share of the key encoder that a step keeps.
            banks (dict[str, MemoryBank]): memory banks by name.
        """
        self.banks = nn.ModuleDict(banks)
        self.momentum_encoder = MomentumEncoder(momentum, **self.online_encoder)
        update_after_steps(self)
        self._register_load_state_dict_pre_hook(self._rename_prefixes)

    @property
    @abstractmethod
    def online_encoder(self) -> dict[str, nn.Module]:
        """dict[str, nn.Module]: what the momentum encoder follows."""

    @abstractmethod
    def encode_queries(self, inputs: list[Tensor]) -> Vectors:
        """Encode the query views.

        Args:
            inputs (list[Tensor]): views as the pipeline gives them.

        Returns:
            dict[str, Tensor]: queries by name, with gradient.
        """

    @abstractmethod
    def encode_keys(self, *views: Tensor) -> Vectors:
        """Encode the key views by the momentum encoder.

        Args:
            *views (Tensor): what :meth:`key_views` gives, maybe of other images.

        Returns:
            dict[str, Tensor]: keys by name, without gradient, (N, ...) each.
        """

    @abstractmethod
    def contrast(
        self,
        queries: Vectors,
        keys: Vectors,
        inputs: list[Tensor],
        data_samples: list[SelfSupDataSample],
    ) -> dict[str, Tensor]:
        """Compute the losses, against the banks as they are.

        Args:
            queries (dict[str, Tensor]): queries by name.
            keys (dict[str, Tensor]): keys of the same images by name.
            inputs (list[Tensor]): views.
            data_samples (list[SelfSupDataSample]): meta data of the images.

        Returns:
            dict[str, Tensor]: losses and statistics.
        """

    def key_views(self, inputs: list[Tensor]) -> list[Tensor]:
        """Choose the views that keys are made of: the second of each pair."""
        return inputs[1::2]

    def bank_of(self, name: str) -> str:
        """Name of the bank that queries of a name are contrasted with."""
        return name

    def earlier_prefixes(self) -> dict[str, str]:
        """Give prefixes of state dicts of earlier versions, with those of today."""
        return {}

    def init_weights(self) -> None:
        """Initialize, then copy into the momentum encoder."""
        super().init_weights()
        self.momentum_encoder.synchronize(**self.online_encoder)

    def extract_feat(self, inputs: list[Tensor], **kwargs: object) -> tuple[Tensor, ...]:
        """Compute the backbone's maps of the first view, (N, C, h, w) each."""
        return self.backbone(inputs[0])

    def loss(
        self, inputs: list[Tensor], data_samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """Contrast queries with keys; then the keys of all processes go into the banks.

        Args:
            inputs (list[Tensor]): views, (N, ...) each.
            data_samples (list[SelfSupDataSample]): meta data of the images.

        Returns:
            dict[str, Tensor]: what :meth:`contrast` gives.
        """
        queries = self.encode_queries(inputs)
        shuffled = ShuffledKeys(*self.key_views(inputs))
        keys, all_keys = _restore(shuffled, self.encode_keys(*shuffled.batches))
        losses = self.contrast(queries, keys, inputs, data_samples)
        for name, key in all_keys.items():
            bank = self.bank_of(name)
            if bank in self.banks:
                cast(MemoryBank, self.banks[bank]).enqueue(key)
        return losses

    def _rename_prefixes(self, state_dict: dict[str, Any], prefix: str, *args: object) -> None:
        """Take a state dict of an earlier version."""
        for old, new in self.earlier_prefixes().items():
            for key in [key for key in state_dict if key.startswith(prefix + old)]:
                state_dict[prefix + new + key[len(prefix + old) :]] = state_dict.pop(key)


@torch.no_grad()
def _restore(shuffled: ShuffledKeys, keys: Vectors) -> tuple[Vectors, Vectors]:
    """Keys of this process' images and of everyone's; all vectors in one exchange."""
    vectors = [name for name, key in keys.items() if key.dim() == 2]
    widths = [keys[name].shape[1] for name in vectors]
    rows = [keys[name] for name in vectors]
    restored = shuffled.restore(torch.cat(rows, dim=1) if len(rows) > 1 else rows[0])
    local_keys, all_keys = (
        dict(zip(vectors, rows.split(widths, dim=1), strict=True)) for rows in restored
    )
    for name in keys.keys() - {*vectors}:
        local_keys[name], all_keys[name] = shuffled.restore(keys[name])
    return local_keys, all_keys

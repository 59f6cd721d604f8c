"""DetCo's twelve heads and their memory banks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmselfsup.models.necks import MoCoV2Neck
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..contrast import MemoryBank
from ..losses.info_nce_loss import info_nce_terms

GLOBAL, LOCAL, CROSS = 'gg', 'll', 'gl'


@MODELS.register_module()
class MultiLevelContrastHead(BaseModule):
    """Contrast of stages, global with global, local with local, local with global.

    DetCo ("Unsupervised Contrastive Learning for Object Detection", section 3
    and appendix A.4). On every stage a 2-layer MLP as MoCo v2's for each kind:
    ``gg`` (C -> 128) of the global view, ``ll`` (9 C -> 128) of the nine
    concatenated patches, ``gl`` (9 C -> 128) of the patches again, contrasted with
    the *global* key. A bank each; ``gl``'s keys are ``gg``'s, so that these two
    read one bank. Stages of weight 0 have no head: (0, 0, 0, 1) with ``gg``
    alone is MoCo v2.

    Args:
        in_channels (Sequence[int]): Channels of the stages, fine to coarse.
        weights (Sequence[float]): weights of the stages. Defaults to (0.1, 0.4, 0.7, 1).
        normalize_weights (bool): Divide the weights by their sum (the
            appendix's "+ Norm"). Defaults to False.
        temperatures (dict): tau of each kind that is used. Defaults to
            ``dict(gg=0.2, gl=0.5, ll=0.2)``.
        hidden_channels (int): hidden width of every MLP; the appendix takes MoCo v2's
            "except for the input". Defaults to 2048.
        out_channels (int): channels of a key. Defaults to 128.
        num_patches (int): Patches of the local view. Defaults to 9.
        queue_len (int): Keys of a bank. Defaults to 65536.
        share_bank (bool): One bank for all stages of a kind (the appendix's
            table VI, which it makes worse). Defaults to False.
        init_cfg (dict, optional): Initialization. Defaults to None.

    Raises:
        ValueError: Lists do not fit, a kind is unknown, ``gl`` without ``gg``,
            or no weight or temperature is positive.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        weights: Sequence[float] = (0.1, 0.4, 0.7, 1.0),
        normalize_weights: bool = False,
        temperatures: dict[str, float] | None = None,
        hidden_channels: int = 2048,
        out_channels: int = 128,
        num_patches: int = 9,
        queue_len: int = 65536,
        share_bank: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(weights):
            raise ValueError(
                f'head.in_channels = {list(in_channels)} and head.weights = {list(weights)}: '
                'one of each for every stage of backbone.out_indices'
            )
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError(
                f'head.weights = {list(weights)}: none may be negative, and one must be positive'
            )
        temperatures = temperatures or {GLOBAL: 0.2, CROSS: 0.5, LOCAL: 0.2}
        unknown = set(temperatures) - {GLOBAL, CROSS, LOCAL}
        if unknown or (CROSS in temperatures and GLOBAL not in temperatures):
            raise ValueError(
                f'head.temperatures = {dict(temperatures)}: the kinds are gg, gl and ll, and gl '
                'needs the keys of gg'
            )
        total = sum(weights) if normalize_weights else 1.0
        self.weights = {i: w / total for i, w in enumerate(weights) if w > 0}
        self.num_stages = len(weights)
        self.num_patches = num_patches
        self.queue_len, self.out_channels, self.share_bank = queue_len, out_channels, share_bank
        self.kinds = tuple(temperatures)
        if min(temperatures.values()) <= 0:
            raise ValueError(f'head.temperatures = {dict(temperatures)} must be positive')
        self.projectors = nn.ModuleDict(
            {
                f'{kind}/{i}': MoCoV2Neck(
                    in_channels[i] * (1 if kind == GLOBAL else num_patches),
                    hidden_channels,
                    out_channels,
                    with_avg_pool=False,
                )
                for kind in temperatures
                for i in self.weights
            }
        )
        terms = [name.split('/') for name in self.projectors]
        self.term_temperatures = [temperatures[kind] for kind, _ in terms]
        self.term_weights = [self.weights[int(stage)] for _, stage in terms]
        self.key_names = [name for name in self.projectors if not name.startswith(CROSS)]

    @property
    def uses_local(self) -> bool:
        """bool: whether the local views are looked at."""
        return LOCAL in self.kinds or CROSS in self.kinds

    @property
    def key_projectors(self) -> nn.ModuleDict:
        """nn.ModuleDict: projectors that make keys, for the momentum encoder."""
        return nn.ModuleDict({name: self.projectors[name] for name in self.key_names})

    @property
    def bank_names(self) -> list[str]:
        """list[str]: names of the banks, one of each kind and stage, or one of each kind."""
        return [*dict.fromkeys(map(self.bank_of, self.key_names))]

    def bank_of(self, name: str) -> str:
        """Name the bank that queries of a kind and stage are contrasted with."""
        name = self.key_of(name)
        return name.split('/')[0] if self.share_bank else name

    def key_of(self, name: str) -> str:
        """Name the key that queries of a kind and stage are contrasted with."""
        return name.replace(CROSS, GLOBAL)

    def new_banks(self) -> dict[str, MemoryBank]:
        """Make the banks, for the algorithm that owns them."""
        return {name: MemoryBank(self.queue_len, self.out_channels) for name in self.bank_names}

    def embed(
        self,
        projectors: nn.ModuleDict,
        global_maps: Sequence[Tensor],
        local_maps: Sequence[Tensor] | None,
    ) -> dict[str, Tensor]:
        """Compute unit vectors of each kind and stage.

        Args:
            projectors (nn.ModuleDict): the head's projectors, or those of the momentum
                encoder.
            global_maps (Sequence[Tensor]): maps of the stages, (N, C_i, h, w).
            local_maps (Sequence[Tensor], optional): maps of the patches,
                (N * patches, C_i, h, w), an image's patches in sequence.

        Returns:
            dict[str, Tensor]: (N, out_channels) by the names of ``projectors``.

        Raises:
            ValueError: The backbone gives other stages than the head has.
        """
        if len(global_maps) != self.num_stages:
            raise ValueError(
                f'the backbone gives {len(global_maps)} stages, the head has weights for '
                f'{self.num_stages}: set backbone.out_indices or head.weights'
            )
        pooled = {f'{GLOBAL}/{i}': global_maps[i].mean((2, 3)) for i in self.weights}
        if local_maps is not None and self.uses_local:
            for i in self.weights:
                patches = local_maps[i].mean((2, 3)).unflatten(0, (-1, self.num_patches))
                pooled[f'{LOCAL}/{i}'] = pooled[f'{CROSS}/{i}'] = patches.flatten(1)
        projected = [projector([pooled[name]])[0] for name, projector in projectors.items()]
        return dict(zip(projectors, F.normalize(torch.stack(projected), dim=2).unbind()))

    def loss(
        self, queries: dict[str, Tensor], keys: dict[str, Tensor], banks: nn.ModuleDict
    ) -> dict[str, Tensor]:
        """Compute the weighted terms, ``loss_KIND_STAGE``.

        Args:
            queries (dict[str, Tensor]): vectors of :meth:`embed`, with gradient.
            keys (dict[str, Tensor]): vectors of the momentum encoder, for the same images.
            banks (nn.ModuleDict): memory banks by name.

        Returns:
            dict[str, Tensor]: scalars; their sum is DetCo's loss.
        """
        values = info_nce_terms(
            torch.stack([*queries.values()]),
            torch.stack([keys[self.key_of(name)] for name in queries]),
            [cast(MemoryBank, banks[self.bank_of(name)]).keys for name in queries],
            self.term_temperatures,
            self.term_weights,
        )
        names = [f'loss_{name.replace("/", "_")}' for name in queries]
        return dict(zip(names, values.unbind()))

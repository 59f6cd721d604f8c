"""DetCo's twelve heads and their memory banks."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmselfsup.models.necks import MoCoV2Neck
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..contrast import MemoryBank
from ..losses import InfoNCELoss

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
        weights (Sequence[float]): Of the stages. Defaults to (0.1, 0.4, 0.7, 1).
        normalize_weights (bool): Divide the weights by their sum (the
            appendix's "+ Norm"). Defaults to False.
        temperatures (dict): tau of each kind that is used. Defaults to
            ``dict(gg=0.2, gl=0.5, ll=0.2)``.
        hidden_channels (int): Of every MLP; the appendix takes MoCo v2's
            "except for the input". Defaults to 2048.
        out_channels (int): Of a key. Defaults to 128.
        num_patches (int): Patches of the local view. Defaults to 9.
        queue_len (int): Keys of a bank. Defaults to 65536.
        share_bank (bool): One bank for all stages of a kind (the appendix's
            table VI, which it makes worse). Defaults to False.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: Lists do not fit, a kind is unknown, ``gl`` without ``gg``,
            or no weight is positive.
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
            raise ValueError(f'head.weights = {list(weights)}: none negative, one positive')
        temperatures = temperatures or {GLOBAL: 0.2, CROSS: 0.5, LOCAL: 0.2}
        unknown = set(temperatures) - {GLOBAL, CROSS, LOCAL}
        if unknown or (CROSS in temperatures and GLOBAL not in temperatures):
            raise ValueError(
                f'head.temperatures = {dict(temperatures)}: kinds are gg, gl and ll, and gl needs '
                'the keys of gg'
            )
        total = sum(weights) if normalize_weights else 1.0
        self.weights = {i: w / total for i, w in enumerate(weights) if w > 0}
        self.num_stages = len(weights)
        self.num_patches = num_patches
        self.share_bank = share_bank
        self.losses = nn.ModuleDict({k: InfoNCELoss(tau) for k, tau in temperatures.items()})
        self.projectors = nn.ModuleDict()
        self.banks = nn.ModuleDict()
        for kind in temperatures:
            patches = 1 if kind == GLOBAL else num_patches
            self.projectors[kind] = nn.ModuleDict(
                {
                    str(i): MoCoV2Neck(
                        in_channels[i] * patches,
                        hidden_channels,
                        out_channels,
                        with_avg_pool=False,
                    )
                    for i in self.weights
                }
            )
            if kind != CROSS:
                places = ['all'] if share_bank else [str(i) for i in self.weights]
                self.banks[kind] = nn.ModuleDict(
                    {place: MemoryBank(queue_len, out_channels) for place in places}
                )

    @property
    def uses_local(self) -> bool:
        """Whether the local views are looked at."""
        return LOCAL in self.losses or CROSS in self.losses

    @property
    def key_projectors(self) -> nn.ModuleDict:
        """Projectors that make keys, for the momentum encoder."""
        return nn.ModuleDict({k: p for k, p in self.projectors.items() if k != CROSS})

    def embed(
        self,
        projectors: nn.ModuleDict,
        global_maps: Sequence[Tensor],
        local_maps: Sequence[Tensor] | None,
    ) -> dict[str, dict[int, Tensor]]:
        """Unit vectors of each kind and stage.

        Args:
            projectors (nn.ModuleDict): The own ones, or those of the momentum
                encoder.
            global_maps (Sequence[Tensor]): The stages' maps, (N, C_i, h, w).
            local_maps (Sequence[Tensor], optional): Those of the patches,
                (N * patches, C_i, h, w), an image's patches in sequence.

        Returns:
            dict: For each kind of ``projectors`` and stage, (N, out_channels).

        Raises:
            ValueError: The backbone gives other stages than the head has.
        """
        if len(global_maps) != self.num_stages:
            raise ValueError(
                f'the backbone gives {len(global_maps)} stages, the head has weights for '
                f'{self.num_stages}: set backbone.out_indices or head.weights'
            )
        pooled = {GLOBAL: {i: global_maps[i].mean((2, 3)) for i in self.weights}}
        if self.uses_local:
            pooled[LOCAL] = pooled[CROSS] = {
                i: local_maps[i].mean((2, 3)).unflatten(0, (-1, self.num_patches)).flatten(1)
                for i in self.weights
            }
        return {
            kind: {i: F.normalize(mlps[str(i)]([pooled[kind][i]])[0], dim=1) for i in self.weights}
            for kind, mlps in projectors.items()
        }

    def loss(
        self,
        queries: dict[str, dict[int, Tensor]],
        keys: dict[str, dict[int, Tensor]],
    ) -> dict[str, Tensor]:
        """Weighted terms, ``loss_KIND_STAGE``.

        Args:
            queries (dict): Of :meth:`embed`, with gradient.
            keys (dict): Of the momentum encoder, for the same images.

        Returns:
            dict: Scalars; their sum is DetCo's loss.
        """
        terms = {}
        for kind, by_stage in queries.items():
            source = GLOBAL if kind == CROSS else kind
            for i, query in by_stage.items():
                bank = self.banks[source]['all' if self.share_bank else str(i)]
                value = self.losses[kind](query, keys[source][i], bank.keys)
                terms[f'loss_{kind}_{i}'] = self.weights[i] * value
        return terms

    def enqueue(self, keys: dict[str, dict[int, Tensor]]) -> None:
        """Put the keys of all processes into the banks, after the loss.

        Args:
            keys (dict): Of each kind and stage, (images of all processes, C).
        """
        for kind, by_stage in keys.items():
            for i, key in by_stage.items():
                self.banks[kind]['all' if self.share_bank else str(i)].enqueue(key)

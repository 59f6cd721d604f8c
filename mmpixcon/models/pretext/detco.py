"""DetCo: contrast on every stage, of whole images and of their patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..losses.functional import spread
from .momentum_contrast import MomentumContrast, Vectors


@MODELS.register_module()
class DetCo(MomentumContrast):
    """DetCo, "Unsupervised Contrastive Learning for Object Detection".

    MoCo v2 with :class:`MultiLevelContrastHead`. Its inputs are two global views
    and, where the head contrasts patches, two local ones of nine patches each.
    Queries, keys and banks are named by kind and stage, ``'gg/3'``; ``gl``
    contrasts patches with the keys and the bank of ``gg``.

    Args:
        backbone (dict): any mmselfsup, mmcls or mmdet backbone; its
            ``out_indices`` are the stages of the head.
        head (dict): a :class:`MultiLevelContrastHead`.
        momentum (float): share of the key encoder that a step keeps. Defaults
            to 0.999.
        data_preprocessor (dict, optional): preprocessor. Defaults to mmselfsup's.
        init_cfg (dict, optional): initialization. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        momentum: float = 0.999,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, head=head, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )
        self.add_contrast(momentum, self.head.new_banks())

    def earlier_prefixes(self) -> dict[str, str]:
        """Give prefixes of state dicts of earlier versions, with those of today.

        'gg/3' was 'gg.3', and the banks were the head's.
        """
        names = {name.replace('/', '.'): name for name in self.head.projectors}
        renamed = {
            f'head.projectors.{old}.': f'head.projectors.{new}.' for old, new in names.items()
        }
        renamed |= {
            f'momentum_encoder.projectors.{old}.': f'momentum_encoder.projectors.{new}.'
            for old, new in names.items()
        }
        for bank in self.head.bank_names:
            old = bank.replace('/', '.') if '/' in bank else f'{bank}.all'
            renamed[f'head.banks.{old}.'] = f'banks.{bank}.'
        return renamed

    @property
    def online_encoder(self) -> dict[str, nn.Module]:
        """dict[str, nn.Module]: backbone and the projectors that make keys."""
        return dict(backbone=self.backbone, projectors=self.head.key_projectors)

    def bank_of(self, name: str) -> str:
        """Name of the bank that queries of a kind and stage are contrasted with."""
        return self.head.bank_of(name)

    def encode_queries(self, inputs: list[Tensor]) -> Vectors:
        """Encode the first views: unit vectors of each kind and stage, (N, C)."""
        self._check_views(inputs)
        return self.head.embed(self.head.projectors, *_maps(self.backbone, inputs[0::2]))

    @torch.no_grad()
    def encode_keys(self, *views: Tensor) -> Vectors:
        """Encode the second views by the momentum encoder: unit vectors, (N, C)."""
        average: Any = self.momentum_encoder
        return self.head.embed(average.projectors, *_maps(average.backbone, views))

    def contrast(
        self,
        queries: Vectors,
        keys: Vectors,
        inputs: list[Tensor],
        data_samples: list[SelfSupDataSample],
    ) -> dict[str, Tensor]:
        """Contrast queries of the first views with keys of the second ones.

        Args:
            queries (dict[str, Tensor]): queries by kind and stage, (N, C).
            keys (dict[str, Tensor]): keys by kind and stage, (N, C).
            inputs (list[Tensor]): not used.
            data_samples (list[SelfSupDataSample]): not used.

        Returns:
            dict[str, Tensor]: the head's terms, and ``feature_std``: the deviation of the
            last stage's queries, 1 if they point everywhere, 0 if they collapsed.
        """
        losses = self.head.loss(queries, keys, self.banks)
        # Stages are in order, and the first kind is the global one where it is used.
        kind = next(iter(queries)).split('/')[0]
        last = [query for name, query in queries.items() if name.startswith(kind)][-1]
        losses['feature_std'] = spread(last)
        return losses

    def _check_views(self, inputs: list[Tensor]) -> None:
        """Refuse other views than the head needs."""
        if len(inputs) != (4 if self.head.uses_local else 2):
            raise ValueError(
                f'the pipeline gives {len(inputs)} views; the head needs two global ones'
                + (' and two local ones (JigsawView)' if self.head.uses_local else '')
            )


def _maps(
    backbone: nn.Module, views: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None]:
    """Maps of the global view, and of all patches in one batch."""
    global_maps = backbone(views[0])
    return global_maps, backbone(views[1].flatten(0, 1)) if len(views) > 1 else None

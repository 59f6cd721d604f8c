"""DetCo: contrast on every stage, of whole images and of their patches."""

from __future__ import annotations

import torch
from mmselfsup.models.algorithms.base import BaseModel
from mmselfsup.structures import SelfSupDataSample
from torch import Tensor

from mmpixcon.registry import MODELS

from ..contrast import MomentumEncoder, ShuffledKeys
from ..losses.functional import spread


@MODELS.register_module()
class DetCo(BaseModel):
    """DetCo, "Unsupervised Contrastive Learning for Object Detection".

    MoCo v2 with :class:`MultiLevelContrastHead`. Its inputs are two global views
    and, where the head contrasts patches, two local ones of nine patches each.

    Args:
        backbone (dict): Any mmselfsup, mmcls or mmdet backbone; its
            ``out_indices`` are the stages of the head.
        head (dict): A :class:`MultiLevelContrastHead`.
        momentum (float): Share of the key encoder that a step keeps. Defaults
            to 0.999.
        data_preprocessor (dict, optional): Defaults to mmselfsup's.
        init_cfg (dict, optional): Initialisation. Defaults to None.
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
        self.momentum_encoder = MomentumEncoder(momentum, **self.online_encoder)

    @property
    def online_encoder(self) -> dict[str, torch.nn.Module]:
        """What the momentum encoder follows: ``gl``'s heads make no keys."""
        return dict(backbone=self.backbone, projectors=self.head.key_projectors)

    def init_weights(self) -> None:
        """Initialise, then copy into the momentum encoder."""
        super().init_weights()
        self.momentum_encoder.synchronize(**self.online_encoder)

    def extract_feat(self, inputs: list[Tensor], **kwargs: object) -> tuple[Tensor, ...]:
        """The backbone's maps of the first view, (N, C_i, h, w) each."""
        return self.backbone(inputs[0])

    def queries(self, inputs: list[Tensor]) -> dict[str, dict[int, Tensor]]:
        """Unit vectors of the first views, for each kind and stage (N, C)."""
        return self.head.embed(self.head.projectors, *self._maps(self.backbone, inputs[0::2]))

    @torch.no_grad()
    def keys(self, *views: Tensor) -> dict[str, dict[int, Tensor]]:
        """Unit vectors of the second views, by the momentum encoder."""
        average = self.momentum_encoder
        return self.head.embed(average.projectors, *self._maps(average.backbone, views))

    def loss(
        self, inputs: list[Tensor], data_samples: list[SelfSupDataSample]
    ) -> dict[str, Tensor]:
        """Contrast queries of the first views with keys of the second ones.

        Args:
            inputs (list[Tensor]): Global query and key views, (N, 3, H, W), and
                if the head has ``gl`` or ``ll`` the local ones, (N, patches, 3,
                h, w).
            data_samples (list): Not used.

        Returns:
            dict: The head's terms, and ``feature_std``: the deviation of the
            last stage's queries, 1 if they point everywhere, 0 if they
            collapsed.

        Raises:
            ValueError: There are other views than the head needs.
        """
        if len(inputs) != (4 if self.head.uses_local else 2):
            raise ValueError(
                f'the pipeline gives {len(inputs)} views; the head needs two global ones'
                + (' and two local ones (JigsawView)' if self.head.uses_local else '')
            )
        queries = self.queries(inputs)
        self.momentum_encoder.update(**self.online_encoder)
        shuffled = ShuffledKeys(*inputs[1::2])
        own, everyones = self._restore(shuffled, self.keys(*shuffled.batches))
        losses = self.head.loss(queries, own)
        self.head.enqueue(everyones)
        last = next(iter(queries.values()))
        losses['feature_std'] = spread(last[max(last)])
        return losses

    @staticmethod
    def _restore(
        shuffled: ShuffledKeys, keys: dict[str, dict[int, Tensor]]
    ) -> tuple[dict[str, dict[int, Tensor]], dict[str, dict[int, Tensor]]]:
        """Own and everyone's keys, all kinds and stages in one exchange."""
        places = [(kind, i) for kind, by_stage in keys.items() for i in by_stage]
        columns = [keys[kind][i] for kind, i in places]
        widths = [column.shape[1] for column in columns]
        found = []
        for rows in shuffled.restore(torch.cat(columns, dim=1)):
            by_kind: dict[str, dict[int, Tensor]] = {kind: {} for kind in keys}
            for (kind, i), column in zip(places, rows.split(widths, dim=1)):
                by_kind[kind][i] = column
            found.append(by_kind)
        return found[0], found[1]

    @staticmethod
    def _maps(
        backbone: torch.nn.Module, views: list[Tensor] | tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...] | None]:
        """Maps of the global view, and of all patches in one batch."""
        global_maps = backbone(views[0])
        return global_maps, backbone(views[1].flatten(0, 1)) if len(views) > 1 else None

"""PixCon: any stock detector, trained with pixel-level contrast beside its own loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmpixcon.registry import MODELS

from ..contrast import MomentumEncoder
from ..geometry import PixelPairs, ViewGrid
from ..losses.functional import spread
from ..task_modules import NonFiniteError
from .wrapper import DetectorWrapper, picked_up

DETECTION, MOMENTUM = 'detection', 'momentum'


@MODELS.register_module()
class PixelContrastDetector(DetectorWrapper):
    r"""A detector with pixel-level contrast, equation (6) of PixCon.

    .. math:: L = L_{sup} + \alpha L_{NCE} + \beta L_{Cos}

    "Augmenting Object Detection Supervised Training with Pixel-level
    Contrastive Learning". The detection view goes once through the stock
    detector; its neck's maps (Gamma) and its transformer encoder's memory
    (gamma) are picked up on the way. The momentum view goes through the
    momentum encoder, an average of backbone and neck, without gradient (Psi).
    L_NCE contrasts Gamma with Psi, L_Cos pulls gamma to Psi; a detector without
    a transformer encoder uses ``gamma = predictor(Gamma)``. At test time none of
    this exists.

    Needs data from :class:`PixelContrastViews` and, to move the momentum
    encoder, :class:`PixelContrastHook`.

    Args:
        detector (dict): Config of a detector with a backbone and a neck.
        levels (Sequence[int]): Levels of the neck's output to contrast, counted
            as Python does; their losses are summed. Defaults to (-1, ), the
            coarsest, as the paper.
        S (float | Sequence[float]): Divisor of the mean distance in the
            threshold of positives, one for all levels or one each. Defaults
            to 9.
        alpha (float): Weight of L_NCE. Defaults to 0, the paper's best.
        beta (float): Weight of L_Cos. Defaults to 1.
        momentum (float): Share of the momentum encoder that an update keeps.
            Defaults to 0.99.
        loss_nce (dict): Defaults to ``dict(type='mmpixcon.PixelNCELoss')``.
        loss_cos (dict): Defaults to ``dict(type='mmpixcon.PixelCosineLoss')``.
        predictor (dict, optional): Config of the predictor of a detector
            without a transformer encoder; ``in_channels`` is filled in.
            Defaults to ``dict(type='mmpixcon.PixelPredictor')``.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: A setting is out of range, alpha and beta are both 0, the
            detector has no neck or not the level asked for.
    """

    own_prefix = 'pixcon.'

    def __init__(
        self,
        detector: dict,
        levels: Sequence[int] = (-1,),
        S: float | Sequence[float] = 9.0,
        alpha: float = 0.0,
        beta: float = 1.0,
        momentum: float = 0.99,
        loss_nce: dict | None = None,
        loss_cos: dict | None = None,
        predictor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(detector, init_cfg)
        name = type(self.detector).__name__
        if not getattr(self.detector, 'with_neck', False):
            raise ValueError(
                f'model.detector: {name} has no neck; pixel contrast needs the maps that a neck '
                'gives. Add a neck, for example dict(type="ChannelMapper", ...).'
            )
        if alpha < 0 or beta < 0 or alpha == beta == 0:
            raise ValueError(
                f'model.alpha = {alpha} and model.beta = {beta}: one must be positive and none '
                'negative; with both 0 train the stock detector instead'
            )
        self.levels = tuple(levels)
        self.S = tuple(S) if isinstance(S, Sequence) else (S,) * len(self.levels)
        if not self.levels or len(self.S) != len(self.levels):
            raise ValueError(f'model.levels = {levels} and model.S = {S} do not fit')
        if min(self.S) <= 0:
            raise ValueError(f'model.S = {S} must be positive: it divides the mean distance')
        self.alpha, self.beta = alpha, beta
        self._check_levels(self.detector_cfg.get('neck', {}))
        self._refuse_batch_resize()
        self.loss_nce = MODELS.build(loss_nce or dict(type='mmpixcon.PixelNCELoss'))
        self.loss_cos = MODELS.build(loss_cos or dict(type='mmpixcon.PixelCosineLoss'))
        self.momentum_encoder = MomentumEncoder(momentum, **self.online_encoder)
        self.predictor = None
        if beta > 0 and not hasattr(self.detector, 'encoder'):
            predictor = dict(predictor or dict(type='mmpixcon.PixelPredictor'))
            predictor.setdefault('in_channels', self._neck_channels())
            self.predictor = MODELS.build(predictor)
        # Set by PixelContrastHook: without it the average would never move.
        self.momentum_is_updated = False
        self.collect_stats = False
        self.contrast_stats: dict[str, Tensor] = {}

    @property
    def online_encoder(self) -> dict[str, torch.nn.Module]:
        """f_e, what the momentum encoder follows."""
        return dict(backbone=self.detector.backbone, neck=self.detector.neck)

    @property
    def _uses_cos(self) -> bool:
        """Whether L_Cos is computed; with a predictor even while a schedule holds beta at 0.

        A parameter that a step leaves out would stop DistributedDataParallel.
        """
        return self.beta > 0 or self.predictor is not None

    def _neck_channels(self) -> int:
        neck = self.detector_cfg.neck
        for part in reversed(neck if isinstance(neck, Sequence) else [neck]):
            if 'out_channels' in part:
                return part['out_channels']
        raise ValueError(
            'model.predictor: the neck does not say its out_channels; '
            'set model.predictor = dict(type="mmpixcon.PixelPredictor", in_channels=...)'
        )

    def _check_levels(self, neck: dict | Sequence, found: int | None = None) -> None:
        """Refuse a level that the detector does not have."""
        if found is None and isinstance(neck, dict):
            found = neck.get('num_outs') or len(neck.get('in_channels') or [])
        if found and any(not -found <= level < found for level in self.levels):
            raise ValueError(
                f'model.levels = {list(self.levels)}: the neck of '
                f'{type(self.detector).__name__} gives {found} levels, 0 to {found - 1}'
            )

    def _refuse_batch_resize(self) -> None:
        """Refuse a preprocessor that changes sizes after the homographies are made."""
        augments = self.data_preprocessor.data_preprocessor.batch_augments or []
        for augment in augments:
            if 'Resize' in type(augment).__name__:
                raise ValueError(
                    f'model.detector.data_preprocessor.batch_augments: {type(augment).__name__} '
                    'resizes images without recording a homography_matrix; resize in the '
                    'pipeline, for example with RandomChoiceResize'
                )

    def init_weights(self) -> None:
        """Initialise the detector, then the momentum encoder as its copy."""
        super().init_weights()
        self.momentum_encoder.synchronize(**self.online_encoder)

    def entries_for_stock(self, stock: dict[str, Tensor]) -> dict[str, Tensor]:
        """A stock checkpoint fills the momentum encoder too; the predictor stays as it is."""
        parts = tuple(f'{part}.' for part in self.online_encoder)
        entries = {
            f'momentum_encoder.{name}': value.clone()
            for name, value in stock.items()
            if name.startswith(parts)
        }
        if self.predictor is not None:
            own = self.predictor.state_dict()
            entries |= {f'predictor.{name}': value.clone() for name, value in own.items()}
        return entries

    def update_momentum_encoder(self) -> None:
        """Equation (2); called by the hook after each step of the optimizer."""
        self.momentum_encoder.update(**self.online_encoder)

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """One step of mmengine's loops; see :class:`mmengine.model.BaseModel`.

        Raises:
            RuntimeError: :class:`PixelContrastHook` is not at work.
        """
        if not self.momentum_is_updated:
            raise RuntimeError(
                'PixelContrastHook is not registered, so the momentum encoder would never move: '
                "add dict(type='mmpixcon.PixelContrastHook') to custom_hooks"
            )
        return super().train_step(data, optim_wrapper)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: dict[str, SampleList]
    ) -> dict[str, Tensor | list[Tensor]]:
        """The detector's losses and those of pixel contrast.

        Args:
            batch_inputs (dict): Images (N, 3, H, W) of branches ``detection``
                and ``momentum``; sizes may differ.
            batch_data_samples (dict): N samples each, with
                ``homography_matrix`` in their meta data.

        Returns:
            dict: The detector's losses under their stock names and, where
            their weights are positive, ``loss_pixel_nce`` and
            ``loss_pixel_cos``, a list with one entry a level, weighted.

        Raises:
            TypeError: The data has no momentum branch.
            NonFiniteError: A loss is NaN or infinite.
        """
        if not isinstance(batch_inputs, dict) or MOMENTUM not in batch_inputs:
            raise TypeError(
                'PixelContrastDetector trains on two views of each image: end the train pipeline '
                'with dict(type="mmpixcon.PixelContrastViews", detection=[...], momentum=dict(...))'
            )
        samples = batch_data_samples[DETECTION]
        parts = {'maps': self.detector.neck}
        if self._uses_cos and self.predictor is None:
            parts['memory'] = self.detector.encoder
        with picked_up(parts) as picked:
            losses = self.detector.loss(batch_inputs[DETECTION], samples)
        outputs = {name: output for name, (_, output) in picked.items()}
        if self.alpha > 0 or self._uses_cos:
            keys = self.momentum_encoder(batch_inputs[MOMENTUM])
            losses.update(
                self._contrast(
                    outputs['maps'],
                    outputs.get('memory'),
                    keys,
                    self._grids(batch_inputs, batch_data_samples),
                )
            )
        self._refuse_non_finite(losses, samples)
        return losses

    def _contrast(
        self,
        maps: Sequence[Tensor],
        memory: Tensor | None,
        keys: Sequence[Tensor],
        views: list[tuple[tuple, tuple]],
    ) -> dict[str, list[Tensor]]:
        """L_NCE and L_Cos of every level, weighted."""
        self._check_levels({}, len(maps))
        losses: dict[str, list[Tensor]] = {}
        self.contrast_stats = {}
        if memory is not None:
            memory = self._memory_maps(memory, maps)
        for level, S in zip(self.levels, self.S):
            level %= len(maps)
            query, key = maps[level], keys[level]
            pairs = [
                PixelPairs(
                    ViewGrid(e_matrix, tuple(query.shape[2:]), e_input, e_img),
                    ViewGrid(m_matrix, tuple(key.shape[2:]), m_input, m_img),
                    S,
                    query.device,
                )
                for (e_matrix, e_input, e_img), (m_matrix, m_input, m_img) in views
            ]
            gamma = None
            if self.alpha > 0:
                loss = self.alpha * self.loss_nce(query, key, pairs)
                losses.setdefault('loss_pixel_nce', []).append(loss)
            if self._uses_cos:
                gamma = self.predictor(query) if memory is None else memory[level]
                loss = self.beta * self.loss_cos(gamma, key, pairs)
                losses.setdefault('loss_pixel_cos', []).append(loss)
            if self.collect_stats:
                self._collect(level, query if gamma is None else gamma, query, key, pairs)
        return losses

    @staticmethod
    def _memory_maps(memory: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Cut the encoder's (N, cells of all levels, C) into maps (N, C, h, w)."""
        sizes = [m.shape[2] * m.shape[3] for m in maps]
        if memory.dim() != 3 or memory.shape[1] != sum(sizes):
            raise ValueError(
                f'the transformer encoder gives {tuple(memory.shape)}, not (N, {sum(sizes)}, C) '
                'as its maps have cells: L_Cos needs one output a cell'
            )
        levels = memory.split(sizes, dim=1)
        return [part.transpose(1, 2).unflatten(2, m.shape[2:]) for part, m in zip(levels, maps)]

    @staticmethod
    def _grids(
        batch_inputs: dict[str, Tensor], batch_data_samples: dict[str, SampleList]
    ) -> list[tuple[tuple, tuple]]:
        """Homography, padded size and size of both views of each image."""

        def one(branch: str, sample: object) -> tuple:
            if 'homography_matrix' not in sample:
                raise KeyError(
                    f'{getattr(sample, "img_path", "an image")}: the {branch} view has no '
                    'homography_matrix; use PixelContrastViews, which keeps it'
                )
            size = tuple(batch_inputs[branch].shape[2:])
            return sample.homography_matrix, size, tuple(sample.img_shape[:2])

        return [
            (one(DETECTION, e), one(MOMENTUM, m))
            for e, m in zip(batch_data_samples[DETECTION], batch_data_samples[MOMENTUM])
        ]

    @torch.no_grad()
    def _collect(
        self, level: int, query: Tensor, feature: Tensor, key: Tensor, pairs: list[PixelPairs]
    ) -> None:
        """Numbers that show a collapse or a wrong geometry; read by the hook."""
        counts = [block.count for pair in pairs for block in pair.blocks()]
        counts = torch.cat([query.new_zeros(0, dtype=torch.long), *counts])
        anchors = (counts > 0).sum()
        cells = sum(int(pair.query.valid.sum()) for pair in pairs)
        with_anchors = sum(bool(pair.candidates.any()) for pair in pairs)
        self.contrast_stats |= {
            f'l{level}_positives_per_anchor': counts.sum() / anchors.clamp(min=1),
            f'l{level}_anchor_share': anchors / max(cells, 1),
            # The loss averages over all images; those without anchors add 0.
            f'l{level}_positive_similarity': -self.loss_cos(query, key, pairs)
            * (len(pairs) / max(with_anchors, 1)),
            f'l{level}_feature_std': spread(_cells(feature)),
            f'l{level}_momentum_std': spread(_cells(key)),
        }

    @staticmethod
    def _refuse_non_finite(losses: dict[str, Tensor | list[Tensor]], samples: SampleList) -> None:
        """One look at all terms, before the optimizer can spread a NaN."""
        terms = {
            name: torch.stack([v.detach().float().mean() for v in value]).sum()
            if isinstance(value, (list, tuple))
            else value.detach().float().mean()
            for name, value in losses.items()
        }
        finite = torch.stack(list(terms.values())).isfinite()
        if finite.all():
            return
        broken = [name for name, ok in zip(terms, finite.tolist()) if not ok]
        images = ', '.join(str(getattr(sample, 'img_path', '?')) for sample in samples)
        raise NonFiniteError(
            f'{", ".join(broken)} not finite; images of the batch: {images}. No step was taken: '
            'the last checkpoint is good, go on from it with --resume. Check the boxes of these '
            'images; else lower optim_wrapper.optimizer.lr, or train without --amp.'
        )


def _cells(feature: Tensor) -> Tensor:
    """Unit features of all cells of a map (N, C, h, w), (N * h * w, C)."""
    return F.normalize(feature.float(), dim=1).permute(0, 2, 3, 1).flatten(0, 2)

"""PixCon: any stock detector, trained with pixel-level contrast beside its own loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample, SampleList
from torch import Tensor

from mmpixcon.registry import MODELS

from ..capture import captured
from ..contrast import MomentumEncoder, update_after_steps
from ..geometry import PixelPairs, ViewGrid
from ..losses.pixel_contrast_loss import PixelContrastLoss
from .wrapper import DetectorWrapper

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
    a transformer encoder uses ``gamma = predictor(Gamma)``, and one that has both an
    encoder and a predictor ``predictor(gamma)``. At test time none of this exists.

    Needs data from :class:`PixelContrastViews`; :class:`PixelContrastHook` checks them, runs
    schedules and logs what the contrast sees.

    Args:
        detector (dict): Config of a detector with a backbone and a neck.
        levels (Sequence[int]): Levels of the neck's output to contrast, counted
            as Python does; their losses are summed. Defaults to (-1, ), the
            coarsest, as the paper.
        S (float | Sequence[float]): Divisor of the mean distance in the
            threshold of positives, one for all levels or one each. Defaults
            to 9.
        normalized_distance (bool): Whether distances are those of places as shares of the
            raw image's width and height, rather than of its pixels. The paper has a
            "normalized spatial distance" (equation 3) without a definition; with square
            images both are the same, since the threshold is a share of the mean.
            Defaults to False.
        alpha (float): Weight of L_NCE. Defaults to 0, the paper's best.
        beta (float): Weight of L_Cos. Defaults to 1.
        momentum (float): Share of the momentum encoder that an update keeps.
            Defaults to 0.99.
        loss_nce (dict): Defaults to ``dict(type='mmpixcon.PixelNCELoss')``.
        loss_cos (dict): Defaults to ``dict(type='mmpixcon.PixelCosineLoss')``.
        predictor (dict, optional): config of what stands before L_Cos; ``in_channels`` is
            filled in. Defaults to None: ``dict(type='mmpixcon.PixelPredictor')`` for a detector
            without a transformer encoder, and none for others, as in the paper.
        init_cfg (dict, optional): Initialization. Defaults to None.

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
        normalized_distance: bool = False,
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
            raise ValueError(
                f'model.levels = {levels} and model.S = {S}: name at least one level, and '
                'give one S, or one for each level'
            )
        if min(self.S) <= 0:
            raise ValueError(f'model.S = {S} must be positive: it divides the mean distance')
        self.normalized_distance = normalized_distance
        self.alpha, self.beta = alpha, beta
        neck = self.detector_cfg.get('neck', {})
        if isinstance(neck, dict):
            self._check_levels(neck.get('num_outs') or len(neck.get('in_channels') or []))
        self._refuse_batch_resize()
        self.pixel_loss = PixelContrastLoss(loss_nce, loss_cos)
        self.momentum_encoder = MomentumEncoder(momentum, **self.online_encoder)
        update_after_steps(self)
        self.predictor = None
        if beta > 0 and (predictor is not None or not self.has_encoder):
            predictor = dict(predictor or dict(type='mmpixcon.PixelPredictor'))
            predictor.setdefault('in_channels', self._neck_channels())
            self.predictor = MODELS.build(predictor)

    @property
    def online_encoder(self) -> dict[str, torch.nn.Module]:
        """f_e, what the momentum encoder follows."""
        return dict(backbone=self.detector.backbone, neck=self.detector.neck)

    @property
    def has_encoder(self) -> bool:
        """Return whether the detector has a transformer encoder, whose memory is gamma."""
        return hasattr(self.detector, 'encoder')

    @property
    def _uses_cos(self) -> bool:
        """Return whether L_Cos is computed; with a predictor even while a schedule holds beta at 0.

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

    def _check_levels(self, number: int) -> None:
        """Refuse a level that the detector does not have; 0 levels are unknown ones."""
        if number and any(not -number <= level < number for level in self.levels):
            raise ValueError(
                f'model.levels = {list(self.levels)}: the neck of '
                f'{type(self.detector).__name__} gives {number} levels, 0 to {number - 1}'
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
        """Initialize the detector, then the momentum encoder as its copy."""
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
            predictor = self.predictor.state_dict()
            entries |= {f'predictor.{name}': value.clone() for name, value in predictor.items()}
        return entries

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
        """
        if not isinstance(batch_inputs, dict) or MOMENTUM not in batch_inputs:
            raise TypeError(
                'PixelContrastDetector trains on two views of each image: end the train pipeline '
                'with dict(type="mmpixcon.PixelContrastViews", detection=[...], momentum=dict(...))'
            )
        samples = batch_data_samples[DETECTION]
        parts = {'maps': self.detector.neck}
        if self._uses_cos and self.has_encoder:
            parts['memory'] = self.detector.encoder
        with captured(parts) as calls:
            losses = self.detector.loss(batch_inputs[DETECTION], samples)
        outputs = {name: call.output for name, call in calls.items()}
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
        return losses

    def _contrast(
        self,
        maps: Sequence[Tensor],
        memory: Tensor | None,
        keys: Sequence[Tensor],
        views: list[tuple[tuple, tuple]],
    ) -> dict[str, list[Tensor]]:
        """L_NCE and L_Cos of every level, weighted."""
        self._check_levels(len(maps))
        losses: dict[str, list[Tensor]] = {}
        gammas = [] if memory is None else self._memory_maps(memory, maps)
        for level, S in zip(self.levels, self.S):
            level %= len(maps)
            query, key = maps[level], keys[level]
            pairs = [
                PixelPairs(
                    ViewGrid(e_matrix, _map_shape(query), e_input, e_img),
                    ViewGrid(m_matrix, _map_shape(key), m_input, m_img),
                    S,
                    query.device,
                )
                for (e_matrix, e_input, e_img), (m_matrix, m_input, m_img) in views
            ]
            gamma = None
            if self._uses_cos:
                gamma = gammas[level] if self.has_encoder else query
                gamma = gamma if self.predictor is None else self.predictor(gamma)
            terms = self.pixel_loss(
                query, gamma, key, pairs, alpha=self.alpha, beta=self.beta, level=level
            )
            for name, value in terms.items():
                losses.setdefault(name, []).append(value)
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

    def _grids(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: dict[str, SampleList]
    ) -> list[tuple[tuple, tuple]]:
        """Homography, padded size and size of both views of each image."""

        def grid(branch: str, sample: DetDataSample) -> tuple:
            size = tuple(batch_inputs[branch].shape[2:])
            return self.homography_of(sample, branch), size, tuple(sample.img_shape[:2])

        return [
            (grid(DETECTION, e), grid(MOMENTUM, m))
            for e, m in zip(batch_data_samples[DETECTION], batch_data_samples[MOMENTUM])
        ]

    def homography_of(self, sample: DetDataSample, branch: str) -> np.ndarray:
        """Give the map to a view from the plane in which distances are measured.

        Args:
            sample (DetDataSample): with ``homography_matrix`` and ``ori_shape``.
            branch (str): name of the view, for errors.

        Returns:
            np.ndarray: (3, 3) float64, to pixels of the view, from pixels of the raw image
            or, with ``normalized_distance``, of the raw image stretched to a square of the
            same area.

        Raises:
            KeyError: The sample has no homography.
        """
        if 'homography_matrix' not in sample:
            raise KeyError(
                f'{getattr(sample, "img_path", "an image")}: the {branch} view has no '
                'homography_matrix; use PixelContrastViews, which keeps it'
            )
        matrix = np.asarray(sample.homography_matrix, np.float64)
        if not self.normalized_distance:
            return matrix
        height, width = sample.ori_shape[:2]
        side = math.sqrt(height * width)
        return matrix * np.array([width / side, height / side, 1.0])


def _map_shape(feature_map: Tensor) -> tuple[int, int]:
    """Rows and columns of a map (N, C, h, w)."""
    return feature_map.shape[2], feature_map.shape[3]

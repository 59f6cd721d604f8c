"""ResNets and Swin transformers under the names of mmdet, torchvision, timm and detectron2.

mmdet's ResNet has torchvision's names, and timm's too. Any other model of timm has timm's names
alone, within a ``TIMMBackbone``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmdet.models.backbones.resnet import Bottleneck, ResNet
from mmdet.models.backbones.swin import WindowMSA
from torch import Tensor

from mmpixcon.engine.checkpoint.load_report import compare_state_dicts
from mmpixcon.registry import MODELS

from .weights import Renaming, Weights, top_modules

# Depths of which the tests have seen outputs.
RESNETS = tuple(f'resnet{depth}' for depth in (18, 34, 50, 101))
_SWINS = {
    (96, (2, 2, 6, 2)): 'swin_t',
    (96, (2, 2, 18, 2)): 'swin_s',
    (128, (2, 2, 18, 2)): 'swin_b',
    (192, (2, 2, 18, 2)): 'swin_l',
}
BACKBONES = (*RESNETS, *_SWINS.values())

# A TIMMBackbone, whatever it is of, and the attribute that it has timm's model under.
TIMM = 'timm model'
TIMM_PREFIX = 'timm_model.'

CLASSIFIER = 'the classifier, no part of a backbone'

# The first pair that fits counts: norms before convolutions, in whose modules they are there.
RESNET_DETECTRON2 = Renaming(
    [('bn1.*', 'stem.conv1.norm.*'), ('conv1.*', 'stem.conv1.*')]
    + [
        (f'layer{stage}.#.{mmdet}.*', f'res{stage + 1}.#.{other}.*')
        for stage in (1, 2, 3, 4)
        for mmdet, other in (
            ('bn#', 'conv#.norm'),
            ('conv#', 'conv#'),
            ('downsample.1', 'shortcut.norm'),
            ('downsample.0', 'shortcut'),
        )
    ]
)

SWIN_TIMM = Renaming(
    [
        ('patch_embed.projection.*', 'patch_embed.proj.*'),
        ('patch_embed.norm.*', 'patch_embed.norm.*'),
    ]
    + [
        (f'stages.#.blocks.#.{mmdet}.*', f'layers.#.blocks.#.{other}.*')
        for mmdet, other in (
            ('norm#', 'norm#'),
            ('attn.w_msa', 'attn'),
            ('ffn.layers.0.0', 'mlp.fc1'),
            ('ffn.layers.1', 'mlp.fc2'),
        )
    ]
    # A stage of mmdet ends with what a stage of timm begins with.
    + [(f'stages.{i}.downsample.*', f'layers.{i + 1}.downsample.*') for i in (0, 1, 2)]
    + [('norm3.*', 'norm.*')]
)


@dataclass(frozen=True)
class Backbone:
    """Kind and size of the backbone of a state dict.

    Attributes:
        name (str): 'resnet50', 'swin_t' and the like, or ``TIMM``; of a ResNet of another width
            than 64 it says so.
        config (dict): config of mmdet's module, empty for a timm model.
        bottleneck (bool): Whether blocks have two convolutions where the stride may be.
    """

    name: str
    config: dict
    bottleneck: bool = False

    @property
    def is_resnet(self) -> bool:
        """Return whether it is a ResNet rather than a Swin transformer."""
        return self.name.startswith('resnet')


def identify(tensors: Mapping[str, Tensor]) -> Backbone:
    """Tell what backbone some tensors are, completely.

    Args:
        tensors (Mapping[str, Tensor]): Under mmdet's names, without a prefix.

    Returns:
        Backbone: All its tensors are there, of the right shapes, and no others, except norms
        after the first stages of a Swin transformer. Those of a timm model are not compared.

    Raises:
        ValueError: They are no such backbone, or not the whole of one.
    """
    if all(name.startswith(TIMM_PREFIX) for name in tensors) and tensors:
        return Backbone(TIMM, {})
    backbone = _identify_swin(tensors) if _is_swin(tensors) else _identify_resnet(tensors)
    report = compare_state_dicts(MODELS.build(backbone.config).state_dict(), tensors)
    unexpected = [name for name in report.unexpected if not re.match(r'norm[012]\.', name)]
    if report.missing or report.mismatched or unexpected:
        raise ValueError(
            f'it looks like {backbone.name}, but is not exactly that; other norms, stems and kinds '
            f'of convolutions are not converted:\n{report.table()}'
        )
    return backbone


def _is_swin(names: Iterable[str]) -> bool:
    return 'patch_embed.projection.weight' in names


def _identify_resnet(tensors: Mapping[str, Tensor]) -> Backbone:
    counts = _count(tensors, r'layer(\d+)\.(\d+)\.')
    bottleneck = 'layer1.0.conv3.weight' in tensors
    for depth, (block, blocks) in ResNet.arch_settings.items():
        if blocks == counts and (block is Bottleneck) == bottleneck and 'conv1.weight' in tensors:
            width = tensors['conv1.weight'].shape[0]
            name = f'resnet{depth}' + ('' if width == 64 else f' of width {width}')
            config = dict(type='mmdet.ResNet', depth=depth, base_channels=width)
            return Backbone(name, config, bottleneck)
    raise ValueError(
        f'it has no backbone that is converted ({", ".join(BACKBONES)}): found '
        + top_modules(tensors)
        + (f', with {counts} blocks in the stages of a ResNet' if counts else '')
    )


def _identify_swin(tensors: Mapping[str, Tensor]) -> Backbone:
    width = tensors['patch_embed.projection.weight'].shape[0]
    depths = _count(tensors, r'stages\.(\d+)\.blocks\.(\d+)\.')
    if (width, depths) not in _SWINS:
        raise ValueError(
            f'a Swin transformer of {width} channels and {depths} blocks is not one of '
            f'{", ".join(_SWINS.values())}'
        )
    names = [
        f'stages.{i}.blocks.0.attn.w_msa.relative_position_bias_table' for i in range(len(depths))
    ]
    tables = [tensors[name] for name in names if name in tensors]
    if len(tables) < len(depths):
        raise ValueError('its Swin transformer has no relative_position_bias_table')
    config = dict(
        type='mmdet.SwinTransformer',
        embed_dims=width,
        depths=depths,
        num_heads=[table.shape[1] for table in tables],
        window_size=_window(tables[0]),
        out_indices=(3,),
    )
    kinds: dict[Any, str] = _SWINS
    return Backbone(kinds[width, depths], config)


def _count(names: Iterable[str], pattern: str) -> tuple[int, ...]:
    """Blocks of each stage, by their highest indices."""
    highest: dict[int, int] = {}
    for name in names:
        match = re.match(pattern, name)
        if match:
            stage, block = map(int, match.groups())
            highest[stage] = max(highest.get(stage, 0), block + 1)
    return tuple(highest[stage] for stage in sorted(highest))


def resnet_to_detectron2(weights: Weights) -> None:
    """Rename a bare ResNet as detectron2 has it."""
    weights.rename_as('a ResNet', RESNET_DETECTRON2.translate)


def resnet_from_detectron2(weights: Weights) -> None:
    """Rename a bare ResNet of detectron2 as mmdet has it."""
    weights.leave_out(lambda name: name.startswith(('linear.', 'stem.fc.')), CLASSIFIER)
    weights.rename_as('a ResNet', RESNET_DETECTRON2.translate_back)


def swin_to_timm(weights: Weights) -> None:
    """Make timm's of a bare Swin transformer of mmdet."""
    weights.leave_out(lambda name: name.endswith('relative_position_index'), 'timm computes it')
    weights.leave_out(
        lambda name: bool(re.match(r'norm[012]\.', name)),
        'timm has no norm after a stage but the last',
    )
    weights.change(_merges, _unfolded_to_gathered)
    weights.rename_as('a Swin transformer', SWIN_TIMM.translate)


def swin_from_timm(weights: Weights) -> None:
    """Make mmdet's of a bare Swin transformer of timm.

    Raises:
        ValueError: It is Swin's own release, that mmdet reads by itself.
    """
    if weights.has('layers.0.downsample.'):
        raise ValueError(
            "its stages end with downsample: that is the layout of Swin's release, which mmdet "
            'reads as it is, with model.backbone.convert_weights=True'
        )
    weights.leave_out(lambda name: name.startswith('head.'), CLASSIFIER)
    computed = ('relative_position_index', 'attn_mask')
    weights.leave_out(lambda name: name.endswith(computed), 'mmdet computes it')
    weights.rename_as('a Swin transformer', SWIN_TIMM.translate_back)
    weights.change(_merges, _gathered_to_unfolded)
    for name, table in list(weights.tensors.items()):
        if name.endswith('relative_position_bias_table'):
            window, heads = _window(table), table.shape[1]
            attention = WindowMSA(heads, heads, (window, window))
            index = name.replace('bias_table', 'index')
            weights.add(index, attention.relative_position_index)


def _window(table: Tensor) -> int:
    """Side of the window of a (2 w - 1)^2 x heads table."""
    return (round(table.shape[0] ** 0.5) + 1) // 2


def _merges(name: str) -> bool:
    """Return whether a tensor has the channels of 2 x 2 merged patches."""
    return '.downsample.' in name


def _unfolded_to_gathered(tensor: Tensor) -> Tensor:
    """Channels of merged patches from mmdet's order to timm's.

    mmdet's unfold has, of each channel, the 4 patches row by row; timm has, of each patch,
    column by column, all channels.

    Args:
        tensor (Tensor): (..., 4 C).
    """
    *lead, width = tensor.shape
    return tensor.reshape(*lead, width // 4, 2, 2).transpose(-1, -3).reshape(*lead, width)


def _gathered_to_unfolded(tensor: Tensor) -> Tensor:
    """Undo :func:`_unfolded_to_gathered`."""
    *lead, width = tensor.shape
    return tensor.reshape(*lead, 2, 2, width // 4).transpose(-1, -3).reshape(*lead, width)

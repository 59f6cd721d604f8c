"""The layouts that checkpoints come in, told by their names, and how each becomes mmdet's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mmpixcon.models.detectors.wrapper import DetectorWrapper

from .backbones import CLASSIFIER, TIMM_PREFIX, resnet_from_detectron2, swin_from_timm
from .detr import official_variant, read_official, siamese_to_official
from .weights import Weights, top_modules

BODY = 'backbone.'
NOT_BACKBONE = 'not of the backbone'
METHOD = 'of the pretraining method, no part of a detector'
NOT_MOMENTUM = "not of the momentum encoder's backbone"
PROJECTION = 'the projection head'

# What only detectors have.
_DETECTOR_PARTS = ('bbox_head.', 'rpn_head.', 'roi_head.', 'mask_head.', 'panoptic_head.')
# Of this project's methods, of mmselfsup's MoCo and BYOL, of MoCo's release.
_MOMENTUM = re.compile(
    r'(.+\.)?(momentum_encoder\.backbone|(encoder_k|target_net)\.module\.0'
    r'|encoder_k(?!\.module\.))\.'
)
_DETECTRON2_PREFIXES = ('backbone.bottom_up.', 'backbone.', '')


@dataclass(frozen=True)
class Source:
    """A layout that checkpoints come in.

    Attributes:
        writer (str): project that writes it, for messages.
        fits (Callable): Whether weights have its names.
        read (Callable): Renames them as mmdet has them, ``backbone.`` included. Takes whether
            only the backbone is wanted, and whether the momentum encoder's.
    """

    writer: str
    fits: Callable[[Weights], bool]
    read: Callable[[Weights, bool, bool], None]


def find_source(weights: Weights, path: str, name: str | None = None) -> str:
    """Name the layout of a checkpoint.

    Args:
        weights (Weights): tensors with the names of the file.
        path (str): path of the file, for messages.
        name (str, optional): What the user says that it is. Defaults to None, unknown.

    Returns:
        str: A key of ``SOURCES``.

    Raises:
        ValueError: It fits no layout, or not the one named.
    """
    fitting = [key for key, source in SOURCES.items() if source.fits(weights)]
    if name is None and fitting:
        return fitting[0]
    if name in fitting:
        return name
    description = f'it begins with {top_modules(weights.tensors)}'
    if name is not None:
        guess = f'; it looks like {" or ".join(fitting)}' if fitting else ''
        raise ValueError(
            f'{path} is not in the layout {name} ({SOURCES[name].writer}): {description}{guess}'
        )
    known = '\n'.join(f'  {key}: {source.writer}' for key, source in SOURCES.items())
    raise ValueError(f'{path} fits no layout: {description}. Layouts:\n{known}')


def method_prefixes() -> tuple[str, ...]:
    """List the prefixes that this project's wrappers put their own entries under."""

    def walk(kind: type[DetectorWrapper]) -> Iterator[str]:
        yield kind.own_prefix
        for child in kind.__subclasses__():
            yield from walk(child)

    return tuple(sorted(set(walk(DetectorWrapper))))


def _read_mmdet(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    if momentum:
        _take_momentum(weights)
        return
    if not weights.has(BODY):
        # A bare Swin transformer or timm model. A bare ResNet has torchvision's names.
        weights.rename(lambda name: BODY + name)
    if backbone_only and not weights.has(f'{BODY}layer4.'):
        # The last stage of a C4 detector is in its head.
        head = 'roi_head.shared_head.layer4.'
        weights.rename(lambda name: name.replace(head, f'{BODY}layer4.'))
    prefixes = method_prefixes()
    weights.leave_out(lambda name: name.startswith(prefixes), METHOD)
    if not weights.has(*_DETECTOR_PARTS):
        weights.leave_out(lambda name: not name.startswith(BODY), METHOD)
    if backbone_only:
        weights.leave_out(lambda name: not name.startswith(BODY), NOT_BACKBONE)


def _take_momentum(weights: Weights) -> None:
    """Keep the momentum encoder's backbone only."""
    if not any(_MOMENTUM.match(name) for name in weights.tensors):
        raise ValueError(
            f'--momentum: it has no momentum encoder; found {top_modules(weights.tensors, 2)}'
        )
    weights.leave_out(lambda name: not _MOMENTUM.match(name), NOT_MOMENTUM)
    weights.rename(lambda name: BODY + _MOMENTUM.sub('', name, count=1))
    weights.leave_out(lambda name: name.startswith(f'{BODY}fc.'), PROJECTION)


def _refuse_momentum(momentum: bool) -> None:
    if momentum:
        raise ValueError('--momentum: checkpoints in this layout have no momentum encoder')


def _read_torchvision(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    _refuse_momentum(momentum)
    weights.leave_out(lambda name: name.startswith('fc.'), CLASSIFIER)
    weights.rename(lambda name: BODY + name)


def _read_timm(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    _refuse_momentum(momentum)
    if _is_resnet(weights):
        _read_torchvision(weights, backbone_only, momentum)
    else:
        swin_from_timm(weights)
        weights.rename(lambda name: BODY + name)


def _read_detectron2(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    _refuse_momentum(momentum)
    prefix = _detectron2_prefix(weights)
    if backbone_only and not weights.has(f'{prefix}res5.'):
        weights.rename(lambda name: name.replace('roi_heads.res5.', f'{prefix}res5.'))
    parts = tuple(f'{prefix}{part}.' for part in ('stem', 'res2', 'res3', 'res4', 'res5', 'linear'))
    weights.leave_out(lambda name: not name.startswith(parts), NOT_BACKBONE)
    weights.rename(lambda name: name[len(prefix or '') :])
    resnet_from_detectron2(weights)
    weights.rename(lambda name: BODY + name)
    weights.notes.append(
        "if it was made with MODEL.RESNETS.STRIDE_IN_1X1 True, as detectron2's MSRA models: set "
        "model.backbone.style='caffe' in mmdet; torchvision and timm have no such model"
    )


def _read_moco(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    if momentum:
        _take_momentum(weights)
        return
    query = 'encoder_q.'
    weights.leave_out(lambda name: not name.startswith(query), 'the momentum encoder and its queue')
    weights.leave_out(lambda name: name.startswith(f'{query}fc.'), PROJECTION)
    weights.rename(lambda name: BODY + name[len(query) :])


def _read_swav(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    _refuse_momentum(momentum)
    weights.leave_out(lambda name: name.startswith('projection_head.'), PROJECTION)
    weights.leave_out(lambda name: name.startswith('prototypes'), 'the prototypes')
    weights.rename(lambda name: BODY + name)


def _read_detector(weights: Weights, backbone_only: bool, momentum: bool) -> None:
    """Read any release of a detection transformer, also a pretrained one."""
    _refuse_momentum(momentum)
    pretext = _has_queries(weights) or _has_embeddings(weights) or _is_siamese(weights)
    if _is_siamese(weights):
        siamese_to_official(weights)
    if backbone_only:
        body = 'backbone.0.body.'
        weights.leave_out(lambda name: not name.startswith(body), NOT_BACKBONE)
        weights.rename(lambda name: BODY + name[len(body) :])
    else:
        read_official(weights, pretext)


def _is_resnet(weights: Weights) -> bool:
    return 'conv1.weight' in weights.tensors and weights.has('layer1.0.')


def _detectron2_prefix(weights: Weights) -> str | None:
    prefixes = (p for p in _DETECTRON2_PREFIXES if f'{p}stem.conv1.weight' in weights.tensors)
    return next(prefixes, None)


def _is_detector(weights: Weights, variant: str | None = None) -> bool:
    return (
        weights.has('backbone.0.body.')
        and weights.has('transformer.decoder.')
        and variant in (None, official_variant(weights.tensors))
    )


def _has_queries(weights: Weights) -> bool:
    return weights.has('patch2query.')


def _has_embeddings(weights: Weights) -> bool:
    return weights.has('feature_embed.')


def _is_siamese(weights: Weights) -> bool:
    return weights.has('transformer.decoder.') and weights.has(
        'pred_head.class_embed.', 'head.class_embed.'
    )


# The first that fits counts: those told by a part that others have not come first.
SOURCES = {
    'moco': Source(
        "MoCo's release, with encoder_q", lambda w: w.has('encoder_q.conv1.'), _read_moco
    ),
    'swav': Source(
        "SwAV's release, with projection_head and prototypes",
        lambda w: _is_resnet(w) and w.has('projection_head.', 'prototypes'),
        _read_swav,
    ),
    'siamese-detr': Source(
        "Siamese DETR's release (openselfsup), with pred_head", _is_siamese, _read_detector
    ),
    'updetr': Source(
        "UP-DETR's release, pretrained, with patch2query",
        lambda w: _is_detector(w) and _has_queries(w),
        _read_detector,
    ),
    'detreg': Source(
        "DETReg's release, pretrained, with feature_embed",
        lambda w: _is_detector(w) and _has_embeddings(w),
        _read_detector,
    ),
    'deformable-detr': Source(
        "Deformable DETR's release, and detectors of DETReg's",
        lambda w: _is_detector(w, 'deformable-detr'),
        _read_detector,
    ),
    'conditional-detr': Source(
        "Conditional DETR's release",
        lambda w: _is_detector(w, 'conditional-detr'),
        _read_detector,
    ),
    'detr': Source(
        "DETR's release, and detectors of UP-DETR's",
        lambda w: _is_detector(w, 'detr'),
        _read_detector,
    ),
    'detectron2': Source(
        "detectron2's ResNets, also in a detector, with stem and res2 to res5",
        lambda w: _detectron2_prefix(w) is not None,
        _read_detectron2,
    ),
    'mmdet': Source(
        'mmdet, mmselfsup, mmpretrain and this project, with backbone., or a bare Swin or '
        'TIMMBackbone of theirs',
        lambda w: w.has(
            *('backbone.conv1.', 'backbone.patch_embed.', 'patch_embed.projection.'),
            *(f'{BODY}{TIMM_PREFIX}', TIMM_PREFIX),
        ),
        _read_mmdet,
    ),
    'torchvision': Source(
        'bare ResNets: of torchvision and timm, of VICReg and Barlow Twins, of mmdet',
        _is_resnet,
        _read_torchvision,
    ),
    'timm': Source(
        "timm's Swin transformers and ResNets",
        lambda w: _is_resnet(w) or (w.has('patch_embed.proj.') and w.has('layers.0.blocks.')),
        _read_timm,
    ),
}

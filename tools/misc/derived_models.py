"""Values of a run's model that no single key of its config has, see derived_values.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from torch import nn

from derived_values import derived, detector
from mmpixcon.models.detectors.frozen import CLASS_LAYERS
from mmpixcon.models.pretext.regions import one_class
from mmpixcon.recipes.recipe import Stage
from mmpixcon.registry import MODELS


@derived
def backbone_norm(cfg: Config, stage: Stage) -> str:
    """Batch norm of the backbone: of one process, of all, or frozen as it was pretrained."""
    backbone = detector(cfg).backbone
    frozen = backbone.get('norm_eval', True) and not backbone.norm_cfg.get('requires_grad', True)
    return 'frozen' if frozen else backbone.norm_cfg.type


@derived
def learning_parts(cfg: Config, stage: Stage) -> str:
    """Tell what learns of a frozen detector."""
    patterns = cfg.model.get('trainable')
    if patterns is None:
        return 'layers of class scores' if CLASS_LAYERS else 'none'
    return ', '.join(re.sub(r'[\^\\]|\.$', '', pattern) for pattern in patterns)


@derived
def dilated(cfg: Config, stage: Stage) -> bool:
    """Return whether the backbone's last stage keeps its stride and is dilated (DC5)."""
    backbone = detector(cfg).backbone
    return backbone.get('dilations', (1,))[-1] == 2 and backbone.get('strides', (2,))[-1] == 1


@derived
def patterns(cfg: Config, stage: Stage) -> int:
    """Patterns of a query's place; mmdet's 0 is the plain detector, with one content."""
    return max(detector(cfg).num_patterns, 1)


@derived
def contrasted_levels(cfg: Config, stage: Stage) -> int:
    """Levels that PixCon's losses look at."""
    return len(cfg.model.levels)


@derived
def contrast_heads(cfg: Config, stage: Stage) -> int:
    """Heads of DetCo: a stage with a weight has one for each kind of contrast."""
    head = cfg.model.head
    return len(head.temperatures) * sum(weight > 0 for weight in head.weights)


@derived
def memory_banks(cfg: Config, stage: Stage) -> int:
    """Memory banks of DetCo; gl reads that of gg."""
    head = cfg.model.head
    kinds = len(set(head.temperatures) - {'gl'})
    return kinds * (1 if head.get('share_bank') else sum(weight > 0 for weight in head.weights))


@derived
def detector_variant(cfg: Config, stage: Stage) -> str:
    """Tell the kind of DN-Deformable-DETR by the attention of its decoder."""
    kind = detector(cfg).type
    names = {
        'DNDeformableEncoderDETR': 'deformable encoder only',
        'DNDeformableDETR': 'deformable encoder and decoder',
    }
    return names.get(kind.split('.')[-1], kind)


@derived
def region_class_weight(cfg: Config, stage: Stage) -> float:
    """Weight of the class loss in a pretraining on regions."""
    return _one_class(cfg).bbox_head.loss_cls.loss_weight


@derived
def region_class_loss(cfg: Config, stage: Stage) -> str:
    """Class loss of a pretraining on regions."""
    return _one_class(cfg).bbox_head.loss_cls.type.split('.')[-1]


@derived
def region_costs(cfg: Config, stage: Stage) -> list[float]:
    """Matching costs of class, L1 and GIoU in a pretraining on regions."""
    return [cost.weight for cost in _one_class(cfg).train_cfg.assigner.match_costs]


@derived
def matching_costs(cfg: Config, stage: Stage) -> list[float]:
    """Matching costs of class, L1 and GIoU."""
    assigner = detector(cfg).train_cfg.assigner
    return [cost.weight for cost in assigner.match_costs]


@derived
def loss_weights(cfg: Config, stage: Stage) -> list[float]:
    """Weights of the losses of class, L1 and GIoU of a detector."""
    head = detector(cfg).bbox_head
    return [head[name].loss_weight for name in ('loss_cls', 'loss_bbox', 'loss_iou')]


@derived
def norm_first(cfg: Config, stage: Stage) -> bool:
    """Return whether a transformer normalizes before attention; layers of mmdet do so after it."""
    return bool(cfg.model.detector.encoder.layer_cfg.get('norm_first', False))


@derived
def ffn_width(cfg: Config, stage: Stage) -> int | list[int]:
    """Channels of the feed-forward networks; of encoder and decoder where they differ."""
    return _of_layers(cfg, 'feedforward_channels')


@derived
def dropout(cfg: Config, stage: Stage) -> float | list[float]:
    """Dropout of the feed-forward networks; of encoder and decoder where they differ."""
    return _of_layers(cfg, 'ffn_drop')


@derived
def mlp_layers(cfg: Config, stage: Stage) -> int:
    """Layers of MoCo v2's MLP, which DetCo's heads are."""
    sizes = dict(in_channels=1, hid_channels=1, out_channels=1)
    neck = MODELS.build(dict(type='mmselfsup.MoCoV2Neck', **sizes))
    return sum(isinstance(layer, nn.Linear) for layer in neck.mlp)


@derived
def embedding_weight(cfg: Config, stage: Stage) -> float:
    """Weight of DETReg's loss of features; mmdet's L1 loss has 1 by default."""
    return (cfg.model.get('loss_embedding') or {}).get('loss_weight', 1.0)


@derived
def fpn_layers(cfg: Config, stage: Stage) -> int:
    """Maps of the backbone that the mask head takes."""
    return len(cfg.model.fpn_from)


@derived
def mask_blocks(cfg: Config, stage: Stage) -> int:
    """Blocks of convolution, norm and activation in the mask head."""
    return len(MODELS.build(cfg.model.mask_head).blocks)


@derived
def mask_loss(cfg: Config, stage: Stage) -> str:
    """Loss of the mask head."""
    return type(MODELS.build(cfg.model.mask_head).loss_mask).__name__


def _of_layers(cfg: Config, name: str) -> Any:
    """A value of the feed-forward networks, one if encoder and decoder agree."""
    values = [
        part.layer_cfg.ffn_cfg[name] for part in (detector(cfg).encoder, detector(cfg).decoder)
    ]
    return values[0] if values[0] == values[1] else values


def _one_class(cfg: Config) -> Mapping[str, Any]:
    """The detector of a pretraining on regions as it is built."""
    defaults = inspect.signature(MODELS.get(cfg.model.type)).parameters
    weight = cfg.model.get('no_object_weight', defaults['no_object_weight'].default)
    return one_class(cfg.model.detector, softmax=weight is not None)

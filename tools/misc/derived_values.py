"""Values of a run that no single key of its config has, for ``derived`` in ``configs/papers``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from torch import nn

from mmpixcon.models.detectors.frozen import CLASS_LAYERS
from mmpixcon.models.pretext.region_pretext import one_class
from mmpixcon.recipes.recipe import Stage
from mmpixcon.registry import MODELS

FUNCTIONS: dict[str, Callable[[Config, Stage], Any]] = {}
# Weights that nothing here trains, by what their file or address has in its name.
WEIGHTS = {
    'torchvision://resnet50': 'ImageNet, supervised',
    'checkpoints/supervised': 'ImageNet, supervised',
    'swav_800ep': 'SwAV, 800 epochs',
}
# Epochs that weights of others were trained for.
SUPERVISED_EPOCHS = {'torchvision://resnet50': 90}
BOXES = {'edge_boxes': 'Edge Boxes', 'selective_search': 'Selective Search'}


def derived(function: Callable[[Config, Stage], Any]) -> Callable[[Config, Stage], Any]:
    """Make a function known by its name."""
    FUNCTIONS[function.__name__] = function
    return function


@derived
def gpus(cfg: Config, stage: Stage) -> int:
    """GPUs that the config is named for."""
    match = re.search(r'_(\d+)xb\d+-', stage.config.stem)
    if match is None:
        # mmdet's names of RetinaNet and the like end otherwise.
        raise KeyError(f'{stage.config.stem} names no GPUs')
    return int(match[1])


@derived
def images_per_step(cfg: Config, stage: Stage) -> int:
    """Images of a step on all GPUs, over all batches whose gradients it sums up."""
    batches = cfg.optim_wrapper.get('accumulative_counts', 1)
    return gpus(cfg, stage) * cfg.train_dataloader.batch_size * batches


@derived
def backbone_rate(cfg: Config, stage: Stage) -> float:
    """Learning rate of the backbone."""
    return _rate_of(cfg, 'backbone')


@derived
def rate_of_biases(cfg: Config, stage: Stage) -> float:
    """Learning rate of biases and norms."""
    return _rate_of(cfg, 'bias')


@derived
def last_rate(cfg: Config, stage: Stage) -> float:
    """Learning rate after the last drop of a schedule in steps."""
    (steps,) = [s for s in cfg.param_scheduler if s['type'].endswith('MultiStepLR')]
    return cfg.optim_wrapper.optimizer.lr * steps.get('gamma', 0.1) ** len(steps['milestones'])


@derived
def short_sides(cfg: Config, stage: Stage) -> list[int]:
    """Short sides that images are resized to, one of them at random."""
    return sorted(min(scale) for scale in _last_resize(cfg)['scales'])


@derived
def long_side(cfg: Config, stage: Stage) -> int:
    """Longest side of a resized image."""
    return max(max(scale) for scale in _last_resize(cfg)['scales'])


@derived
def pixel_mean(cfg: Config, stage: Stage) -> list[float]:
    """Mean of pixels of 0 to 1, red, green, blue."""
    return [value / 255 for value in _preprocessor(cfg)['mean']]


@derived
def pixel_deviation(cfg: Config, stage: Stage) -> list[float]:
    """Deviation of pixels of 0 to 1, red, green, blue."""
    return [value / 255 for value in _preprocessor(cfg)['std']]


@derived
def backbone_weights(cfg: Config, stage: Stage) -> str:
    """Weights that the backbone starts from."""
    init = _detector(cfg).backbone.get('init_cfg')
    source = cfg.get('load_from') or (init or {}).get('checkpoint')
    if source is None:
        return 'random'
    if source == 'PRETRAINED.pth' and stage.init:
        return 'pretrained'
    return next((words for name, words in WEIGHTS.items() if name in source), source)


@derived
def supervised_epochs(cfg: Config, stage: Stage) -> int:
    """Epochs of the supervised weights that the backbone starts from."""
    return SUPERVISED_EPOCHS[cfg.model.backbone.init_cfg.checkpoint]


@derived
def starts_from(cfg: Config, stage: Stage) -> str:
    """Name of the stage whose checkpoint it starts from."""
    return ', '.join(stage.sources) or 'none'


@derived
def percent_of_labels(cfg: Config, stage: Stage) -> float:
    """Share of the labelled images."""
    return 100 if stage.percent is None else stage.percent


@derived
def backbone_norm(cfg: Config, stage: Stage) -> str:
    """Batch norm of the backbone: of one process, of all, or frozen as it was pretrained."""
    backbone = _detector(cfg).backbone
    frozen = backbone.get('norm_eval', True) and not backbone.norm_cfg.get('requires_grad', True)
    return 'frozen' if frozen else backbone.norm_cfg.type


@derived
def learning_parts(cfg: Config, stage: Stage) -> str:
    """What learns of a frozen detector."""
    patterns = cfg.model.get('trainable')
    if patterns is None:
        return 'layers of class scores' if CLASS_LAYERS else 'none'
    return ', '.join(re.sub(r'[\^\\]|\.$', '', pattern) for pattern in patterns)


@derived
def dilated(cfg: Config, stage: Stage) -> bool:
    """Whether the backbone's last stage keeps its stride and is dilated (DC5)."""
    backbone = _detector(cfg).backbone
    return backbone.get('dilations', (1,))[-1] == 2 and backbone.get('strides', (2,))[-1] == 1


@derived
def patterns(cfg: Config, stage: Stage) -> int:
    """Patterns of a query's place; mmdet's 0 is the plain detector, with one content."""
    return max(_detector(cfg).num_patterns, 1)


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
    """What kind of DN-Deformable-DETR it is, by the attention of its decoder."""
    kind = _detector(cfg).type
    names = {
        'DNDeformableEncoderDETR': 'deformable encoder only',
        'DNDeformableDETR': 'deformable encoder and decoder',
    }
    return names.get(kind.split('.')[-1], kind)


@derived
def boxes(cfg: Config, stage: Stage) -> str:
    """Where regions of a pretraining come from."""
    source = next(
        step['source'] for step in _walk(cfg.train_dataloader.dataset) if 'source' in step
    )
    if source['type'].endswith('ProposalRegions'):
        return BOXES[source['path'].rstrip('/').rsplit('/', 1)[-1]]
    return 'random'


@derived
def mirrors(cfg: Config, stage: Stage) -> bool:
    """Whether images are mirrored."""
    steps = _walk(cfg.train_dataloader.dataset)
    return any(step.get('type', '').endswith('RandomFlip') for step in steps)


@derived
def most_boxes(cfg: Config, stage: Stage) -> int:
    """Regions of an image at most."""
    return next(step['num'] for step in _walk(cfg.train_dataloader.dataset) if 'source' in step)


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
    assigner = _detector(cfg).train_cfg.assigner
    return [cost.weight for cost in assigner.match_costs]


@derived
def loss_weights(cfg: Config, stage: Stage) -> list[float]:
    """Weights of the losses of class, L1 and GIoU of a detector."""
    head = _detector(cfg).bbox_head
    return [head[name].loss_weight for name in ('loss_cls', 'loss_bbox', 'loss_iou')]


@derived
def norm_first(cfg: Config, stage: Stage) -> bool:
    """Whether a transformer normalizes before attention; layers of mmdet do so after it."""
    return bool(cfg.model.detector.encoder.layer_cfg.get('norm_first', False))


@derived
def mixed_precision(cfg: Config, stage: Stage) -> bool:
    """Whether it is trained in mixed precision without an option of the command line."""
    return cfg.optim_wrapper.type.startswith('Amp')


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
def jitter_of_first_view(cfg: Config, stage: Stage) -> list[float]:
    """Strength of the color jitter, brightness, contrast, saturation, hue."""
    steps = _walk(cfg.train_dataloader.dataset)
    jitter = next(step for step in steps if step.get('type', '').endswith('ColorJitter'))
    return [jitter[name] for name in ('brightness', 'contrast', 'saturation', 'hue')]


@derived
def steps_of_first_view(cfg: Config, stage: Stage) -> list[str]:
    """Transforms of the first view, in their order."""
    steps = _walk(cfg.train_dataloader.dataset)
    views = next(step for step in steps if step.get('type', '').endswith('ContrastViews'))
    return [step['type'].split('.')[-1] for step in views['views'][0]]


@derived
def region_type(cfg: Config, stage: Stage) -> str:
    """Transform that gives PLRC its regions."""
    types = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
    return next(one for one in types if one.endswith('Regions')).split('.')[-1]


@derived
def image_folder(cfg: Config, stage: Stage) -> str:
    """Folder of the training images, by the key of mmselfsup's data sets or of mmdet's."""
    prefix = cfg.train_dataloader.dataset.data_prefix
    return prefix.get('img_path') or prefix['img']


@derived
def color_steps_of_crops(cfg: Config, stage: Stage) -> int:
    """Transforms that change the color of a region's crop alone."""
    steps = _walk(cfg.train_dataloader.dataset)
    crops = next(step for step in steps if step.get('type', '').endswith('RegionCrops'))
    return len(crops.get('transforms', ()))


@derived
def embedding_weight(cfg: Config, stage: Stage) -> float:
    """Weight of DETReg's loss of features; mmdet's L1 loss has 1 by default."""
    return (cfg.model.get('loss_embedding') or {}).get('loss_weight', 1.0)


@derived
def norm_decay(cfg: Config, stage: Stage) -> float:
    """Weight decay of norm layers."""
    wrapper = cfg.optim_wrapper
    factor = (wrapper.get('paramwise_cfg') or {}).get('norm_decay_mult', 1.0)
    return wrapper.optimizer.weight_decay * factor


@derived
def undecayed(cfg: Config, stage: Stage) -> float:
    """Weight decay of norm layers and biases, by their names."""
    wrapper = cfg.optim_wrapper
    factors = [wrapper.paramwise_cfg.custom_keys[name].decay_mult for name in ('bn', 'bias')]
    return wrapper.optimizer.weight_decay * max(factors)


@derived
def precise_norm(cfg: Config, stage: Stage) -> bool:
    """Whether statistics of batch norm are measured anew before an evaluation."""
    return any(hook['type'].endswith('PreciseBNHook') for hook in cfg.custom_hooks)


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


def _detector(cfg: Config) -> Any:
    """The detector of a config, inside a method around it as well."""
    return cfg.model.get('detector', cfg.model)


def _rate_of(cfg: Config, part: str) -> float:
    """Learning rate of parameters with a part in their name."""
    wrapper = cfg.optim_wrapper
    keys = (wrapper.get('paramwise_cfg') or {}).get('custom_keys') or {}
    return wrapper.optimizer.lr * keys.get(part, {}).get('lr_mult', 1.0)


def _of_layers(cfg: Config, name: str) -> Any:
    """A value of the feed-forward networks, one if encoder and decoder agree."""
    values = [
        part.layer_cfg.ffn_cfg[name] for part in (_detector(cfg).encoder, _detector(cfg).decoder)
    ]
    return values[0] if values[0] == values[1] else values


def _one_class(cfg: Config) -> Mapping[str, Any]:
    """The detector of a pretraining on regions as it is built."""
    default = 0.1 if cfg.model.type.endswith(('SiameseDETR', 'UPDETR')) else None
    weight = cfg.model.get('no_object_weight', default)
    return one_class(cfg.model.detector, softmax=weight is not None)


def _preprocessor(cfg: Config) -> Mapping[str, Any]:
    """What normalizes pixels."""
    return _detector(cfg).data_preprocessor


def _last_resize(cfg: Config) -> Mapping[str, Any]:
    """The last step that resizes to one of several sizes."""
    steps = _walk(cfg.train_dataloader.dataset)
    return [step for step in steps if step.get('type', '').endswith('RandomChoiceResize')][-1]


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """All dicts of a data set, from the outside in."""
    if isinstance(value, Mapping):
        yield value
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _walk(part)

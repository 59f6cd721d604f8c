"""Values of a run that no single key of its config has, for ``derived`` in ``configs/papers``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmpixcon.recipes.recipe import Stage

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
    init = detector(cfg).backbone.get('init_cfg')
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
    """Share of the labeled images."""
    return 100 if stage.percent is None else stage.percent


@derived
def boxes(cfg: Config, stage: Stage) -> str:
    """Tell where the regions of a pretraining come from."""
    source = next(step['source'] for step in walk(cfg.train_dataloader.dataset) if 'source' in step)
    if source['type'].endswith('ProposalRegions'):
        return BOXES[source['path'].rstrip('/').rsplit('/', 1)[-1]]
    return 'random'


@derived
def mirrors(cfg: Config, stage: Stage) -> bool:
    """Return whether images are mirrored."""
    steps = walk(cfg.train_dataloader.dataset)
    return any(step.get('type', '').endswith('RandomFlip') for step in steps)


@derived
def most_boxes(cfg: Config, stage: Stage) -> int:
    """Regions of an image at most."""
    return next(step['num'] for step in walk(cfg.train_dataloader.dataset) if 'source' in step)


@derived
def mixed_precision(cfg: Config, stage: Stage) -> bool:
    """Return whether it is trained in mixed precision without an option of the command line."""
    return cfg.optim_wrapper.type.startswith('Amp')


@derived
def jitter_of_first_view(cfg: Config, stage: Stage) -> list[float]:
    """Strength of the color jitter, brightness, contrast, saturation, hue."""
    steps = walk(cfg.train_dataloader.dataset)
    jitter = next(step for step in steps if step.get('type', '').endswith('ColorJitter'))
    return [jitter[name] for name in ('brightness', 'contrast', 'saturation', 'hue')]


@derived
def steps_of_first_view(cfg: Config, stage: Stage) -> list[str]:
    """Transforms of the first view, in their order."""
    steps = walk(cfg.train_dataloader.dataset)
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
    steps = walk(cfg.train_dataloader.dataset)
    crops = next(step for step in steps if step.get('type', '').endswith('RegionCrops'))
    return len(crops.get('transforms', ()))


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
    """Return whether statistics of batch norm are measured anew before an evaluation."""
    return any(hook['type'].endswith('PreciseBNHook') for hook in cfg.custom_hooks)


def detector(cfg: Config) -> Any:
    """The detector of a config, inside a method around it as well."""
    return cfg.model.get('detector', cfg.model)


def _rate_of(cfg: Config, part: str) -> float:
    """Learning rate of parameters with a part in their name."""
    wrapper = cfg.optim_wrapper
    keys = (wrapper.get('paramwise_cfg') or {}).get('custom_keys') or {}
    return wrapper.optimizer.lr * keys.get(part, {}).get('lr_mult', 1.0)


def _preprocessor(cfg: Config) -> Mapping[str, Any]:
    """Tell what normalizes pixels."""
    return detector(cfg).data_preprocessor


def _last_resize(cfg: Config) -> Mapping[str, Any]:
    """The last step that resizes to one of several sizes."""
    steps = walk(cfg.train_dataloader.dataset)
    return [step for step in steps if step.get('type', '').endswith('RandomChoiceResize')][-1]


def walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """All dicts of a data set, from the outside in."""
    if isinstance(value, Mapping):
        yield value
        for part in value.values():
            yield from walk(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from walk(part)

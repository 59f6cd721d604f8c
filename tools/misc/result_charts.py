r"""Draws the charts of docs/results.md from the metafiles of the configs.

    python tools/misc/result_charts.py

Writes ``docs/gains.png``, what each method gains over the same detector without it, and
``docs/pretraining_bccd.png``, the methods that pretrain a backbone. Run it where a number changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from readme_tables import ROOT, Numbers, read_numbers

# Deviations of the difference from which a difference counts.
COUNTS = 2.0
COLORS = {'gain': 'seagreen', 'no difference': 'gray', 'loss': 'firebrick'}


@dataclass(frozen=True)
class Setting:
    """Methods beside the same detector without them.

    Attributes:
        title (str): detector, start and data.
        dataset (str): data set, as the metafiles call it.
        base (str): model without a method.
        methods (dict[str, str]): models with a method.
    """

    title: str
    dataset: str
    base: str
    methods: dict[str, str]


BACKBONES = {
    'MoCo v2': 'mocov2_r18_1xb32-100e_bccd',
    'DetCo': 'detco_r18_1xb32-100e_bccd',
    'PLRC': 'plrc_r18_1xb32-100e_bccd',
    'PLRC, region level': 'plrc-region-level_r18_1xb32-100e_bccd',
    'Barlow Twins': 'barlowtwins_r18_1xb32-100e_bccd',
    'VICReg': 'vicreg_r18_1xb32-100e_bccd',
}
RANDOM = 'faster-rcnn_r18_fpn_1xb4-200i_bccd, from random weights'
FASTER_LITE0 = 'faster-rcnn_lite0_fpn_1xb4-200i_bccd'
IMAGENET = f'{FASTER_LITE0}, from ImageNet'
DETR_LITE0 = 'deformable-detr_lite0_1xb8-24e_bccd'
LITE0 = {
    'MoCo v2': 'mocov2_lite0_1xb32-100e_bccd',
    'PLRC': 'plrc_lite0_1xb32-100e_bccd',
    'Barlow Twins': 'barlowtwins_lite0_1xb32-100e_bccd',
}
DETR_ONE_STAGE = 'deformable-detr-one-stage_lite0_1xb8-24e_bccd'
ONE_STAGE = f'{DETR_ONE_STAGE}, 312 steps'
TRANSFORMERS = {
    'UP-DETR': 'updetr_deformable-detr-one-stage_lite0_1xb8-50e_bccd',
    'DETReg': 'detreg_deformable-detr-one-stage_lite0_1xb8-50e_bccd',
    'Siamese DETR': 'siamese-detr_deformable-detr-one-stage_lite0_1xb8-50e_bccd',
}
OWN_REGIONS = {
    'UP-DETR, own region': f'{TRANSFORMERS["UP-DETR"]}, own region',
    'UP-DETR, own region, drop 0.5': f'{TRANSFORMERS["UP-DETR"]}, own region, drop 0.5',
    'Siamese DETR, own region': f'{TRANSFORMERS["Siamese DETR"]}, own region',
    'Siamese DETR, L_g 0': f'{TRANSFORMERS["Siamese DETR"]}, L_g 0',
    'Siamese DETR, L_g 10': f'{TRANSFORMERS["Siamese DETR"]}, L_g 10',
}
FASTER_R18 = 'faster-rcnn_r18_fpn_1xb8-12e_scenes'
DETR_R18 = 'deformable-detr_r18_1xb8-12e_scenes'
PRETRAINING = (
    Setting('Faster R-CNN R18, random weights, BCCD, 10 %', 'BCCD, 10 %', RANDOM, BACKBONES),
    Setting('the same, all labels', 'BCCD', RANDOM, BACKBONES),
    Setting(
        'the same, household photos, 10 %',
        'household photos, 10 %',
        'faster-rcnn_r18_fpn_1xb4-200i_household, from random weights',
        {'VICReg': 'vicreg_r18_1xb32-10e_household'},
    ),
    Setting(
        'Faster R-CNN Lite0, ImageNet, BCCD, 10 %',
        'BCCD, 10 %',
        IMAGENET,
        {**LITE0, 'VICReg': 'vicreg_lite0_1xb32-100e_bccd'},
    ),
    Setting('the same, all labels', 'BCCD', IMAGENET, LITE0),
    Setting(
        'Faster R-CNN Lite0, on another machine, 10 %',
        'BCCD, 10 %',
        f'{FASTER_LITE0}, another machine',
        {'DetCo': 'detco_lite0_1xb32-100e_bccd'},
    ),
    Setting(
        'the same, all labels',
        'BCCD',
        f'{FASTER_LITE0}, another machine',
        {
            'DetCo': 'detco_lite0_1xb32-100e_bccd',
            'VICReg': 'vicreg_lite0_1xb32-100e_bccd, another machine',
        },
    ),
    Setting(
        'Faster R-CNN Lite0, household photos, 10 %',
        'household photos, 10 %',
        'faster-rcnn_lite0_fpn_1xb4-200i_household, from ImageNet',
        {'VICReg': 'vicreg_lite0_1xb32-10e_household'},
    ),
    Setting(
        'Deformable DETR R18, MoCo v2, scenes',
        'built-in scenes',
        'deformable-detr-pretrained_r18_1xb8-12e_scenes, from MoCo v2',
        {
            'UP-DETR': 'updetr_deformable-detr_r18_1xb8-50e_scenes',
            'DETReg': 'detreg_deformable-detr_r18_1xb8-50e_scenes',
            'Siamese DETR': 'siamese-detr_deformable-detr_r18_1xb8-50e_scenes',
        },
    ),
    Setting(
        'one-stage Deformable DETR Lite0, ImageNet, BCCD, 10 %',
        'BCCD at 160 pixels, 10 %',
        ONE_STAGE,
        TRANSFORMERS,
    ),
    Setting('the same, all labels', 'BCCD at 160 pixels', ONE_STAGE, TRANSFORMERS),
    Setting(
        'the same, on another machine, 10 %',
        'BCCD at 160 pixels, 10 %',
        f'{DETR_ONE_STAGE}, another machine',
        OWN_REGIONS,
    ),
    Setting(
        'the same, all labels',
        'BCCD at 160 pixels',
        f'{DETR_ONE_STAGE}, another machine',
        OWN_REGIONS,
    ),
)
PIXCON = (
    Setting(
        'Deformable DETR R18, random weights, scenes',
        'built-in scenes',
        DETR_R18,
        {
            'L_Cos, fine': f'pixcon-finest-level_{DETR_R18}',
            'L_Cos, fine, warm-up': f'pixcon-warmup_{DETR_R18}',
            'L_NCE, fine': f'pixcon-nce_{DETR_R18}',
        },
    ),
    Setting(
        'the same, on a second machine',
        'built-in scenes',
        f'{DETR_R18}, second machine',
        {
            'L_Cos, coarsest': f'pixcon_{DETR_R18}',
            'L_Cos, fine': f'pixcon-finest-level_{DETR_R18}, second machine',
            'L_Cos, fine, beta 0.1': f'pixcon-finest-level_{DETR_R18}, beta 0.1',
            'L_Cos, fine, predictor': f'pixcon-predictor_{DETR_R18}',
        },
    ),
    Setting(
        'the same, on a third machine',
        'built-in scenes',
        f'{DETR_R18}, third machine',
        {
            'L_Cos, coarsest': f'pixcon_{DETR_R18}, third machine',
            'L_Cos, coarsest, projection': f'pixcon-projection_{DETR_R18}, third machine',
            'L_NCE, coarsest': f'pixcon_{DETR_R18}, L_NCE',
            'L_NCE and L_Cos, coarsest': f'pixcon_{DETR_R18}, L_NCE and L_Cos',
            'L_Cos, fine': f'pixcon-finest-level_{DETR_R18}, third machine',
            'L_NCE, fine': f'pixcon-nce_{DETR_R18}, third machine',
        },
    ),
    Setting(
        'the same, one stage',
        'built-in scenes',
        f'{DETR_R18}, one stage',
        {'L_Cos, coarsest': f'pixcon_{DETR_R18}, one stage'},
    ),
    Setting(
        'Faster R-CNN R18, random weights, scenes',
        'built-in scenes',
        FASTER_R18,
        {
            'L_Cos, stride 8': f'pixcon_{FASTER_R18}',
            'L_Cos, stride 32': f'pixcon_{FASTER_R18}, stride 32',
            'L_NCE, stride 8': f'pixcon_{FASTER_R18}, L_NCE',
            'L_NCE, stride 8, alpha 0.1': f'pixcon_{FASTER_R18}, L_NCE, alpha 0.1',
            'L_NCE, stride 32': f'pixcon_{FASTER_R18}, L_NCE at stride 32',
            'L_NCE, stride 32, alpha 0.1': f'pixcon_{FASTER_R18}, L_NCE at stride 32, alpha 0.1',
            'L_NCE and L_Cos, stride 8': f'pixcon_{FASTER_R18}, L_NCE and L_Cos',
        },
    ),
    Setting(
        'Faster R-CNN Lite0, ImageNet, BCCD, 10 %',
        'BCCD, 10 %',
        IMAGENET,
        {
            'L_Cos, stride 8': f'pixcon_{FASTER_LITE0}',
            'L_NCE, stride 8': f'pixcon_{FASTER_LITE0}, L_NCE',
        },
    ),
    Setting(
        'the same, on another machine',
        'BCCD, 10 %',
        f'{FASTER_LITE0}, another machine',
        {
            'L_Cos, stride 8, beta 0.1': f'pixcon_{FASTER_LITE0}, beta 0.1',
            'L_Cos, stride 16': f'pixcon_{FASTER_LITE0}, stride 16',
            'L_Cos, stride 64': f'pixcon_{FASTER_LITE0}, stride 64',
            'L_NCE, stride 8': f'pixcon_{FASTER_LITE0}, L_NCE, another machine',
            'L_NCE, stride 8, alpha 0.1': f'pixcon_{FASTER_LITE0}, L_NCE, alpha 0.1',
            'L_NCE and L_Cos, stride 8': f'pixcon_{FASTER_LITE0}, L_NCE and L_Cos',
        },
    ),
    Setting(
        'the same, all labels',
        'BCCD',
        f'{FASTER_LITE0}, another machine',
        {
            'L_Cos, stride 8': f'pixcon_{FASTER_LITE0}, another machine',
            'L_NCE, stride 8': f'pixcon_{FASTER_LITE0}, L_NCE, another machine',
        },
    ),
    Setting(
        'two-stage Deformable DETR Lite0, ImageNet, BCCD, 10 %',
        'BCCD at 160 pixels, 10 %',
        f'{DETR_LITE0}, 312 steps',
        {
            'L_Cos, coarsest': f'pixcon_{DETR_LITE0}, 312 steps',
            'L_Cos, coarsest, predictor': f'pixcon_{DETR_LITE0}, predictor, 312 steps',
            'L_Cos, stride 16': f'pixcon_{DETR_LITE0}, stride 16, 312 steps',
            'L_Cos, coarsest, beta 0.1': f'pixcon_{DETR_LITE0}, beta 0.1, 312 steps',
            'L_NCE, coarsest': f'pixcon_{DETR_LITE0}, L_NCE, 312 steps',
            'L_NCE, stride 16': f'pixcon_{DETR_LITE0}, L_NCE at stride 16, 312 steps',
            'L_NCE and L_Cos, coarsest': f'pixcon_{DETR_LITE0}, L_NCE and L_Cos, 312 steps',
        },
    ),
    Setting(
        'the same, all labels',
        'BCCD at 160 pixels',
        f'{DETR_LITE0}, 312 steps',
        {
            'L_Cos, coarsest': f'pixcon_{DETR_LITE0}, 312 steps',
            'L_NCE, coarsest': f'pixcon_{DETR_LITE0}, L_NCE, 312 steps',
        },
    ),
    Setting(
        'the same in one stage, 10 %',
        'BCCD at 160 pixels, 10 %',
        f'{DETR_LITE0}, one stage, 312 steps',
        {
            'L_Cos, coarsest': f'pixcon_{DETR_LITE0}, one stage, 312 steps',
            'L_NCE, coarsest': f'pixcon_{DETR_LITE0}, L_NCE, one stage, 312 steps',
        },
    ),
)
PANELS = {'pretraining before the detector': PRETRAINING, 'PixCon beside the detector': PIXCON}


def value_of(models: Mapping[str, Numbers], model: str, dataset: str) -> tuple[float, float, int]:
    """Read the mean AP of a model and its deviation over seeds, in percent, and their number."""
    numbers = models[model]
    mean, deviation, seeds = (
        numbers['ours', dataset, key] for key in ('box AP', 'box AP deviation', 'box AP seeds')
    )
    return mean, deviation, int(seeds)


def draw_gains(models: Mapping[str, Numbers]) -> Figure:
    """Draw the gain of each method in each setting, and two deviations of it.

    Args:
        models (Mapping[str, Numbers]): numbers of the metafiles.

    Returns:
        Figure: a panel for pretraining and one for PixCon; rows of a setting below its title.
    """
    height = max(sum(1 + len(s.methods) for s in settings) for settings in PANELS.values())
    figure = Figure(figsize=(6.5 * len(PANELS), 0.25 * height + 1.2), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(PANELS), sharex=True, squeeze=False)[0]
    for axes, (title, settings) in zip(panels, PANELS.items(), strict=True):
        draw_settings(axes, settings, models)
        axes.set_title(title)
        axes.set_ylim(height - 0.5, -0.5)
        axes.set_xlabel('gain in AP, with two deviations')
    lines = [Line2D([], [], marker='o', color=color) for color in COLORS.values()]
    figure.legend(lines, [*COLORS], loc='outside lower center', ncols=len(lines))
    return figure


def draw_settings(axes: Axes, settings: Sequence[Setting], models: Mapping[str, Numbers]) -> None:
    """Draw the gains of some settings, below each other.

    Args:
        axes (Axes): axes to draw on.
        settings (Sequence[Setting]): settings, each with its title over its rows.
        models (Mapping[str, Numbers]): numbers of the metafiles.
    """
    labels: dict[int, str] = {}
    place = 0
    for setting in settings:
        base, base_deviation, base_seeds = value_of(models, setting.base, setting.dataset)
        # Over the points, where there is more room than beside them.
        title = axes.text(0.02, place, setting.title, transform=axes.get_yaxis_transform())
        title.set(weight='bold', va='center', fontsize=9, in_layout=False)
        for name, model in setting.methods.items():
            place += 1
            mean, deviation, seeds = value_of(models, model, setting.dataset)
            gain = mean - base
            error = COUNTS * math.sqrt(base_deviation**2 / base_seeds + deviation**2 / seeds)
            kind = 'no difference' if abs(gain) <= error else 'gain' if gain > 0 else 'loss'
            axes.errorbar(gain, place, xerr=error, fmt='o', color=COLORS[kind], capsize=3)
            labels[place] = name
        place += 1
    axes.axvline(0, color='black', linewidth=0.8, zorder=0)
    axes.set_yticks([*labels], [*labels.values()])
    axes.grid(axis='x', alpha=0.3)


def draw_backbones(models: Mapping[str, Numbers]) -> Figure:
    """Draw the AP on BCCD after each pretraining of a backbone, with one deviation.

    Args:
        models (Mapping[str, Numbers]): numbers of the metafiles.

    Returns:
        Figure: two bars a method.
    """
    starts = {'random weights': RANDOM, **BACKBONES}
    figure = Figure(figsize=(7.5, 4), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = np.arange(len(starts))
    shares = (('BCCD, 10 %', '20 labeled photos', -0.2), ('BCCD', '205 labeled photos', 0.2))
    for (dataset, label, shift), color in zip(shares, ('lightsteelblue', 'steelblue'), strict=True):
        values = [value_of(models, model, dataset) for model in starts.values()]
        means, deviations, _ = zip(*values, strict=True)
        axes.barh(places + shift, means, 0.38, xerr=deviations, capsize=3, color=color, label=label)
    axes.set_yticks(places, list(starts))
    axes.invert_yaxis()
    figure.legend(loc='outside upper center', ncols=2)
    axes.set_xlabel('AP on 87 photos, mean and deviation of 3 seeds')
    return figure


def main() -> None:
    """Draw both charts."""
    models = read_numbers(ROOT / 'configs')
    for name, draw in (('gains', draw_gains), ('pretraining_bccd', draw_backbones)):
        path = ROOT / 'docs' / f'{name}.png'
        draw(models).savefig(path, dpi=120)
        print(path.relative_to(ROOT))


if __name__ == '__main__':
    main()

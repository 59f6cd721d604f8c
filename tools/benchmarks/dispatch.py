r"""Operators that a training step dispatches, and its waits for the device, beside its floor's.

    python tools/benchmarks/dispatch.py
    python tools/benchmarks/dispatch.py --methods 'PLRC' 'UP-DETR' --top 15

On a GPU each operator is a kernel or several and each wait leaves the card idle, whatever the
sizes; both can be counted on any machine. Two hundred operators are about a millisecond.

A step is the losses, their gradients and the update of the momentum encoder; the optimizer is
left out. Floors are those of ``pixel_contrast.py`` and ``pretext_step.py``: the same images
through the same layers, forward and backward, and nothing else. For PixCon that is the stock
detector with its own losses and a forward of backbone and neck on the other view.
"""

from __future__ import annotations

import argparse
import copy
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import mmpixcon  # noqa: F401  (registers)
from counting import Work, counted, describe
from mmpixcon.models.detectors import PixelContrastDetector
from mmpixcon.models.pretext.momentum_contrast import MomentumContrast
from mmpixcon.models.pretext.region_pretext import RegionPretext
from mmpixcon.registry import MODELS
from mmpixcon.utils.tables import format_table
from pixel_contrast import build_step_data
from step_floors import Step, contrast_step, region_step

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PIXCON = 'deformable-detr_{}'
PLRC = 'plrc/plrc_{}'


def _plrc(strategy: int) -> dict:
    return {'model.affinity_loss': dict(type='mmpixcon.PointAffinityLoss', strategy=strategy)}


#: Config of each method, with ``{}`` for the size, and what is changed in it.
METHODS: dict[str, tuple[str, dict]] = {
    'PixCon, coarsest level': (f'pixcon/pixcon_{PIXCON}', {}),
    'PixCon, all levels': (f'pixcon/ablations/pixcon-all-level_{PIXCON}', {}),
    'PixCon, all levels, both losses': (
        f'pixcon/ablations/pixcon-all-level_{PIXCON}',
        {'model.alpha': 1.0},
    ),
    'MoCo v2': ('moco/mocov2_{}', {}),
    'DetCo': ('detco/detco_{}', {}),
    'PLRC': (PLRC, {}),
    'PLRC, strategy 2': (PLRC, _plrc(2)),
    'PLRC, strategy 3': (PLRC, _plrc(3)),
    'Barlow Twins': ('barlow_twins/barlowtwins_{}', {}),
    'VICReg': ('vicreg/vicreg_{}', {}),
    'Siamese DETR': ('siamese_detr/siamese-detr_conditional-detr{}', {}),
    'UP-DETR': ('updetr/updetr_conditional-detr{}', {}),
    'DETReg': ('detreg/detreg_conditional-detr{}', {}),
}
_PIXCON_SIZES = dict(small='r18_1xb8-12e_scenes', full='r50_4xb3-50e_coco')
_REGION_SIZES = dict(small='_r18_1xb8-50e_scenes', full='-100q_r50_32xb8-60e_imagenet')
SIZES = dict(
    pixcon=_PIXCON_SIZES,
    moco=dict(small='r18_1xb32-100e_scenes', full='r50_8xb32-200e_imagenet'),
    detco=dict(small='r18_1xb32-100e_scenes', full='r50_8xb32-200e_imagenet'),
    plrc=dict(small='r18_1xb32-100e_scenes', full='r50_8xb32-200e_imagenet'),
    barlow_twins=dict(small='r18_1xb32-100e_scenes', full='r50_8xb256-150e_imagenet'),
    vicreg=dict(small='r18_1xb32-100e_scenes', full='r50_8xb256-100e_imagenet'),
    siamese_detr=_REGION_SIZES,
    updetr=_REGION_SIZES,
    detreg=_REGION_SIZES,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--methods', nargs='+', choices=list(METHODS), default=list(METHODS))
    parser.add_argument('--size', choices=['small', 'full'], default='full', help='of the configs')
    parser.add_argument('--batch', type=int, default=8, help='images, pictures')
    parser.add_argument('--pixels', type=int, default=64, help='side of an image')
    parser.add_argument('--top', type=int, default=0, help='list the most frequent operators')
    return parser.parse_args()


def config_of(method: str, size: str) -> Config:
    """The config of a method, 'small' or 'full'."""
    path, changes = METHODS[method]
    folder = path.split('/')[0]
    cfg = Config.fromfile(CONFIGS / f'{path.format(SIZES[folder][size])}.py')
    cfg.merge_from_dict(changes)
    return cfg


def build(cfg: Config, device: str) -> nn.Module:
    """The model of a config, in training mode, all of its losses on."""
    if 'detector' in cfg.model:
        cfg.model.detector.backbone.init_cfg = None
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    model.init_weights()
    if hasattr(model, 'warmup_epochs'):
        model.set_epoch(model.warmup_epochs)
    return model.to(device).train()


def step_of(
    cfg: Config, batch: int, size: tuple[int, int], patch: int, device: str = 'cpu'
) -> Step:
    """A method's step and floor.

    Args:
        cfg (Config): of the method.
        batch (int): images; of detection pretexts, pictures.
        size (tuple[int, int]): width and height of an image; but for PixCon a square.
        patch (int): pixels of a patch, of a crop.
        device (str): where it runs. Defaults to 'cpu'.
    """
    model = build(cfg, device)
    if isinstance(model, PixelContrastDetector):
        return pixcon_step(model, batch, size, device)
    if isinstance(model, RegionPretext):
        return region_step(model, model, batch, size[0], patch)
    step = contrast_step(model, model, batch, size[0], patch)
    if isinstance(model, MomentumContrast):
        return Step(model, _with_update(model, step.step), step.floor)
    return step


def _with_update(model: nn.Module, step: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A step, and the update of the momentum encoder."""

    def run() -> Tensor:
        model.momentum_encoder.update(**model.online_encoder)
        return step()

    return run


def pixcon_step(model: nn.Module, batch: int, size: tuple[int, int], device: str) -> Step:
    """PixCon: losses on two views, beside the stock detector and a forward of the other view."""
    stock = MODELS.build(copy.deepcopy(model.detector_cfg)).to(device).train()
    stock.load_state_dict(model.detector.state_dict())
    args = argparse.Namespace(size=size, batch=batch)
    data = build_step_data(args, model.data_preprocessor)
    inputs, samples = data['inputs'], data['data_samples']

    def floor() -> Tensor:
        with torch.no_grad():
            stock.extract_feat(inputs['momentum'])
        return stock.parse_losses(stock.loss(inputs['detection'], samples['detection']))[0]

    def step() -> Tensor:
        return model.parse_losses(model.loss(inputs, samples))[0]

    return Step(model, _with_update(model, step), floor, stock)


def count(run: Callable[[], Tensor]) -> Work:
    """Count a forward and a backward pass; the second of two, when nothing is new any more."""
    run().backward()
    with counted() as work:
        run().backward()
    return work


def main() -> None:
    """Count and print."""
    args = parse_args()
    logging.disable(logging.INFO)
    rows, details = [], []
    for method in args.methods:
        print(f'{method} ...'.ljust(40), end='\r', flush=True)
        # Two-stage detectors choose among more cells than small images have.
        side = args.pixels * (2 if method.startswith('PixCon') else 1)
        cfg = config_of(method, args.size)
        measured = step_of(cfg, args.batch, (side, side), args.pixels // 2)
        step, floor = count(measured.step), count(measured.floor)
        totals = step.operators.total(), floor.operators.total()
        waits = step.waits.total(), floor.waits.total()
        rows.append([method, *totals, f'{totals[0] / totals[1]:.2f}', *waits, waits[0] - waits[1]])
        details.append(f'{method}: waits for {describe(step.waits - floor.waits)}')
        if args.top:
            top = (step.operators - floor.operators).most_common(args.top)
            details.append('  ' + ', '.join(f'{n} {name}' for name, n in top))
    header = ['step', 'operators', 'of the floor', 'ratio', 'waits', 'of the floor', 'more']
    print(f'torch {torch.__version__}, {args.size} configs, batch {args.batch}'.ljust(40))
    print(format_table(header, rows))
    print('\n'.join(details))


if __name__ == '__main__':
    main()

"""The checkout and its configs."""

from __future__ import annotations

import re
from pathlib import Path

from mmengine.config import Config

import mmpixcon  # noqa: F401  (registers)

ROOT = Path(__file__).resolve().parents[2]


CONFIGS = ROOT / 'configs'


def method_of(path: Path) -> str:
    """The folder of a config's method, also of its ablations."""
    return path.relative_to(CONFIGS).parts[0]


def backbone_name(backbone: dict) -> str:
    """What names of configs say of a backbone: r50, lite0."""
    return f'r{backbone["depth"]}' if 'depth' in backbone else backbone['arch']


def shipped_config(name: str, data_root: Path, work_dir: Path, **options: object) -> Config:
    """A shipped config, pointed at data, without worker processes.

    Args:
        name (str): Path below ``configs``.
        data_root (Path): Where its data lies.
        work_dir (Path): Where its output goes.
        **options: Dotted keys, written with ``__`` for the dot.

    Returns:
        Config: The config.
    """
    cfg = Config.fromfile(CONFIGS / name)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        if split != 'train':
            evaluator = cfg[f'{split}_evaluator']
            evaluator.ann_file = evaluator.ann_file.replace(
                loader.dataset.data_root, f'{data_root}/', 1
            )
        loader.dataset.data_root = str(data_root)
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.logger.interval = 1
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    return cfg


PRETEXTS = ('barlow_twins', 'baselines', 'detco', 'moco', 'plrc', 'vicreg')


PRETRAIN = sorted(p for folder in PRETEXTS for p in (CONFIGS / folder).rglob('*.py'))


# Of detection transformers: see test_region_configs.py.
REGION_PRETEXTS = ('detreg', 'siamese_detr', 'updetr')


METHODS = sorted(
    p
    for p in CONFIGS.rglob('*.py')
    if not {'_base_', 'finetune', 'recipes', *REGION_PRETEXTS} & {*p.parts} and p not in PRETRAIN
)


CITYSCAPES = CONFIGS / 'finetune' / 'fcn-d6_r50-d16_8xb2-90k_cityscapes.py'


FINETUNE = sorted(p for p in CONFIGS.glob('finetune/*.py') if p != CITYSCAPES)


# Whole detectors from a checkpoint: see test_finetune_detr.py.
DETRS = [p for p in FINETUNE if re.search(r'detr.*(_8xb4-|-pretrained_)', p.stem)]

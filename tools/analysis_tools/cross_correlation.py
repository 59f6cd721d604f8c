"""Draws the cross-correlation of a pretraining method's embeddings of two views.

    python tools/analysis_tools/cross_correlation.py CONFIG.py CHECKPOINT.pth --images 64

Images pass the pipeline of the config, as in training. The tool prints the mean of the diagonal (1:
the views agree), the root mean square of the rest (0: no dimension repeats another), the effective
rank of the embedding and the deviation of its dimensions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from torch.utils.data import DataLoader, Subset

import mmpixcon  # noqa: F401  (registers everything, before a config is read)
from mmpixcon.apis.runner import check_checkpoint
from mmpixcon.datasets.data_files import check_data_files, set_data_root
from mmpixcon.engine.checkpoint.load_report import check_all_loaded
from mmpixcon.evaluation.embeddings import (
    correlation_statistics,
    cross_correlation,
    draw_matrix,
    effective_rank,
)
from mmpixcon.registry import DATASETS, MODELS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='of a method with a backbone and a neck')
    parser.add_argument('checkpoint')
    parser.add_argument('--data-root', help="folder of the data, in place of the config's")
    parser.add_argument('--images', type=int, default=64)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/cross_correlation.png'))
    parser.add_argument('--seed', type=int, default=0, help='of the views')
    return parser.parse_args()


@torch.no_grad()
def main() -> None:
    """Measure and draw."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.data_root:
        set_data_root(cfg, args.data_root)
    check_data_files(cfg, ('train',))
    check_checkpoint(args.checkpoint, 'checkpoint')
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    model = MODELS.build(cfg.model)
    checkpoint = load_checkpoint(model, args.checkpoint, map_location='cpu')
    check_all_loaded(model, checkpoint.get('state_dict', checkpoint), args.checkpoint)
    # Statistics of training, not those of these few images.
    model.eval()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    chosen = Subset(dataset, range(min(args.images, len(dataset))))
    views: list[list[torch.Tensor]] = [[], []]
    for data in DataLoader(chosen, batch_size=16, collate_fn=default_collate):
        inputs = model.data_preprocessor(data)[0]
        for embeddings, view in zip(views, inputs):
            embeddings.append(model.neck(model.backbone(view))[0])
    first, second = (torch.cat(embeddings).float() for embeddings in views)
    matrix = cross_correlation(first, second)
    deviation = first.std(0, correction=0)
    numbers = correlation_statistics(matrix) | dict(
        effective_rank=effective_rank(first).item(),
        dimension_std_min=deviation.min().item(),
        dimension_std_mean=deviation.mean().item(),
    )
    for name, value in numbers.items():
        print(f'{name}: {value:.4f}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    mmcv.imwrite(draw_matrix(matrix.numpy())[..., ::-1], str(args.out))
    print(args.out)


if __name__ == '__main__':
    main()

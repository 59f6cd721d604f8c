"""Two processes with gloo equal one process on the same global batch."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.dataset import pseudo_collate
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import shipped_config
from tests.helpers.processes import in_two_processes

pytestmark = pytest.mark.slow
NAMES = [
    'pixcon/pixcon_deformable-detr_r18_1xb8-12e_scenes.py',
    'pixcon/pixcon_detr_r18_1xb8-12e_scenes.py',
    'pixcon/pixcon_dn-detr_r18_1xb8-12e_scenes.py',
]


def build(name: str, root: Path, work_dir: Path):
    """A model and the samples of a global batch of four, alike in every process."""
    init_default_scope('mmdet')
    # Batch statistics of half a batch are not those of the whole: fixed ones.
    cfg = shipped_config(name, root, work_dir, model__detector__backbone__norm_eval=True)
    cfg.model.alpha = 0.5
    # Stock DETR normalizes its class loss by each process' own count.
    cfg.model.detector.bbox_head.sync_cls_avg_factor = True
    if 'dn-' in name:
        # Each process draws its own noise.
        cfg.model.detector.dn_cfg.update(label_noise=0.0, box_noise=0.0)
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg.model)).train()
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return model, [dataset[i] for i in range(4)]


def step(model, samples):
    """One step of plain SGD, which moves the momentum encoder: the losses and the weights."""
    inner = getattr(model, 'module', model)
    optimizer = torch.optim.SGD([p for p in inner.parameters() if p.requires_grad], lr=0.01)
    logs = model.train_step(pseudo_collate(samples), OptimWrapper(optimizer))
    losses = {k: v.item() for k, v in logs.items() if 'loss' in k}
    return losses, {k: v.clone() for k, v in inner.state_dict().items()}


def worker(rank: int, port: int, name: str, root: Path, work_dir: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    model, samples = build(name, root, work_dir)
    # Half of the global batch; no unused parameters are searched for.
    half = samples[2 * rank : 2 * rank + 2]
    losses, weights = step(MMDistributedDataParallel(model), half)
    torch.save((losses, weights), work_dir / f'rank{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.parametrize('name', NAMES)
def test_losses_gradients_and_average_equal_those_of_one_process(name, scenes_root, tmp_path):
    in_two_processes(worker, name, scenes_root, tmp_path)
    ranks = [torch.load(tmp_path / f'rank{r}.pth', weights_only=True) for r in range(2)]
    model, samples = build(name, scenes_root, tmp_path)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    losses, weights = step(model, samples)
    for key, value in losses.items():
        mean = (ranks[0][0][key] + ranks[1][0][key]) / 2
        assert mean == pytest.approx(value, rel=1e-4, abs=1e-5), key
    moved = 0
    for key, value in weights.items():
        assert torch.equal(ranks[0][1][key], ranks[1][1][key]), key
        torch.testing.assert_close(ranks[0][1][key], value, atol=2e-5, rtol=1e-4, msg=key)
        moved += not torch.equal(before[key], value)
    assert moved > 50

"""Beside the community's fork of OpenMMLab's packages: onedl-mmengine, -mmcv and -mmdetection."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

import mmpixcon_ops
from tests.helpers.environments import ROOT, Environment

pytestmark = [pytest.mark.install, pytest.mark.slow]

FORK = ('onedl-mmengine==0.10.12', 'onedl-mmdetection==3.5.1')
# Its wheels are built for some versions of torch, not for the newest; from source it compiles
# nothing where there is no torch.
FORKS_MMCV = 'onedl-mmcv==2.3.6'
DISTRIBUTIONS = """
from importlib.metadata import distributions
names = {item.metadata['Name'].lower().replace('_', '-') for item in distributions()}
print(*sorted(n for n in names if n.removeprefix('onedl-').split('-')[0].startswith('mm')))
"""
ENDLESS = (
    *('-m', 'mim', 'train', 'mmpixcon', 'faster-rcnn_r18_fpn_1xb4-200i_scenes.py'),
    *('--cfg-options', 'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0'),
    *('train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0'),
    *(
        'val_dataloader.persistent_workers=False',
        'default_hooks.checkpoint.interval=2',
        'model.backbone.init_cfg=None',
        'randomness.seed=0',
    ),
)


class Touch:
    """An object that runs code when a file with it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_train_and_resume(tmp_path: Path, scenes_root: Path) -> None:
    env = Environment(tmp_path, without=('mmcv', 'mmengine', 'mmdet'))
    env.run('-m', 'pip', 'install', *FORK)
    no_torch = tmp_path / 'no_torch'
    no_torch.mkdir()
    (no_torch / 'torch.py').write_text("raise ModuleNotFoundError('not while it is built')\n")
    env.run('-m', 'pip', 'install', '--no-build-isolation', '--no-deps', '--no-binary=onedl-mmcv',
            '--no-cache-dir', FORKS_MMCV, PYTHONPATH=str(no_torch))  # fmt: skip
    env.run('-m', 'pip', 'install', ROOT)
    # pip brought none of the originals, whose files would overwrite the fork's.
    assert env.run('-c', DISTRIBUTIONS).split() == [
        *('mmcls', 'mmpixcon', 'mmselfsup', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmengine'),
    ]  # fmt: skip
    printed = env.run('-W', 'error::UserWarning:mmpixcon', '-c', 'import mmpixcon')
    assert 'mmpixcon' not in printed

    # PixCon, interrupted after one of two epochs and resumed.
    config = 'pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
    arguments = (
        *('-m', 'mim', 'train', 'mmpixcon', config, '--data-root', scenes_root),
        *('--work-dir', 'pixcon', '--cfg-options', 'train_dataloader.num_workers=0'),
        *('train_dataloader.persistent_workers=False', 'train_cfg.val_interval=9'),
    )
    env.run(*arguments, 'train_cfg.max_epochs=1')
    log = env.run(*arguments, 'train_cfg.max_epochs=2', 'resume=True')
    assert 'resumed epoch: 1, iter: 2' in log
    assert log.count(mmpixcon_ops.describe_operators()) == 1
    checkpoint = torch.load(env.work / 'pixcon' / 'epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == 4

    # By iterations, in one go and in two: bit for bit the same.
    data = ('--data-root', scenes_root, '--work-dir')
    env.run(*ENDLESS[:5], *data, 'whole', *ENDLESS[5:], 'train_cfg.max_iters=4')
    env.run(*ENDLESS[:5], *data, 'parts', *ENDLESS[5:], 'train_cfg.max_iters=2')
    log = env.run(
        *ENDLESS[:5], *data, 'parts', *ENDLESS[5:], 'train_cfg.max_iters=4', 'resume=True'
    )
    assert 'resumed epoch: 0, iter: 2' in log
    whole, parts = (
        torch.load(env.work / run / 'iter_4.pth', weights_only=True) for run in ('whole', 'parts')
    )
    assert whole['meta']['iter'] == parts['meta']['iter'] == 4
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, parts['state_dict'][name]), name

    # A file that would run code is refused, by mmengine's own loader too.
    path, mark = tmp_path / 'hostile.pth', tmp_path / 'executed'
    torch.save({'state_dict': {}, 'meta': Touch(mark)}, path, pickle_module=pickle)
    with pytest.raises(AssertionError, match='is not loaded: it holds Python objects'):
        env.run(*arguments[:-4], '--resume', path)
    assert not mark.exists()

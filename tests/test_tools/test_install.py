"""The package as users install it: a wheel and a checkout, with an old and a new pip.

Each case gets a virtual environment of its own, which borrows the packages of
the one that runs the tests and installs only pip, setuptools and mmpixcon.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

import mmpixcon_ops
from tests.helpers.commands import example_of
from tests.helpers.environments import ROOT, Environment

HERE = Path(__file__).parent
# mmdet alone: nothing here imports mmpixcon.
STOCK_OPERATORS = """
import sys, torch, mmdet.models
from mmcv.ops import batched_nms
boxes = torch.tensor([[0., 0, 8, 8], [0, 0, 8, 7], [20, 20, 30, 30]])
dets, kept = batched_nms(
    boxes, torch.tensor([.9, .8, .7]), torch.zeros(3), dict(type='nms', iou_threshold=.5)
)
assert not any(name.split('.')[0] == 'mmpixcon' for name in sys.modules)
print(kept.tolist())
"""

pytestmark = [pytest.mark.install, pytest.mark.slow]


@pytest.mark.parametrize('pip', ['pip==23.2', 'pip>=25.3'])
@pytest.mark.parametrize('editable', [False, True], ids=['wheel', 'editable'])
def test_install_train_uninstall(
    tmp_path: Path, scenes_root: Path, editable: bool, pip: str
) -> None:
    env = Environment(tmp_path, pip)
    before = env.content()
    tree = _status()
    env.run('-m', 'pip', 'install', *(['-e'] if editable else []), ROOT)
    assert _status() == tree
    where = env.run('-c', 'import mmpixcon; print(mmpixcon.__file__)').splitlines()[-1]
    assert Path(where).parent == (ROOT if editable else env.site) / 'mmpixcon'
    assert env.run('-c', STOCK_OPERATORS).splitlines()[-1] == '[0, 2]'

    # A shipped config, found by its name, interrupted after one of two epochs and resumed.
    config = 'pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
    arguments = (
        *('-m', 'mim', 'train', 'mmpixcon', config),
        *('--data-root', scenes_root, '--work-dir', 'shipped', '--cfg-options'),
        *('train_dataloader.batch_size=8', 'train_dataloader.num_workers=0'),
        *('train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0'),
        *('val_dataloader.persistent_workers=False', 'train_cfg.val_interval=9'),
    )
    env.run(*arguments, 'train_cfg.max_epochs=1')
    checkpoint = env.work / 'shipped' / 'epoch_1.pth'
    assert torch.load(checkpoint, weights_only=True)['meta']['iter'] == 2
    log = env.run(*arguments, 'train_cfg.max_epochs=2', 'resume=True')
    assert 'resumed epoch: 1, iter: 2' in log
    checkpoint = env.work / 'shipped' / 'epoch_2.pth'
    assert torch.load(checkpoint, weights_only=True)['meta']['iter'] == 4
    assert log.count(mmpixcon_ops.describe_operators()) == 1

    if not editable:
        # The command, in a folder with nothing of the checkout.
        printed = env.run('-m', 'mmpixcon', 'check', ROOT / 'examples' / 'bccd', '--json')
        assert '"images": 205' in printed
        photo = ROOT / 'examples' / 'bccd' / 'images' / 'BloodImage_00000.jpg'
        printed = env.run('-m', 'mmpixcon', 'detect', checkpoint, photo, '--threshold', 0)
        assert 'detections of at least 0 in 1 images' in printed
        assert (env.work / 'work_dirs' / 'detect' / 'pictures' / f'{photo.stem}.jpg').is_file()
    if not editable and pip == 'pip==23.2':
        # Minutes: once is enough.
        data = ('--train', ROOT / 'examples' / 'bccd', '--detector', 'faster-rcnn_r18')
        small = ('--scale', '96x96', '--device', 'cpu')
        printed = env.run(
            *('-m', 'mmpixcon', 'fit', *data, *small, '--method', 'vicreg', '--percent', 10),
            *('--iterations', 4, '--pretraining-steps', 6, '--workers', 0),
        )
        assert '# Results on 87 validation photos' in printed
        best = env.work / 'work_dirs' / 'fit' / 'best.pth'
        env.run('-m', 'mmpixcon', 'detect', best, photo, '--out', 'found', '--threshold', 0)
        assert (env.work / 'found' / 'detections.json').is_file()
        printed = env.run(
            *('-m', 'mmpixcon', *example_of('compare'), *data, *small),
            *('--percents', 10, '--seeds', 1, '--budget', '150s'),
        )
        assert 'One seed has no deviation' in printed
        assert 'Best choice: none' in printed

    # The checkpoint under the stock config, by mmdet without mmpixcon.
    stock = ROOT / 'configs' / 'stock' / 'faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
    log = env.run(
        *('-m', 'mim', 'test', 'mmdet', stock, '--checkpoint', checkpoint, '--cfg-options'),
        *(f'test_dataloader.dataset.data_root={scenes_root}', 'test_dataloader.num_workers=0'),
        f'test_evaluator.ann_file={scenes_root}/annotations/val.json',
        'test_dataloader.persistent_workers=False',
    )
    assert 'coco/bbox_mAP' in log

    # The user's own config, on `_base_ = 'mmpixcon::...'`.
    for name in ('tiny_config.py', 'tiny_parts.py'):
        (env.work / name).write_text((HERE / name).read_text())
    (env.site / 'work.pth').write_text(f'{env.work}\n')
    env.run('-m', 'mim', 'train', 'mmpixcon', 'tiny_config.py', '--work-dir', 'own')
    assert (env.work / 'own/iter_4.pth').is_file()
    (env.site / 'work.pth').unlink()

    assert 'Version: 0.' in env.run('-m', 'pip', 'show', 'mmpixcon')
    env.run('-m', 'pip', 'uninstall', '--yes', 'mmpixcon')
    assert env.content() == before
    assert env.run('-c', 'import sys; print(sys.meta_path)').count('OperatorFinder') == 0


def _status() -> str:
    """What git sees in the checkout besides its commits."""
    return subprocess.run(
        ['git', 'status', '--short', '--untracked-files=all'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

"""The options for averaged weights and early stopping, on a detector with PixCon beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint

from mmpixcon.apis.config import average_weights, stop_at_plateau
from mmpixcon.apis.runner import build_runner
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool
from tests.helpers.runs import quick

pytestmark = pytest.mark.slow

PIXCON = 'pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py'
STOCK = 'stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def averaged(root: Path, work_dir: Path, **options: object) -> Runner:
    """Two epochs of two steps, an evaluation after each."""
    cfg = quick(PIXCON, root, work_dir, train_cfg__val_interval=1, **options)
    average_weights(cfg)
    stop_at_plateau(cfg, 5)
    return build_runner(cfg)


@pytest.fixture(scope='module')
def trained(scenes_root, tmp_path_factory):
    """A finished run."""
    runner = averaged(scenes_root, tmp_path_factory.mktemp('average'))
    runner.train()
    return runner


def test_the_average_is_what_is_saved_under_the_detectors_names(trained):
    saved = torch.load(Path(trained.work_dir, 'epoch_2.pth'), weights_only=True)
    hook = next(hook for hook in trained.hooks if type(hook).__name__ == 'EMAHook')
    average = hook.ema_model.module.state_dict()
    assert saved['state_dict'].keys() == average.keys()
    online = trained.model.state_dict()
    name = 'rpn_head.rpn_cls.weight'
    assert torch.equal(saved['state_dict'][name], average[name])
    assert not torch.equal(average[name], online[name])
    assert torch.equal(saved['ema_state_dict'][f'module.{name}'], online[name])
    # A stock detector takes it as it is.
    stock = MODELS.build(Config.fromfile(CONFIGS / STOCK).model)
    load_checkpoint(stock, f'{trained.work_dir}/epoch_2.pth', map_location='cpu')
    for key, value in stock.state_dict().items():
        assert torch.equal(value, average[key]), key


def test_resumed_both_states_are_those_of_an_uninterrupted_run(trained, scenes_root, tmp_path):
    options = dict(resume=True, load_from=f'{trained.work_dir}/epoch_1.pth')
    resumed = averaged(scenes_root, tmp_path, **options)
    resumed.train()
    ends = [torch.load(f'{r.work_dir}/epoch_2.pth', weights_only=True) for r in (trained, resumed)]
    for section in ('state_dict', 'ema_state_dict'):
        assert ends[0][section].keys() == ends[1][section].keys()
        for name, value in ends[0][section].items():
            assert torch.equal(value, ends[1][section][name]), (section, name)
    infos = [end['message_hub']['runtime_info'] for end in ends]
    for name in ('plateau_evaluations', 'best_score', 'evaluated_iter'):
        assert infos[0].get(name) == infos[1].get(name), name


def test_one_option_of_the_training_tool_each(scenes_root, tmp_path):
    status, _, error = run_tool(
        *(ROOT / 'tools/train.py', CONFIGS / STOCK, '--work-dir', tmp_path, '--ema'),
        *('--early-stopping', 1, '--data-root', scenes_root, '--cfg-options'),
        *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
        *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
        *('train_dataloader.dataset.indices=2', 'train_dataloader.batch_size=1'),
        *('val_dataloader.dataset.indices=2', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1'),
    )
    assert status == 0, error
    (best,) = tmp_path.glob('best_*.pth')
    assert best.name == 'best_coco_bbox_mAP_epoch_1.pth'
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert saved['ema_state_dict']['steps'] == 2
    cfg = Config.fromfile(next(tmp_path.glob('faster-rcnn*.py')))
    hooks = {hook.type: hook for hook in cfg.custom_hooks}
    assert hooks['mmpixcon.PlateauStoppingHook'].patience == 1
    assert hooks['mmpixcon.PlateauStoppingHook'].monitor == 'auto'


def test_a_run_without_evaluation_has_no_plateau():
    cfg = Config.fromfile(CONFIGS / 'vicreg/vicreg_r18_1xb32-100e_scenes.py')
    with pytest.raises(ValueError, match='--early-stopping needs an evaluation'):
        stop_at_plateau(cfg, 5)

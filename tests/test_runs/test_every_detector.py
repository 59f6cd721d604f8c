"""PixCon on every detector, by config only: a few steps, and back into the stock one."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.runner import Runner

from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS
from tests.helpers.runs import quick, scalars

pytestmark = pytest.mark.slow

SMALL = sorted(path.name for path in (CONFIGS / 'pixcon').glob('*_scenes.py'))
EXPECTED = {
    'conditional-detr_r18': 'ConditionalDETR',
    'dab-detr_r18': 'DABDETR',
    'deformable-detr-multi-scale_r18': 'DeformableDETR',
    'deformable-detr-single-scale_r18': 'DeformableDETR',
    'deformable-detr_r18': 'DeformableDETR',
    'detr_r18': 'DETR',
    'dino_r18': 'DINO',
    'dn-deformable-detr_r18': 'DNDeformableDETR',
    'dn-deformable-encoder_r18': 'DNDeformableEncoderDETR',
    'dn-detr_r18': 'DNDETR',
    'faster-rcnn_r18_fpn': 'FasterRCNN',
    'mask-rcnn_r18_fpn': 'MaskRCNN',
    'retinanet_r18_fpn': 'RetinaNet',
}


def test_the_list_is_whole():
    plain = {name.split('_1xb8')[0] for name in SMALL if name.startswith('pixcon_')}
    assert plain == {f'pixcon_{detector}' for detector in EXPECTED}


@pytest.mark.parametrize('name', SMALL)
def test_train_and_load_into_the_stock_detector(name, scenes_root, tmp_path):
    cfg = quick(
        f'pixcon/{name}',
        scenes_root,
        tmp_path,
        train_cfg__max_epochs=1,
        train_cfg__val_interval=5,
        val_dataloader__dataset__indices=2,
    )
    # A warm-up's first weight is 0, and with it the first loss.
    cfg.custom_hooks[0].pop('beta', None)
    runner = Runner.from_cfg(copy.deepcopy(cfg))
    runner.train()
    model = runner.model
    detector = name.split('_', 1)[1].split('_1xb8')[0]
    assert type(model.detector).__name__ == EXPECTED[detector]
    term = 'loss_pixel_nce' if '-nce_' in name else 'loss_pixel_cos'
    values = scalars(runner, f'train/{term}')
    assert len(values) == 2 and all(value != 0 for value in values)
    assert len(cfg.model.levels) == {'pixcon-two-level': 2, 'pixcon-all-level': 3}.get(
        name.split('_')[0], 1
    )

    stock_cfg = copy.deepcopy(cfg.model.detector)
    stock = MODELS.build(stock_cfg).eval()
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    missing, unexpected = stock.load_state_dict(saved, strict=False)
    assert missing == []
    assert unexpected and all(key.startswith('pixcon.') for key in unexpected)
    for key, value in stock.state_dict().items():
        assert torch.equal(value, model.detector.state_dict()[key]), key
    model.eval()
    data = next(iter(runner.val_dataloader))
    with torch.no_grad():
        ours = model.val_step(copy.deepcopy(data))
        theirs = stock.val_step(copy.deepcopy(data))
    for a, b in zip(ours, theirs):
        assert torch.equal(a.pred_instances.bboxes, b.pred_instances.bboxes)
        assert torch.equal(a.pred_instances.scores, b.pred_instances.scores)
        assert torch.equal(a.pred_instances.labels, b.pred_instances.labels)
        if detector.startswith('mask'):
            assert (a.pred_instances.masks == b.pred_instances.masks).all()

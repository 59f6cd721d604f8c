"""Barlow Twins and VICReg for detection: Swin-T from pretraining to a detector."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpixcon.registry import MODELS, PARAM_SCHEDULERS
from tests.helpers.configs import CONFIGS

pytestmark = pytest.mark.slow

TWINS = 'barlow_twins/barlowtwins_swin-t_8xb128-150e_imagenet.py'
VICREG = 'vicreg/vicreg_swin-t_8xb128-100e_imagenet.py'


def test_faster_rcnn_resumes_across_the_change_of_its_rate() -> None:
    cfg = Config.fromfile(CONFIGS / 'finetune' / 'faster-rcnn_r50_fpn_8xb2-40e_coco.py')
    steps = cfg.param_scheduler[1]

    def rates(epochs: int, state: tuple[dict, dict] | None = None) -> tuple[list, tuple]:
        settings = {k: v for k, v in cfg.optim_wrapper.optimizer.items() if k != 'type'}
        assert cfg.optim_wrapper.optimizer.type == 'Adam'
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], **settings)
        scheduler = PARAM_SCHEDULERS.build(dict(steps), default_args=dict(optimizer=optimizer))
        if state is not None:
            optimizer.load_state_dict(state[0])
            scheduler.load_state_dict(state[1])
        actual = []
        for _ in range(epochs):
            actual.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            scheduler.step()
        return actual, (optimizer.state_dict(), scheduler.state_dict())

    expected = [1e-4] * 20 + [5e-5] * 20
    for stop in (19, 20, 21):
        first, state = rates(stop)
        assert first + rates(40 - stop, state)[0] == pytest.approx(expected)


def test_vicreg_with_swin_differs_in_its_model_and_length_only() -> None:
    vicreg, twins = (Config.fromfile(CONFIGS / name) for name in (VICREG, TWINS))
    assert vicreg.model.type == 'mmpixcon.VICReg' and vicreg.train_cfg.max_epochs == 100
    for key in ('optim_wrapper', 'train_dataloader', 'auto_scale_lr', 'custom_hooks'):
        assert vicreg[key] == twins[key], key
    assert vicreg.model.backbone == twins.model.backbone
    assert vicreg.model.data_preprocessor == twins.model.data_preprocessor


@pytest.mark.parametrize('name', [TWINS, VICREG], ids=['barlow_twins', 'vicreg'])
def test_swin_goes_from_pretraining_to_faster_rcnn(name: str, tmp_path: Path) -> None:
    init_default_scope('mmselfsup')
    cfg = Config.fromfile(CONFIGS / name)
    # Synchronized batch norm needs a GPU.
    cfg.model.neck.norm_cfg = dict(type='BN1d')
    pretraining = MODELS.build(cfg.model)
    losses = pretraining.loss([torch.randn(4, 3, 64, 64) for _ in range(2)], [])
    assert all(value.isfinite() for value in losses.values())
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert pretraining.backbone.patch_embed.projection.weight.grad.abs().sum() > 0
    checkpoint = tmp_path / 'epoch_100.pth'
    torch.save(dict(state_dict=pretraining.state_dict()), checkpoint)

    init_default_scope('mmdet')
    detector = Config.fromfile(
        CONFIGS / 'finetune' / 'faster-rcnn_swin-t_fpn_8xb2-35e_coco.py'
    ).model
    detector.backbone.init_cfg.checkpoint = str(checkpoint)
    backbone = MODELS.build(detector.backbone)
    backbone.init_weights()
    before, after = pretraining.backbone.state_dict(), backbone.state_dict()
    # Pretraining uses the last map: the norms of the others are the detector's own.
    own = {f'norm{i}.{part}' for i in range(3) for part in ('weight', 'bias')}
    assert set(after) - set(before) == own and set(before) <= set(after)
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize('name', ['barlow_twins/barlowtwins', 'vicreg/vicreg'])
@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        (dict(type='mmdet.RegNet', arch='regnetx_400mf', out_indices=(3,)), 384),
        (dict(type='mmdet.MobileNetV2', out_indices=(7,)), 1280),
        (dict(type='mmdet.ResNeXt', depth=50, groups=32, base_width=4, out_indices=(3,)), 2048),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_the_same_config_with_any_backbone_of_mmdet(name, backbone, channels) -> None:
    init_default_scope('mmselfsup')
    cfg = Config.fromfile(CONFIGS / f'{name}_r18_1xb32-100e_scenes.py')
    neck = dict(cfg.model.neck, in_channels=channels, hid_channels=32, out_channels=32)
    model = MODELS.build(dict(cfg.model, backbone=backbone, neck=neck))
    losses = model.loss([torch.randn(4, 3, 64, 64) for _ in range(2)], [])
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    gradients = [p.grad for p in model.backbone.parameters() if p.requires_grad]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert sum(g.abs().sum() for g in gradients) > 0

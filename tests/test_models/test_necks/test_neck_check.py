"""A projector that does not fit says which setting."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.necks import FPN
from mmselfsup.models.necks import MoCoV2Neck, NonLinearNeck
from torch import nn

from mmpixcon.models.necks.neck_check import check_neck_inputs
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

WRONG = r'model\.neck\.in_channels = 8, but model\.backbone gives 6 channels: set .*in_channels=6'


def explained(neck: nn.Module) -> nn.Module:
    model = nn.Module()
    model.neck = neck
    check_neck_inputs(model)
    return neck


def test_channels_maps_and_images():
    neck = explained(NonLinearNeck(8, 4, 4, norm_cfg=dict(type='BN1d')))
    assert neck([torch.randn(2, 8, 3, 3)])[0].shape == (2, 4)
    with pytest.raises(ValueError, match=WRONG):
        neck([torch.randn(2, 6, 3, 3)])
    with pytest.raises(ValueError, match=r'gives 2 maps, model\.neck takes one: .*out_indices'):
        neck([torch.randn(2, 4, 3, 3), torch.randn(2, 8, 3, 3)])
    with pytest.raises(ValueError, match=r'train_dataloader\.batch_size: .* got 1: raise it'):
        neck([torch.randn(1, 8, 3, 3)])
    # With fixed statistics one image will do.
    assert neck.eval()([torch.randn(1, 8, 3, 3)])[0].shape == (1, 4)


def test_other_necks():
    # Without norm one image will do.
    neck = explained(MoCoV2Neck(8, 4, 4))
    assert neck([torch.randn(1, 8, 3, 3)])[0].shape == (1, 4)
    with pytest.raises(ValueError, match=WRONG):
        neck([torch.randn(1, 6, 3, 3)])
    assert not explained(FPN([4, 8], 4, num_outs=2))._forward_pre_hooks
    check_neck_inputs(nn.Linear(2, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        ('barlow_twins/barlowtwins', 'model.neck.in_channels=9', 'set model.neck.in_channels=256'),
        ('vicreg/vicreg', 'model.backbone.out_indices=(2,3)', 'model.backbone.out_indices to the'),
        ('vicreg/vicreg', 'train_dataloader.batch_size=1', 'train_dataloader.batch_size: batch'),
    ],
)
def test_on_the_command_line(name, option, message, scenes_root, tmp_path):
    config = CONFIGS / f'{name}_r18_1xb32-100e_scenes.py'
    options = ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    options += ['train_dataloader.batch_size=4']
    arguments = ('--data-root', scenes_root, '--work-dir', tmp_path, '--cfg-options', *options)
    code, _, error = run_tool(ROOT / 'tools' / 'train.py', config, *arguments, option)
    assert code != 0 and message in error

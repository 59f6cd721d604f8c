"""The momentum encoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmpixcon.models.contrast import MomentumEncoder

pytestmark = pytest.mark.torch_versions


def sources() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return dict(backbone=nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), neck=nn.ReLU())


def test_update_averages_parameters_and_copies_buffers_in_place():
    online = sources()
    encoder = MomentumEncoder(0.9, **online)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    storage = {name: value.data_ptr() for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        for parameter in online['backbone'].parameters():
            parameter += 1
    online['backbone'](torch.randn(2, 3, 5, 5))
    encoder.update(**online)
    new = online['backbone'].state_dict()
    for name, value in encoder.state_dict().items():
        assert value.data_ptr() == storage[name]
        theirs = new[name.removeprefix('backbone.')]
        expected = theirs if 'running' in name or 'num_batches' in name else None
        if expected is None:
            expected = 0.9 * before[name] + 0.1 * theirs
        torch.testing.assert_close(value, expected)
    assert int(encoder.state_dict()['backbone.1.num_batches_tracked']) == 1


def test_many_updates_match_the_closed_form():
    online = dict(net=nn.Linear(1, 1, bias=False))
    nn.init.ones_(online['net'].weight)
    encoder = MomentumEncoder(0.99, **online)
    nn.init.zeros_(online['net'].weight)
    for _ in range(50):
        encoder.update(**online)
    assert encoder.net.weight.item() == pytest.approx(0.99**50, rel=1e-5)


def test_forward_chains_and_takes_no_gradient():
    online = sources()
    encoder = MomentumEncoder(0.99, **online)
    images = torch.randn(2, 3, 5, 5, requires_grad=True)
    out = encoder(images)
    assert not out.requires_grad
    torch.testing.assert_close(out, online['neck'](online['backbone'](images)).detach())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_synchronize_copies_everything():
    online = sources()
    encoder = MomentumEncoder(0.99, **online)
    nn.init.constant_(online['backbone'][0].weight, 3.0)
    encoder.synchronize(**online)
    assert encoder.backbone[0].weight.eq(3).all()


@pytest.mark.parametrize('momentum', [0.01, 1.5, -1])
def test_mmengines_convention_is_refused(momentum):
    with pytest.raises(ValueError, match='share of the average that is kept'):
        MomentumEncoder(momentum)

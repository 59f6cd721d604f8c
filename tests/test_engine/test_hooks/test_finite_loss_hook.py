"""A loss that is not finite stops any training before the step, with its name and images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmpixcon.apis.runner import build_runner
from mmpixcon.engine.hooks import FiniteLossHook
from mmpixcon.models.task_modules import NonFiniteError
from tests.helpers.runs import quick, quick_pretraining, weights

# A parameter of each whose NaN reaches a loss.
PRETRAINING = {
    'moco/mocov2_r18_1xb32-100e_scenes': ('backbone.conv1.weight', 'loss'),
    'detco/detco_r18_1xb32-100e_scenes': ('head.projectors.gg/3.mlp.0.bias', 'loss_gg_3'),
    'plrc/plrc_r18_1xb32-100e_scenes': ('neck.mlp.0.bias', 'loss_image, loss_contrast'),
    'vicreg/vicreg_r18_1xb32-100e_scenes': ('neck.fc0.weight', 'loss_invariance'),
    'barlow_twins/barlowtwins_r18_1xb32-100e_scenes': ('neck.fc0.weight', 'loss'),
}


def break_after_a_step(runner: Runner, parameter: str) -> dict[str, torch.Tensor]:
    """Train until a parameter becomes NaN in the second step; the weights before it."""
    step = runner.model.train_step
    before: dict[str, torch.Tensor] = {}

    def broken_step(*args, **kwargs):
        if runner.iter == 1:
            with torch.no_grad():
                runner.model.get_parameter(parameter).fill_(torch.nan)
            before.update(weights(runner))
        return step(*args, **kwargs)

    runner.model.train_step = broken_step
    return before


def check_stopped(runner: Runner, parameter: str, terms: str, work_dir: Path) -> None:
    """Train; the step is not taken, and nothing is saved after it."""
    before = break_after_a_step(runner, parameter)
    with pytest.raises(NonFiniteError, match=f'^{terms}.* not finite; images of') as error:
        runner.train()
    assert '.jpg' in str(error.value) or '.png' in str(error.value)
    assert '--resume' in str(error.value)
    assert runner.iter == 1 and not list(work_dir.glob('*.pth'))
    for name, value in weights(runner).items():
        if 'running' not in name and 'momentum_encoder' not in name:
            assert torch.equal(value.isnan(), before[name].isnan()), name


@pytest.mark.slow
@pytest.mark.parametrize('name', PRETRAINING)
def test_pretraining(name, scenes_root, tmp_path):
    parameter, terms = PRETRAINING[name]
    # The config alone brings the guard, without our tools.
    runner = Runner.from_cfg(quick_pretraining(name, scenes_root, tmp_path))
    check_stopped(runner, parameter, terms, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,parameter,terms',
    [
        (
            'pixcon/pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py',
            'predictor.convs.0.weight',
            'loss_pixel_cos',
        ),
        (
            'stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py',
            'rpn_head.rpn_cls.bias',
            'loss_rpn_cls',
        ),
    ],
)
def test_detectors(name, parameter, terms, scenes_root, tmp_path):
    runner = build_runner(quick(name, scenes_root, tmp_path))
    names = dict(runner.model.named_parameters())
    if parameter not in names:
        parameter = next(key for key in names if key.startswith('predictor.'))
    check_stopped(runner, parameter, terms, tmp_path)


@pytest.mark.slow
def test_stock_matching_names_the_cost_and_the_image(scenes_root, tmp_path):
    runner = build_runner(quick('stock/detr_r18_1xb8-12e_scenes.py', scenes_root, tmp_path))
    torch.nn.init.constant_(runner.model.bbox_head.fc_cls.bias, torch.nan)
    with pytest.raises(NonFiniteError, match=r'ClassificationCost are not finite on .*(jpg|png)'):
        runner.train()


class Wrapper:
    """An optimizer's wrapper whose gradient scaler leaves every step out."""

    def should_update(self) -> bool:
        return True


class Trained:
    """A runner in the middle of a training."""

    optim_wrapper = Wrapper()


def test_a_run_of_skipped_steps_is_an_error_but_one_is_not():
    hook = FiniteLossHook(max_skipped=3)
    for _ in range(3):
        hook._note(dict(loss_a=torch.tensor(1.0), loss_b=[torch.tensor(torch.inf)]))
        hook.after_train_iter(Trained(), 0)
    # A step was taken.
    hook._note(dict(loss_a=torch.tensor(1.0)))
    hook._before_step(None, (), {})
    hook.after_train_iter(Trained(), 0)
    for _ in range(3):
        hook._note(dict(loss_a=torch.tensor(1.0), loss_b=[torch.tensor(torch.inf)]))
        hook.after_train_iter(Trained(), 0)
    hook._note(dict(loss_a=torch.tensor(1.0), loss_b=[torch.tensor(torch.inf)]))
    with pytest.raises(NonFiniteError, match=r'4 steps in sequence .* nor are loss_b'):
        hook.after_train_iter(Trained(), 0)


def test_all_batches_since_the_last_step_are_looked_at():
    hook = FiniteLossHook()
    for value in (torch.nan, 1.0):
        hook._note(dict(loss=torch.tensor(value), acc=torch.tensor(torch.nan)))
    with pytest.raises(NonFiniteError, match=r'^loss not finite'):
        hook._before_step(None, (), {})


def test_gradients_are_looked_at_before_the_step_and_before_saving():
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    hook = FiniteLossHook()
    hook._names = {id(parameter): name for name, parameter in layer.named_parameters()}
    layer(torch.ones(1, 2)).sum().backward()
    hook._before_step(optimizer, (), {})
    hook.before_save_checkpoint(None, {})
    # The loss is finite, and its gradient is not.
    optimizer.zero_grad()
    (layer(torch.ones(1, 2)).sum() * 0).sqrt().backward()
    message = r'^gradients of weight, bias not finite, though the losses are.* No step was taken'
    with pytest.raises(NonFiniteError, match=message):
        hook._before_step(optimizer, (), {})


def test_a_training_stops_before_a_step_with_such_gradients(scenes_root, tmp_path):
    name = 'vicreg/vicreg_r18_1xb32-100e_scenes'
    runner = Runner.from_cfg(quick_pretraining(name, scenes_root, tmp_path))
    parameter = runner.model.get_parameter('neck.fc0.weight')
    parameter.register_hook(lambda gradient: gradient * torch.nan)
    step, before = runner.model.train_step, {}

    def noted_step(*args, **kwargs):
        before.update(weights(runner))
        return step(*args, **kwargs)

    runner.model.train_step = noted_step
    with pytest.raises(NonFiniteError, match=r'^gradients of neck\.fc0\.weight not finite.*jpg'):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))
    for key, value in weights(runner).items():
        if 'running' not in key and 'num_batches' not in key:
            assert torch.equal(value, before[key]), key


def test_bad_settings():
    with pytest.raises(ValueError, match='max_skipped = 0 must be at least 1'):
        FiniteLossHook(max_skipped=0)

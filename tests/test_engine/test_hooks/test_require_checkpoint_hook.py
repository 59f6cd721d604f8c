"""A run that needs a checkpoint does not begin without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.runner import Runner

from tests.helpers.tiny_model import TinyModel

HOOKS = ({'type': 'RequireCheckpointHook'}, {'type': 'PlainCheckpointHook'})


@pytest.fixture
def checkpoint(tiny_runner: Callable[..., Runner]) -> str:
    """Of a run of the same model."""
    runner = tiny_runner('first', epochs=1)
    runner.train()
    return f'{runner.work_dir}/epoch_1.pth'


def frozen_body() -> TinyModel:
    model = TinyModel()
    model.body.requires_grad_(False)
    return model


def test_a_run_without_a_checkpoint_is_refused(tiny_runner: Callable[..., Runner]) -> None:
    for options in ({}, {'resume': True}):
        runner = tiny_runner('none', epochs=1, hooks=HOOKS, **options)
        with pytest.raises(ValueError, match=r'load_from: .* --cfg-options load_from=PATH'):
            runner.train()
        assert runner.iter == 0


def test_loading_and_resuming_begin(tiny_runner: Callable[..., Runner], checkpoint: str) -> None:
    runner = tiny_runner('second', epochs=2, hooks=HOOKS, load_from=checkpoint)
    runner.train()
    assert runner.epoch == 2
    # What is in its folder is enough, as after --resume.
    runner = tiny_runner('second', epochs=3, hooks=HOOKS, resume=True)
    runner.train()
    assert runner.epoch == 3
    assert runner.iter == 15


def test_what_would_stay_random_is_named(
    tiny_runner: Callable[..., Runner], checkpoint: str, tmp_path
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    state = content['state_dict']
    # One that is gone and one of another shape, of five frozen; and one that learns.
    del state['body.0.bias'], state['head.bias']
    state['body.1.weight'] = torch.ones(5)
    path = str(tmp_path / 'other.pth')
    torch.save(content, path)
    options = dict(epochs=1, load_from=path)
    runner = tiny_runner('refused', hooks=HOOKS, model=frozen_body(), **options)
    with pytest.raises(ValueError, match=r'load_from: 2 parameters do not learn') as error:
        runner.train()
    assert 'body.0.bias, body.1.weight. Give' in str(error.value)
    assert 'head.bias' not in str(error.value)
    # Where all learn, and where it is meant to be so.
    tiny_runner('learning', hooks=HOOKS, **options).train()
    allowed = ({'type': 'RequireCheckpointHook', 'frozen_too': False}, HOOKS[1])
    tiny_runner('allowed', hooks=allowed, model=frozen_body(), **options).train()


def test_what_the_model_fills_itself_may_be_missing(
    tiny_runner: Callable[..., Runner], checkpoint: str, tmp_path
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    del content['state_dict']['body.0.bias']
    path = str(tmp_path / 'other.pth')
    torch.save(content, path)
    model = frozen_body()
    model.expected_missing_prefixes = ('body.0.',)
    runner = tiny_runner('own', hooks=HOOKS, model=model, epochs=1, load_from=path)
    runner.train()
    assert runner.epoch == 1


def test_another_variant_is_refused(
    tiny_runner: Callable[..., Runner], checkpoint: str, tmp_path
) -> None:
    hooks = ({'type': 'RequireCheckpointHook', 'whole': True}, HOOKS[1])
    tiny_runner('whole', hooks=hooks, epochs=1, load_from=checkpoint).train()
    content = torch.load(checkpoint, weights_only=True)
    del content['state_dict']['body.0.bias']
    path = str(tmp_path / 'other.pth')
    torch.save(content, path)
    with pytest.raises(ValueError, match=r'load_from: 1 parameters are .*: body.0.bias. Give one'):
        tiny_runner('part', hooks=hooks, epochs=1, load_from=path).train()
    # Layers that depend on the classes start anew.
    model = TinyModel()
    model.fc_cls = torch.nn.Linear(2, 3)
    runner = tiny_runner('classes', hooks=hooks, model=model, epochs=1, load_from=checkpoint)
    runner.train()
    assert runner.epoch == 1

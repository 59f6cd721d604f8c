"""Saving, loading and resuming with PlainCheckpointHook."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseTTAModel
from mmengine.runner import Runner
from torch import nn

from mmpixcon.engine.hooks.plain_checkpoint_hook import get_random_state, set_random_state

pytestmark = pytest.mark.torch_versions


def weights(runner: Runner) -> dict[str, torch.Tensor]:
    """Copy the weights."""
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert a.keys() == b.keys()
    assert [k for k in a if not torch.equal(a[k], b[k])] == []


class StopAt(Hook):
    """Interrupts a run after so many iterations or epochs."""

    def __init__(self, key: str, number: int) -> None:
        self.key = key
        self.number = number

    def before_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        """Interrupt."""
        if (runner.iter if self.key == 'iters' else runner.epoch) == self.number:
            raise KeyboardInterrupt


@pytest.mark.parametrize('val', [True, False])
@pytest.mark.parametrize('key', ['iters', 'epochs'])
def test_resumed_equals_uninterrupted(
    tiny_runner: Callable[..., Runner], key: str, val: bool
) -> None:
    whole = tiny_runner('whole', **{key: 6}, val=val)
    whole.train()
    first = tiny_runner('parts', **{key: 6}, val=val)
    first.register_hook(StopAt(key, 4))
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second = tiny_runner('parts', **{key: 6}, val=val, resume=True)
    second.train()
    assert second.iter == whole.iter
    assert_equal(weights(whole), weights(second))
    # Not by chance: training went on after resuming.
    assert not torch.equal(weights(first)['head.weight'], weights(second)['head.weight'])


def test_the_file_is_plain_and_the_hub_comes_back(
    tiny_runner: Callable[..., Runner], tmp_path
) -> None:
    first = tiny_runner('a', iters=3)
    first.train()
    history = first.message_hub.get_scalar('train/loss').data[0].tolist()
    loaded = torch.load(tmp_path / 'a' / 'iter_3.pth', weights_only=True)
    assert loaded['message_hub']['log_scalars']['train/loss']['log'].tolist() == history

    second = tiny_runner('a', iters=4, resume=True)
    second.train()
    buffer = MessageHub.get_instance(second.experiment_name).get_scalar('train/loss')
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.data[0].tolist()[:3] == history
    assert len(buffer.data[0]) == 4
    assert second.message_hub.get_info('best_score') == 0.25


def test_a_checkpoint_of_another_architecture_is_refused(
    tiny_runner: Callable[..., Runner], tmp_path
) -> None:
    tiny_runner('a', iters=1).train()

    class Other(type(tiny_runner('b', iters=1).model)):
        """Same interface, other modules."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.tail = self.body, self.head
            self.body, self.head = nn.Identity(), nn.Identity()

    path = str(tmp_path / 'a' / 'iter_1.pth')
    other = tiny_runner('c', iters=2, model=Other(), load_from=path)
    with pytest.raises(RuntimeError, match=r'(?s)iter_1\.pth.*min_loaded = 0\.5'):
        other.train()


def test_min_loaded_is_configurable(tiny_runner: Callable[..., Runner], tmp_path) -> None:
    model = tiny_runner('a', iters=1).model
    path = tmp_path / 'part.pth'
    torch.save({'state_dict': {'head.bias': model.head.bias.detach().clone() + 1}}, path)
    hooks = ({'type': 'PlainCheckpointHook', 'min_loaded': 0.1},)
    tiny_runner('b', iters=1, hooks=hooks, load_from=str(path)).train()
    with pytest.raises(ValueError, match='min_loaded'):
        tiny_runner('c', iters=1, hooks=({'type': 'PlainCheckpointHook', 'min_loaded': 2},))


def test_testing_and_resuming_need_every_tensor(
    tiny_runner: Callable[..., Runner], tmp_path
) -> None:
    tiny_runner('a', iters=1).train()
    path = tmp_path / 'a' / 'iter_1.pth'
    runner = tiny_runner('b', iters=1)
    runner.load_checkpoint(str(path))
    # Who tests has no need of the training data.
    assert isinstance(runner._train_loop, dict)
    state = torch.load(path, weights_only=True)
    del state['state_dict']['head.bias']
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'(?s)only 5 of 6 .*trained with'):
        runner.load_checkpoint(str(tmp_path / 'part.pth'))
    tiny_runner('c', iters=1, load_from=str(tmp_path / 'part.pth')).train()
    with pytest.raises(ValueError, match='only 5 of 6 '):
        tiny_runner('d', iters=2, load_from=str(tmp_path / 'part.pth'), resume=True).train()


def test_test_time_augmentation_loads_the_model_within(
    tiny_runner: Callable[..., Runner], tmp_path
) -> None:
    class Flipped(BaseTTAModel):
        """Only loads."""

        def merge_preds(self, data_samples_list: list) -> list:
            return data_samples_list

    tiny_runner('a', iters=1).train()
    augmented = Flipped(tiny_runner('b', iters=1).model)
    runner = tiny_runner('c', iters=1, model=augmented)
    runner.load_checkpoint(str(tmp_path / 'a' / 'iter_1.pth'))
    state = torch.load(tmp_path / 'a' / 'iter_1.pth', weights_only=True)['state_dict']
    assert augmented.module.head.bias.equal(state['head.bias'])


def test_processes_differ_but_follow_from_the_first() -> None:
    torch.manual_seed(1)
    state = get_random_state()
    drawn = []
    for rank in (0, 1, 2, 1):
        set_random_state(state, rank)
        drawn.append(torch.rand(()).item())
    assert len(set(drawn)) == 3
    assert drawn[1] == drawn[3]
    torch.manual_seed(1)
    assert drawn[0] == torch.rand(()).item()

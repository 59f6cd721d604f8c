"""Checkpoints of plain types."""

from __future__ import annotations

import os
import pickle
from collections import Counter, OrderedDict, deque
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from mmpixcon.engine.checkpoint.plain import (
    NotPlainError,
    from_plain,
    limit_getattr,
    load_plain,
    to_plain,
    weights_only,
)
from mmpixcon.models.backbones.efficientnet_lite import load_from_package

pytestmark = pytest.mark.torch_versions


def roundtrip(checkpoint: dict, path: Path) -> dict:
    """Save as plain types and load with nothing allowed but them."""
    torch.save(to_plain(checkpoint), path)
    return torch.load(path, weights_only=True)


def test_everything_that_mmengine_saves_survives(tmp_path: Path) -> None:
    weights = OrderedDict(w=torch.arange(3.0))
    weights._metadata = OrderedDict({'': {'version': 1}})
    loaded = roundtrip(
        {
            'meta': {'epoch': np.int64(3), 'classes': ConfigDict(a=('x', 'y')), 'none': None},
            'state_dict': weights,
            'message_hub': {
                'log_scalars': OrderedDict(loss=HistoryBuffer([1.5, 2.5], [1, 2], 7)),
                'runtime_info': {'score': np.float64(0.5), 'palette': np.eye(2, dtype=np.uint8)},
            },
            'param_schedulers': [{'milestones': Counter({2: 1})}, deque([1, 2])],
        },
        tmp_path / 'a.pth',
    )
    assert loaded['meta'] == {'epoch': 3, 'classes': {'a': ('x', 'y')}, 'none': None}
    assert type(loaded['meta']['epoch']) is int
    assert type(loaded['meta']['classes']) is dict
    assert torch.equal(loaded['state_dict']['w'], weights['w'])
    assert loaded['state_dict']._metadata == {'': {'version': 1}}
    assert loaded['param_schedulers'][0] == {'milestones': {2: 1}}
    assert type(loaded['param_schedulers'][0]['milestones']) is dict
    assert loaded['param_schedulers'][1] == [1, 2]

    hub = from_plain(loaded['message_hub'])
    buffer = hub['log_scalars']['loss']
    assert isinstance(buffer, HistoryBuffer)
    assert [part.tolist() for part in buffer.data] == [[1.5, 2.5], [1, 2]]
    assert buffer.max_length == 7
    assert hub['runtime_info']['score'] == 0.5
    assert hub['runtime_info']['palette'].dtype == np.uint8
    assert hub['runtime_info']['palette'].tolist() == [[1, 0], [0, 1]]


def test_what_is_not_plain_is_named() -> None:
    with pytest.raises(NotPlainError, match=r"optimizer\['state'\]\[1\] is a .*Path"):
        to_plain({'optimizer': {'state': [1, Path('x')]}})


def test_notes_that_are_not_plain_are_left_out() -> None:
    plain = to_plain({'meta': {'epoch': 1, 'where': Path('x'), 'in': {'list': [print], 'b': 2}}})
    assert plain == {'meta': {'epoch': 1, 'in': {'b': 2}}}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'cut.pth'
    torch.save({'state_dict': {'w': torch.zeros(1000)}}, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(RuntimeError, match=r'cut\.pth cannot be read as a checkpoint'):
        CheckpointLoader.load_checkpoint(str(path), 'cpu')


def test_a_stock_checkpoint_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'stock.pth'
    torch.save({'message_hub': HistoryBuffer([1.0], [1])}, path)
    with pytest.raises(RuntimeError, match='TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1'):
        CheckpointLoader.load_checkpoint(str(path), 'cpu')
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert isinstance(loaded['message_hub'], HistoryBuffer)


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_a_hostile_file_is_not_executed(tmp_path: Path) -> None:
    path, target = tmp_path / 'hostile.pth', tmp_path / 'executed'
    torch.save({'state_dict': {}, 'meta': Hostile(target)}, path)
    with pytest.raises(RuntimeError, match=r'hostile\.pth is not loaded: it holds Python objects'):
        CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert not target.exists()
    # Without the guard the file does run: the test would notice.
    torch.load(path, weights_only=False)
    assert target.exists()


def test_no_loader_of_mmengine_executes(tmp_path: Path) -> None:
    """Also one that falls back to everything when plain types fail, as the fork's does."""
    path, target = tmp_path / 'hostile.pth', tmp_path / 'executed'
    torch.save(Hostile(target), path)

    @load_plain
    def load(filename: str) -> object:
        try:
            return torch.load(filename, weights_only=True)
        except pickle.UnpicklingError:
            return torch.load(filename, weights_only=False)

    with pytest.raises(RuntimeError, match='is not loaded'):
        load(str(path))
    assert not target.exists()
    assert len(CheckpointLoader._schemes) > 5
    for prefix, loader in CheckpointLoader._schemes.items():
        # Our own reads a package, with weights_only.
        if loader is not load_from_package:
            assert loader.__code__ is load.__code__, prefix


class Attribute:
    """Is an attribute of another object when it is unpickled."""

    def __init__(self, owner: object, name: str) -> None:
        self.parts = owner, name

    def __reduce__(self) -> tuple:
        return getattr, self.parts


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='torch keeps no such list'
)
def test_getattr_reaches_methods_of_history_buffers_only(tmp_path: Path) -> None:
    """The fork lets files call it; variables of modules would be in their reach."""
    path = tmp_path / 'a.pth'
    theirs = [getattr, HistoryBuffer, np.ndarray]
    ours = limit_getattr(lambda: theirs)()
    assert getattr not in ours and ours[1:] == theirs[1:]

    torch.save(Attribute(HistoryBuffer, 'mean'), path)
    with torch.serialization.safe_globals(ours):
        assert torch.load(path, weights_only=True) is HistoryBuffer.mean
    for owner, name in ((HistoryBuffer, 'update'), (HistoryBuffer, 'data'), (np.ndarray, 'max')):
        torch.save(Attribute(owner, name), path)
        with torch.serialization.safe_globals(theirs):
            torch.load(path, weights_only=True)
        with (
            torch.serialization.safe_globals(ours),
            pytest.raises(pickle.UnpicklingError, match=f"may not use attribute '{name}'"),
        ):
            torch.load(path, weights_only=True)


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    for before in (None, '0'):
        monkeypatch.delenv(name, raising=False)
        if before is not None:
            monkeypatch.setenv(name, before)
        with weights_only():
            assert os.environ[name] == '1'
        assert os.environ.get(name) == before

"""Files that hold tensors, and those that do not."""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpixcon.conversion.files import check_output, read_checkpoint, write_checkpoint

TENSORS = {'a.weight': torch.arange(6.0).view(2, 3), 'b': torch.tensor(2)}


class Code:
    """What calls a function when it is unpickled."""

    def __reduce__(self) -> tuple:
        return print, ('this ran',)


@pytest.mark.parametrize('section', ['state_dict', 'model', None])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_sections_and_prefixes(section: str | None, prefix: str, tmp_path: Path) -> None:
    state = {prefix + name: value for name, value in TENSORS.items()}
    torch.save({section: state, 'epoch': 3} if section else state, tmp_path / 'c.pth.tar')
    tensors, text = read_checkpoint(tmp_path / 'c.pth.tar')
    assert list(tensors) == list(TENSORS) and torch.equal(tensors['a.weight'], TENSORS['a.weight'])
    assert text == ''


def test_the_text_of_the_config(tmp_path: Path) -> None:
    torch.save(dict(state_dict=TENSORS, meta=dict(cfg='a = 1')), tmp_path / 'c.pth')
    assert read_checkpoint(tmp_path / 'c.pth')[1] == 'a = 1'


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='torch 2.5 and later know it'
)
def test_the_command_line_of_releases_is_harmless(tmp_path: Path) -> None:
    args = argparse.Namespace(lr=1e-4, backbone='resnet50')
    torch.save(dict(model=TENSORS, args=args), tmp_path / 'c.pth')
    assert list(read_checkpoint(tmp_path / 'c.pth')[0]) == list(TENSORS)


def test_code_runs_only_if_trusted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save(dict(model=TENSORS, extra=Code()), tmp_path / 'c.pth')
    pickled = dict(model={'w': np.ones(2, np.float32)}, extra=Code())
    (tmp_path / 'c.pkl').write_bytes(pickle.dumps(pickled))
    for name, what in (('c.pth', r'holds a \S*print besides'), ('c.pkl', 'is a pickle')):
        with pytest.raises(ValueError, match=rf'{name} {what}.*may run code when .*--trust\.$'):
            read_checkpoint(tmp_path / name)
        assert capsys.readouterr().out == ''
        read_checkpoint(tmp_path / name, trust=True)
        assert capsys.readouterr().out == 'this ran\n'


def test_numpy_arrays_become_tensors(tmp_path: Path) -> None:
    (tmp_path / 'c.pkl').write_bytes(pickle.dumps({'model': {'w': np.array([1, 2], np.float32)}}))
    assert read_checkpoint(tmp_path / 'c.pkl', trust=True)[0]['w'].tolist() == [1, 2]


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'missing\.pth does not exist'):
        read_checkpoint(tmp_path / 'missing.pth')
    torch.save(TENSORS, tmp_path / 'cut.pth')
    whole = (tmp_path / 'cut.pth').read_bytes()
    for content in (b'', b'<html>not found</html>', whole[: len(whole) // 2]):
        (tmp_path / 'cut.pth').write_bytes(content)
        with pytest.raises(ValueError, match=r'cut\.pth cannot be read as a checkpoint'):
            read_checkpoint(tmp_path / 'cut.pth')
    for content, message in (
        (dict(model={}), 'holds no tensors by name'),
        ([1, 2], 'holds no tensors by name'),
        (dict(epoch=3, weights=TENSORS), "'epoch' is a int, not a tensor; sections that are read"),
    ):
        torch.save(content, tmp_path / 'other.pth')
        with pytest.raises(ValueError, match=message):
            read_checkpoint(tmp_path / 'other.pth')


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.pkl'])
def test_written_and_read(suffix: str, tmp_path: Path) -> None:
    if suffix == '.safetensors':
        pytest.importorskip('safetensors', reason='requirements/tests.txt')
    large = torch.zeros(1000, 1000)
    # A part of a large storage, another layout, and one storage twice.
    tensors = TENSORS | {'part': large[:2, :2], 'turned': TENSORS['a.weight'].t()}
    tensors['again'] = tensors['a.weight']
    path = tmp_path / f'c{suffix}'
    write_checkpoint(path, tensors, dict(model=None, author='x'))
    actual = read_checkpoint(path, trust=True)[0]
    assert actual.keys() == tensors.keys()
    assert all(torch.equal(actual[name], tensors[name]) for name in tensors)
    assert path.stat().st_size < 10_000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'--out .*out\.onnx: the suffix must be \.pth, \.pt'):
        check_output(tmp_path / 'out.onnx', ('.pth', '.pt'), False)
    with pytest.raises(FileNotFoundError, match=r'the folder .*nowhere does not exist'):
        check_output(tmp_path / 'nowhere' / 'out.pth', ('.pth',), False)
    (tmp_path / 'out.pth.json').write_text('{}')
    with pytest.raises(FileExistsError, match=r'out\.pth\.json exists; give --overwrite'):
        check_output(tmp_path / 'out.pth', ('.pth',), False)
    check_output(tmp_path / 'out.pth', ('.pth',), True)


def test_safetensors_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mmpixcon\[safetensors\]'"):
        check_output(tmp_path / 'out.safetensors', ('.safetensors',), False)

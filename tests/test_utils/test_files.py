"""Files appear under their names only when they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmpixcon.utils.files import replace_file, replacing


def test_a_write_that_fails_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'record.json'
    replace_file(path, b'first')
    replace_file(path, b'second')
    assert path.read_bytes() == b'second'

    def fail(*args: object) -> None:
        raise OSError('no space left')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='no space left'):
        replace_file(path, b'third')
    assert path.read_bytes() == b'second'
    assert [p.name for p in tmp_path.iterdir()] == ['record.json']


def test_a_folder_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / 'proposals'
    path.mkdir()
    (path / 'old.npy').write_bytes(b'old')
    with pytest.raises(ValueError), replacing(path) as part:
        part.mkdir()
        (part / 'new.npy').write_bytes(b'half')
        raise ValueError
    assert [p.name for p in tmp_path.rglob('*')] == ['proposals', 'old.npy']
    with replacing(path) as part:
        part.mkdir()
        (part / 'new.npy').write_bytes(b'new')
        assert (path / 'old.npy').exists()
    assert [p.name for p in tmp_path.rglob('*')] == ['proposals', 'new.npy']


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / 'proposals').mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / 'proposals', b'')
    assert [p.name for p in tmp_path.iterdir()] == ['proposals']

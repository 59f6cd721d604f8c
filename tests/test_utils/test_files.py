"""Files appear under their names only when they are whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmpixcon.utils.files import replace_file


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

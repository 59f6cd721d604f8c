"""Files that are whole or not there, and which checkpoint is the newest that can be read."""

from __future__ import annotations

import errno
import os
import shutil

import pytest
import torch
from mmengine.fileio import get_file_backend

from mmpixcon.engine.checkpoint.safe_files import (
    ATOMIC,
    AtomicBackend,
    find_newest_checkpoint,
    pointed_checkpoint,
    removals_last,
    why_unreadable,
)


@pytest.fixture
def run(tmp_path):
    """A work folder with three checkpoints and a pointer to the last."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for epoch in (2, 9, 10):
        torch.save(
            {'state_dict': {'weight': torch.full((100,), epoch)}}, folder / f'epoch_{epoch}.pth'
        )
    torch.save({}, folder / 'best_coco_bbox_mAP_epoch_9.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_10.pth'))
    return folder


def test_a_file_appears_when_it_is_whole(tmp_path, monkeypatch):
    backend = get_file_backend(backend_args=dict(backend=ATOMIC))
    path = tmp_path / 'new' / 'epoch_1.pth'
    seen = []
    replace = os.replace
    monkeypatch.setattr(
        os, 'replace', lambda a, b: (seen.append((a.read_bytes(), path.exists())), replace(a, b))
    )
    backend.put(b'weights', path)
    assert seen == [(b'weights', False)] and path.read_bytes() == b'weights'
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'old')

    def full(number):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=r'epoch_1\.pth needs 2 MB, and .* MB left.*max_keep_ckpts'):
        AtomicBackend().put(b'x' * 2_000_000, path)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_removals_come_last(tmp_path):
    backend = AtomicBackend()
    old = tmp_path / 'old'
    old.write_text('')
    with removals_last(backend):
        backend.remove(old)
        assert old.exists()
    assert not old.exists()
    old.write_text('')
    with pytest.raises(RuntimeError), removals_last(backend):
        backend.remove(old)
        raise RuntimeError('the new one could not be saved')
    assert old.exists()
    backend.remove(old)
    assert not old.exists()


def test_the_newest(run):
    assert find_newest_checkpoint(run) == (run / 'epoch_10.pth', [])


@pytest.mark.parametrize('pointer', [None, '', '/gone/epoch_10.pth'])
def test_without_a_pointer_that_helps(run, pointer):
    (run / 'last_checkpoint').unlink()
    if pointer is not None:
        (run / 'last_checkpoint').write_text(pointer)
    assert find_newest_checkpoint(run) == (run / 'epoch_10.pth', [])


def test_a_checkpoint_that_the_pointer_does_not_name_yet(run):
    (run / 'last_checkpoint').write_text(str(run / 'epoch_9.pth'))
    assert find_newest_checkpoint(run)[0] == run / 'epoch_10.pth'


def test_damaged_ones_are_passed_over(run):
    whole = (run / 'epoch_10.pth').read_bytes()
    (run / 'epoch_10.pth').write_bytes(whole[:-300])
    nine = bytearray((run / 'epoch_9.pth').read_bytes())
    place = nine.index(torch.full((100,), 9).numpy().tobytes()) + 10
    nine[place] ^= 1
    (run / 'epoch_9.pth').write_bytes(bytes(nine))
    checkpoint, reasons = find_newest_checkpoint(run)
    assert checkpoint == run / 'epoch_2.pth'
    assert 'epoch_10.pth: it is cut off or damaged' in reasons[0]
    assert 'epoch_9.pth: the checksum of' in reasons[1]
    (run / 'epoch_2.pth').write_bytes(b'')
    checkpoint, reasons = find_newest_checkpoint(run)
    assert checkpoint is None and reasons[2].endswith('epoch_2.pth: it is empty')
    assert why_unreadable(run / 'epoch_3.pth') == 'it does not exist'


def test_a_copied_folder_means_its_own(run, tmp_path):
    shutil.copytree(run, tmp_path / 'copy')
    assert pointed_checkpoint(tmp_path / 'copy') == tmp_path / 'copy' / 'epoch_10.pth'
    # Those of another folder on purpose.
    (tmp_path / 'copy' / 'epoch_10.pth').unlink()
    assert pointed_checkpoint(tmp_path / 'copy') == run / 'epoch_10.pth'
    assert pointed_checkpoint(tmp_path) is None

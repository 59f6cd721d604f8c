"""Checkpoints are replaced, pointed to and removed in an order in which none is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.fileio import LocalBackend

from mmpixcon.engine.checkpoint.safe_files import AtomicBackend, find_newest_checkpoint

pytestmark = pytest.mark.torch_versions

SAVING = dict(type='mmpixcon.SafeCheckpointHook', interval=1, max_keep_ckpts=1)


@pytest.fixture
def steps(monkeypatch):
    """What is written and removed, in order, by name."""
    done: list[str] = []
    put, remove = AtomicBackend.put, LocalBackend.remove

    def noting_put(self, content, path):
        put(self, content, path)
        done.append(f'+ {Path(path).name}')

    def noting_remove(self, path):
        remove(self, path)
        done.append(f'- {Path(path).name}')

    monkeypatch.setattr(AtomicBackend, 'put', noting_put)
    monkeypatch.setattr(LocalBackend, 'remove', noting_remove)
    return done


def test_the_old_one_goes_last(tiny_runner, steps):
    runner = tiny_runner('run', epochs=3, val=False, checkpoint=SAVING)
    runner.train()
    assert steps == [
        '+ epoch_1.pth',
        '+ last_checkpoint',
        '+ epoch_2.pth',
        '+ last_checkpoint',
        '- epoch_1.pth',
        '+ epoch_3.pth',
        '+ last_checkpoint',
        '- epoch_2.pth',
    ]
    folder = Path(runner.work_dir)
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'epoch_3.pth')
    assert [path.name for path in folder.glob('*.pth')] == ['epoch_3.pth']
    hub = torch.load(folder / 'epoch_3.pth', weights_only=True)['message_hub']
    assert hub['runtime_info']['keep_ckpt_ids'] == [3]


def test_the_best_before_goes_last(tiny_runner, steps):
    runner = tiny_runner('run', epochs=2, checkpoint=SAVING, scores=[0.1, 0.2])
    runner.train()
    assert steps[-4:] == [
        '+ best_score_epoch_2.pth',
        '+ epoch_2.pth',
        '+ last_checkpoint',
        '- best_score_epoch_1.pth',
    ]


def test_one_saved_again_after_an_evaluation_resumes_exactly(tiny_runner):
    options = dict(epochs=3, checkpoint=SAVING | dict(max_keep_ckpts=3), scores=[0.1, 0.2, 0.3])
    whole = tiny_runner('whole', **options)
    whole.train()
    newest = f'{whole.work_dir}/epoch_2.pth'
    resumed = tiny_runner('run', **options, resume=True, load_from=newest)
    resumed.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize('epoch', [2, 3])
def test_an_evaluation_that_is_made_up_for_leaves_the_random_state(tiny_runner, epoch):
    options = dict(epochs=3, checkpoint=SAVING, scores=[0.1, 0.2, 0.3])
    whole = tiny_runner('whole', **options)
    whole.train()
    first = tiny_runner('run', **options)
    evaluate = first.val_loop.run

    def killed():
        if first.epoch == epoch:
            raise KeyboardInterrupt
        evaluate()

    first.val_loop.run = killed
    with pytest.raises(KeyboardInterrupt):
        first.train()
    newest = f'{first.work_dir}/epoch_{epoch}.pth'
    second = tiny_runner('run', **options, resume=True, load_from=newest)
    second.train()
    ends = [torch.load(f'{r.work_dir}/epoch_3.pth', weights_only=True) for r in (whole, second)]
    assert torch.equal(ends[0]['random_state']['torch'], ends[1]['random_state']['torch'])
    assert ends[0]['random_state']['python'] == ends[1]['random_state']['python']
    for name, value in ends[0]['state_dict'].items():
        assert torch.equal(value, ends[1]['state_dict'][name]), name


def test_interrupted_while_writing_nothing_is_lost(tiny_runner, monkeypatch):
    runner = tiny_runner('run', epochs=3, val=False, checkpoint=SAVING)
    replace = os.replace

    def cut(source, target):
        if Path(target).name == 'epoch_2.pth':
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, 'replace', cut)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    folder = Path(runner.work_dir)
    assert [path.name for path in folder.glob('*.pth*')] == ['epoch_1.pth']
    assert find_newest_checkpoint(folder) == (folder / 'epoch_1.pth', [])


def test_what_a_killed_run_had_half_written_is_removed(tiny_runner):
    runner = tiny_runner('run', epochs=1, val=False, checkpoint=SAVING)
    folder = Path(runner.work_dir)
    (folder / 'epoch_2.pth.123.part').write_bytes(b'half')
    (folder / 'last_checkpoint.123.part').write_bytes(b'half')
    (folder / 'own.part').write_bytes(b'')
    runner.train()
    names = sorted(path.name for path in folder.iterdir() if path.suffix in ('.pth', '.part'))
    assert names == ['epoch_1.pth', 'own.part']


def test_a_copied_folder_leaves_the_best_of_the_first(tiny_runner):
    first = tiny_runner('first', epochs=1, checkpoint=SAVING, scores=[0.1])
    first.train()
    folder = Path(first.work_dir)
    shutil.copytree(folder, folder.with_name('second'))
    checkpoint, _ = find_newest_checkpoint(folder.with_name('second'))
    second = tiny_runner(
        'second',
        epochs=2,
        checkpoint=SAVING,
        scores=[0.2],
        resume=True,
        load_from=str(checkpoint),
    )
    second.train()
    assert (folder / 'best_score_epoch_1.pth').is_file()
    best = [path.name for path in Path(second.work_dir).glob('best*')]
    assert best == ['best_score_epoch_2.pth']

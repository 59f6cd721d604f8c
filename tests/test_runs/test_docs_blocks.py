"""Bash blocks of the pages: each is executed in a checkout of its own, or says why not.

A block is run as a reader would run it, page by page from top to bottom, in a copy of the
checkout with nothing beside it. Comments right above a block say what is not; no page shows them::

    <!-- not executed: needs COCO and 8 GPUs -->
    <!-- not executed, lines 2-3: takes 50 minutes -->
    <!-- executed by, line 1: tests/test_runs/test_mim.py::test_bccd -->

Trainings are run for a few steps, packages are looked up and not installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.configs import ROOT
from tests.helpers.pages import PAGES, Block, blocks

REASON = re.compile(
    r'needs .*\b(data|COCO|ImageNet|PASCAL VOC|checkpoint|config|network|GPUs?|machines)\b.*'
    r'|takes (about )?\d+ (minutes?|hours?)'
    r'|publishes a release'
)
# Trainings see two photos, for one epoch, or for all if the page names a checkpoint of theirs.
PRELUDE = """
set -euo pipefail
HERE=$PWD
SHORT="train_dataloader.batch_size=2 train_dataloader.dataset.indices=2 \
train_dataloader.num_workers=0 train_dataloader.persistent_workers=False \
default_hooks.checkpoint.interval=1000 $EPOCHS"
EVALUATED="train_cfg.val_interval=1000 val_dataloader.dataset.indices=2 \
val_dataloader.num_workers=0 val_dataloader.persistent_workers=False"
options() {
    case $1 in
    *_1xb32-100e_*) echo $SHORT ;;
    *) echo $SHORT $EVALUATED ;;
    esac
}
pip() { command python -m pip "$1" --dry-run --no-index --quiet "${@:2}"; }
mim() {
    if [[ $1 == train ]]; then
        command mim "$@" --cfg-options $(options "$3")
    else
        command mim "$@"
    fi
}
python() {
    # A block may set PYTHONPATH to folders of its own.
    export PYTHONPATH=$HERE:${PYTHONPATH:-}
    if [[ $1 == tools/train.py ]]; then
        command python "$@" --cfg-options $(options "$2")
    else
        command python "$@"
    fi
}
"""
IS_EXECUTED = [page for page in PAGES if any(block.unmarked for block in blocks(page))]


def check_marks(block: Block) -> None:
    """Check that the tests which are named exist, and that reasons are such.

    Raises:
        AssertionError: A mark is wrong.
    """
    for mark in block.marks:
        if not mark.by_test:
            assert REASON.fullmatch(mark.text), f'{block.place}: no reason: {mark.text}'
            continue
        file, _, name = mark.text.partition('::')
        assert (ROOT / file).is_file(), f'{block.place}: {file} does not exist'
        text = (ROOT / file).read_text(encoding='utf-8')
        assert f'\ndef {name}(' in text, f'{block.place}: {mark.text} does not exist'
    if block.output is not None:
        assert not block.marks, f'{block.place}: what a marked block prints is not compared'


def run(block: Block, folder: Path, epochs: str = '') -> str:
    """Run what is unmarked of a block.

    Args:
        block (Block): the block
        folder (Path): checkout that it is run in
        epochs (str): option of a training that limits its epochs. Defaults to ''.

    Returns:
        str: What it printed.
    """
    environment = dict(
        os.environ,
        PATH=f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        PYTHONPATH=str(folder),
        EPOCHS=epochs,
        # A command of git must not find a repository above the copy.
        GIT_CEILING_DIRECTORIES=str(folder.parent),
        # A test process each has a core.
        OMP_NUM_THREADS='1',
    )
    # Else each program compiles torch and mmdet anew.
    environment.pop('PYTHONDONTWRITEBYTECODE', None)
    done = subprocess.run(
        ['bash', '-c', PRELUDE + block.unmarked],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    shown = f'{block.place}\n{block.unmarked}\n{done.stdout[-2000:]}{done.stderr[-3000:]}'
    assert done.returncode == 0, f'{shown}\nIf it cannot run here, a mark above it has to say why.'
    return done.stdout


def check_output(block: Block, printed: str) -> None:
    """Check that what the page shows was printed, line by line."""
    lines = iter(line.rstrip() for line in printed.splitlines())
    for line in filter(None, map(str.rstrip, block.output.splitlines())):
        assert line in lines, f'{block.place} does not print\n{line}\nbut\n{printed}'


def left_out(folder: str, names: list[str]) -> set[str]:
    """Of the checkout, what git does not have."""
    if Path(folder) == ROOT:
        own = {'work_dirs', 'data', 'build', 'dist'}
        return {name for name in names if name in own or name[0] == '.' or 'egg-info' in name}
    made = {'proposals', 'subsets'} if Path(folder).parent == ROOT / 'examples' else set()
    return ({'__pycache__', '.mim'} | made) & {*names}


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_marks_name_tests_and_reasons(page):
    for block in blocks(page):
        check_marks(block)


@pytest.mark.pages
@pytest.mark.parametrize('page', IS_EXECUTED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_do_what_the_page_says(page, tmp_path):
    folder = tmp_path / 'mmpixcon'
    shutil.copytree(ROOT, folder, ignore=left_out, symlinks=True)
    executed = [block for block in blocks(page) if block.unmarked]
    needs_names = any('/epoch_' in block.unmarked for block in executed)
    for block in executed:
        printed = run(block, folder, '' if needs_names else 'train_cfg.max_epochs=1')
        if block.output is not None:
            check_output(block, printed)


def test_wrong_marks_are_told(tmp_path):
    page = tmp_path / 'page.md'

    def marked(comment: str) -> Block:
        page.write_text(f'Text\n\n<!-- {comment} -->\n```bash\necho 1\necho 2\n```\n')
        return blocks(page)[0]

    block = marked('not executed, line 2: takes 3 minutes')
    assert block.unmarked == 'echo 1' and block.number == 4
    check_marks(block)
    this = 'tests/test_runs/test_docs_blocks.py'
    block = marked(f'executed by: {this}::test_wrong_marks_are_told')
    assert not block.unmarked
    check_marks(block)
    for wrong in (
        'not run: takes 3 minutes',
        'not executed',
        'not executed, line 3: takes 3 minutes',
    ):
        with pytest.raises(ValueError, match=r'page\.md:4'):
            marked(wrong)
    for wrong in (
        'not executed: no time',
        f'executed by: {this}::test_gone',
        'executed by: tests/gone.py::test_a',
    ):
        with pytest.raises(AssertionError, match=r'page\.md:4'):
            check_marks(marked(wrong))


def test_a_block_that_fails_or_prints_something_else_is_told(tmp_path):
    page = tmp_path / 'page.md'
    shown = '\n<!-- output of the block above -->\n```\n1\n3\n```\n'
    page.write_text(f'```bash\necho 1\necho 2\necho 3\n```\n{shown}')
    (block,) = blocks(page)
    check_output(block, run(block, tmp_path))
    page.write_text(f'```bash\necho 3\necho 1\n```\n{shown}')
    (block,) = blocks(page)
    with pytest.raises(AssertionError, match=r'does not print\s+3'):
        check_output(block, run(block, tmp_path))
    page.write_text('```bash\nfalse | true\necho 1\n```\n')
    with pytest.raises(AssertionError, match='a mark above it has to say why'):
        run(*blocks(page), tmp_path)

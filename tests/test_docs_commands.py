"""Commands of the pages: what they name exists, and they take the options that are given."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmpixcon.commands.app import app
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.pages import PAGES, blocks
from tests.helpers.processes import run_tool

# A name that stands for something of the reader's: CONFIG, OURS.pth, data that is not here.
PLACEHOLDER = re.compile(r'[A-Z]{3,}|[$*{}<>]|^/|^data/|^work_dirs/')
LAUNCHERS = {
    'tools/dist_train.sh': 'train.py',
    'tools/dist_test.sh': 'test.py',
    'tools/slurm_train.sh': 'train.py',
    'tools/slurm_test.sh': 'test.py',
}
# Of mim itself.
MIM = {'--gpus', '--launcher', '--checkpoint', '--partition', '-y', '--gpus-per-node'}


def commands(path: Path) -> list[list[str]]:
    """Split the bash blocks of a page into words, a list a command."""
    found = []
    for block in blocks(path):
        for line in block.text.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            while words and (re.match(r'\w+=', words[0]) or words[0] in ('do', 'then')):
                words = words[1:]
            start = 0
            for i, word in enumerate([*words, '&&']):
                if word in ('&&', ';', '|'):
                    if words[start:i]:
                        found.append(words[start:i])
                    start = i + 1
    return found


@cache
def tool_help(tool: str) -> str:
    status, out, error = run_tool(ROOT / 'tools' / tool, '--help')
    assert status == 0, out + error
    return out


@cache
def verb_help(verb: str) -> str:
    result = CliRunner().invoke(app, [verb, '--help'], env=dict(COLUMNS='200', TERM='dumb'))
    assert result.exit_code == 0, result.output
    return re.sub(r'\x1b\[[0-9;]*m', '', result.output)


def check(words: list[str]) -> None:
    """Check one command.

    Raises:
        AssertionError: A file, a target or an option does not exist.
    """
    options = {word.split('=')[0] for word in words if word.startswith('--')}
    for word in words[1:]:
        is_path = re.match(r'(configs|tools|examples|docs|requirements)/', word)
        made = re.match(r'examples/\w+/(proposals|subsets)', word)
        if is_path and not made and not PLACEHOLDER.search(word) and ',' not in word:
            assert (ROOT / word).exists(), word
    if words[0] == 'make' and len(words) > 1:
        assert re.search(rf'^{words[1]}:', (ROOT / 'Makefile').read_text(), re.MULTILINE), words[1]
    elif words[0] == 'mmpixcon':
        text = verb_help(words[1]) if not words[1].startswith('-') else verb_help('')
        assert {option for option in options if option not in text} == set()
    elif words[0] == 'mim' and words[2] == 'mmpixcon':
        if words[1] == 'run':
            tool, config = f'{words[3]}.py', words[4]
        else:
            tool, config = f'{words[1]}.py', words[3]
        if not PLACEHOLDER.search(config):
            assert list(CONFIGS.rglob(config)), config
        text = tool_help(tool)
        assert {option for option in options - MIM if option not in text} == set()
    elif words[0] in ('python', 'bash') and words[1].startswith('tools/'):
        tool = LAUNCHERS.get(words[1], words[1].removeprefix('tools/'))
        if tool.endswith('.py'):
            text = tool_help(tool)
            assert {option for option in options if option not in text} == set()


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_of_a_page_exist_and_take_their_options(page):
    for words in commands(page):
        try:
            check(words)
        except AssertionError as error:
            raise AssertionError(
                f'{page.relative_to(ROOT)}: {shlex.join(words)}: {error}'
            ) from None


def test_what_does_not_exist_is_told():
    check(['make', 'demo'])
    check(['python', 'tools/train.py', 'CONFIG', '--work-dir', 'X'])
    for wrong in (
        ['make', 'coffee'],
        ['python', 'tools/train.py', 'CONFIG', '--work-folder', 'X'],
        ['python', 'tools/train.py', 'configs/pixcon/gone.py'],
        ['mim', 'train', 'mmpixcon', 'gone_r18.py'],
        ['mmpixcon', 'check', 'examples/bccd', '--colour'],
    ):
        with pytest.raises(AssertionError):
            check(wrong)

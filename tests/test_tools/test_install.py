"""The package as users install it: a wheel and a checkout, with an old and a new pip.

Each case gets a virtual environment of its own, which borrows the packages of
the one that runs the tests and installs only pip, setuptools and mmpixcon.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONSTRAINTS = ROOT / 'requirements' / 'constraints.txt'
OWN = ('mmpixcon', '__editable__', 'pip', 'setuptools', 'pkg_resources', 'distutils-precedence')

pytestmark = [pytest.mark.install, pytest.mark.slow]


class Environment:
    """A virtual environment that borrows this one's packages.

    Args:
        folder (Path): Where it is made.
        pip (str): Requirement of pip.
    """

    def __init__(self, folder: Path, pip: str) -> None:
        self.folder = folder
        self.python = folder / 'env' / 'bin' / 'python'
        # A folder without pyproject.toml or packages of the checkout.
        self.work = folder / 'work'
        self.work.mkdir(parents=True)
        subprocess.run([sys.executable, '-m', 'venv', folder / 'env'], check=True)
        borrowed = folder / 'borrowed'
        borrowed.mkdir()
        for path in Path(sysconfig.get_path('purelib')).iterdir():
            if not path.name.startswith(OWN):
                (borrowed / path.name).symlink_to(path)
        # The borrowed packages import pkg_resources, which comes with setuptools.
        self.run('-m', 'pip', 'install', pip, 'setuptools<81')
        (self.site / 'borrowed.pth').write_text(f'{borrowed}\n')

    @property
    def site(self) -> Path:
        """Path: Its site-packages."""
        return next((self.folder / 'env' / 'lib').glob('python3.*')) / 'site-packages'

    def run(self, *args: object) -> str:
        """Run Python in it; return what it printed."""
        env = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
        done = subprocess.run(
            [str(self.python), *(str(arg) for arg in args)],
            env={**env, 'PIP_CONSTRAINT': str(CONSTRAINTS), 'PIP_DISABLE_PIP_VERSION_CHECK': '1'},
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def content(self) -> set[str]:
        """Names in its site-packages, and programs beside Python."""
        return {path.name for path in (*self.site.iterdir(), *self.python.parent.iterdir())}


@pytest.mark.parametrize('pip', ['pip==23.2', 'pip>=25.3'])
@pytest.mark.parametrize('editable', [False, True], ids=['wheel', 'editable'])
def test_install_train_uninstall(
    tmp_path: Path, scenes_root: Path, editable: bool, pip: str
) -> None:
    env = Environment(tmp_path, pip)
    before = env.content()
    tree = _status()
    env.run('-m', 'pip', 'install', *(['-e'] if editable else []), ROOT)
    assert _status() == tree
    where = env.run('-c', 'import mmpixcon; print(mmpixcon.__file__)').splitlines()[-1]
    assert Path(where).parent == (ROOT if editable else env.site) / 'mmpixcon'

    # A shipped config, found by its name.
    env.run(
        *('-m', 'mim', 'train', 'mmpixcon', 'pixcon_faster-rcnn_r18_fpn_1xb8-12e_scenes.py'),
        *('--data-root', scenes_root, '--work-dir', 'shipped', '--cfg-options'),
        *('train_cfg.max_epochs=1', 'train_dataloader.batch_size=8'),
        *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
        *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
    )
    assert torch.load(env.work / 'shipped/epoch_1.pth', weights_only=True)['meta']['iter'] == 2

    # The user's own config, on `_base_ = 'mmpixcon::...'`.
    for name in ('tiny_config.py', 'tiny_parts.py'):
        (env.work / name).write_text((HERE / name).read_text())
    (env.site / 'work.pth').write_text(f'{env.work}\n')
    env.run('-m', 'mim', 'train', 'mmpixcon', 'tiny_config.py', '--work-dir', 'own')
    assert (env.work / 'own/iter_4.pth').is_file()
    (env.site / 'work.pth').unlink()

    assert 'Version: 0.' in env.run('-m', 'pip', 'show', 'mmpixcon')
    env.run('-m', 'pip', 'uninstall', '--yes', 'mmpixcon')
    assert env.content() - {'__pycache__'} == before - {'__pycache__'}


def _status() -> str:
    """What git sees in the checkout besides its commits."""
    return subprocess.run(
        ['git', 'status', '--short', '--untracked-files=all'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

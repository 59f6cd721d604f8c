"""Virtual environments to install mmpixcon into, as users do."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The constraints of the environment that runs the tests, which tools/setup_env.sh writes.
CONSTRAINTS = Path(sys.prefix) / '.setup' / 'constraints.txt'
# What each environment has of its own.
NEVER_BORROWED = (
    'mmpixcon', '__editable__', 'pip', 'setuptools', 'pkg_resources', '_distutils_hack',
    'distutils-precedence',
)  # fmt: skip


class Environment:
    """A virtual environment that borrows the packages of the one that runs the tests.

    Args:
        folder (Path): Where it is made.
        pip (str): Requirement of pip.
        without (Iterable[str]): Names in site-packages that are not borrowed, or
            what they begin with.
    """

    def __init__(self, folder: Path, pip: str = 'pip', without: Iterable[str] = ()) -> None:
        self.folder = folder
        self.python = folder / 'env' / 'bin' / 'python'
        # A folder without pyproject.toml or packages of the checkout.
        self.work = folder / 'work'
        self.work.mkdir(parents=True)
        subprocess.run([sys.executable, '-m', 'venv', folder / 'env'], check=True)
        borrowed = folder / 'borrowed'
        borrowed.mkdir()
        left_out = (*NEVER_BORROWED, *without)
        for path in Path(sysconfig.get_path('purelib')).iterdir():
            if not path.name.startswith(left_out):
                (borrowed / path.name).symlink_to(path)
        # The borrowed packages import pkg_resources, which comes with setuptools. torch asks for a
        # newer one than Python 3.11 brings.
        self.run('-m', 'pip', 'install', '--upgrade', pip, 'setuptools<81', 'wheel')
        (self.site / 'borrowed.pth').write_text(f'{borrowed}\n')

    @property
    def site(self) -> Path:
        """Path: Its site-packages."""
        return next((self.folder / 'env' / 'lib').glob('python3.*')) / 'site-packages'

    def run(self, *args: object, **variables: str) -> str:
        """Run Python in it.

        Args:
            *args (object): Arguments of Python.
            **variables (str): Environment variables.

        Returns:
            str: What it printed.
        """
        # Where Python is told not to keep what it compiles, each program compiles torch anew.
        dropped = ('PYTHONPATH', 'VIRTUAL_ENV', 'PYTHONDONTWRITEBYTECODE')
        env = {k: v for k, v in os.environ.items() if k not in dropped}
        if CONSTRAINTS.is_file():
            env['PIP_CONSTRAINT'] = str(CONSTRAINTS)
        done = subprocess.run(
            [str(self.python), *(str(arg) for arg in args)],
            env={**env, 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **variables},
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
        names = {path.name for path in (*self.site.iterdir(), *self.python.parent.iterdir())}
        return names - {'__pycache__'}

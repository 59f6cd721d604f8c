"""Build backend: setuptools, with three additions.

- An editable install is found by ``mim train`` and ``_base_ = 'mmpixcon::...'``.
  Both ask ``pkg_resources`` where the package lies; for an editable wheel it
  answers "site-packages", where no ``mmpixcon/.mim`` is. They then join that
  answer with the first line of ``top_level.txt``, so that line is made the
  absolute path of the package in the checkout. pip uninstalls it like any wheel.
- An editable wheel gets ``mmpixcon_ops.pth`` as well, by which Python finds
  mmcv's operators at each start. setup.py adds it to an ordinary wheel.
- Everything is built outside the source tree, so nothing stale gets into a
  wheel and the checkout stays clean.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from setuptools import build_meta as _setuptools
from wheel.wheelfile import WheelFile

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / 'mmpixcon'


@contextlib.contextmanager
def _outside_the_tree() -> Iterator[None]:
    """Send setuptools' build and egg-info folders to a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        extra = Path(folder) / 'extra.cfg'
        extra.write_text(f'[build]\nbuild_base = {folder}\n[egg_info]\negg_base = {folder}\n')
        before = os.environ.get('DIST_EXTRA_CONFIG')
        os.environ['DIST_EXTRA_CONFIG'] = str(extra)
        try:
            yield
        finally:
            if before is None:
                del os.environ['DIST_EXTRA_CONFIG']
            else:
                os.environ['DIST_EXTRA_CONFIG'] = before


def _outside(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Run one of setuptools' build hooks outside the source tree."""

    @functools.wraps(hook)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _outside_the_tree():
            return hook(*args, **kwargs)

    return run


get_requires_for_build_sdist = _outside(_setuptools.get_requires_for_build_sdist)
get_requires_for_build_wheel = _outside(_setuptools.get_requires_for_build_wheel)
get_requires_for_build_editable = _outside(_setuptools.get_requires_for_build_editable)
prepare_metadata_for_build_wheel = _outside(_setuptools.prepare_metadata_for_build_wheel)
build_sdist = _outside(_setuptools.build_sdist)
build_wheel = _outside(_setuptools.build_wheel)


def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """As setuptools', with the path of the checkout in ``top_level.txt``."""
    with _outside_the_tree():
        name = _setuptools.prepare_metadata_for_build_editable(metadata_directory, config_settings)
    _name_checkout(Path(metadata_directory) / name)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """As setuptools', with the path of the checkout in ``top_level.txt``.

    Args:
        wheel_directory (str): Where the wheel is put.
        config_settings (dict, optional): Passed through.
        metadata_directory (str, optional): Not used: the metadata are made anew.

    Returns:
        str: File name of the wheel.
    """
    with _outside_the_tree():
        name = _setuptools.build_editable(wheel_directory, config_settings)
    wheel = Path(wheel_directory) / name
    with tempfile.TemporaryDirectory(dir=wheel_directory) as folder:
        content = Path(folder) / 'content'
        with WheelFile(str(wheel)) as source:
            source.extractall(content)
        (dist_info,) = content.glob('*.dist-info')
        _name_checkout(dist_info)
        shutil.copy2(ROOT / 'mmpixcon_ops.pth', content)
        # write_files computes RECORD anew.
        (dist_info / 'RECORD').unlink()
        rebuilt = Path(folder) / name
        with WheelFile(str(rebuilt), 'w') as target:
            target.write_files(str(content))
        os.replace(rebuilt, wheel)
    return name


def _name_checkout(dist_info: Path) -> None:
    """Put the package's absolute path before its name in ``top_level.txt``."""
    (dist_info / 'top_level.txt').write_text(
        f'{PACKAGE}\n{PACKAGE.name}\nmmpixcon_ops\n', encoding='utf-8'
    )

"""Versions of other packages that mmpixcon runs with.

What is known to break is refused when mmpixcon is imported, with the remedy.
What is newer than the newest tested release gets one warning, and runs.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

Installed = Callable[[str], str]


class Range(NamedTuple):
    """Releases of a distribution: the lowest that works, and the newest that was tested.

    The newest is a prefix: 2.15 stands for 2.15.0 and 2.15.1.
    """

    lowest: str
    tested: str


# package: distributions that install it, the project's own first. The community's fork
# (onedl-*) has names of its own for the same files.
PACKAGES: dict[str, dict[str, Range]] = {
    'torch': {'torch': Range('2.1', '2.15')},
    'torchvision': {'torchvision': Range('0.16', '0.29')},
    'numpy': {'numpy': Range('1.26', '2.5')},
    'opencv': {
        name: Range('4.8', '5.0')
        for name in (
            'opencv-python',
            'opencv-contrib-python',
            'opencv-python-headless',
            'opencv-contrib-python-headless',
        )
    },
    'mmengine': {
        'mmengine': Range('0.10.7', '0.10'),
        'mmengine-lite': Range('0.10.7', '0.10'),
        'onedl-mmengine': Range('0.10.10', '0.10'),
    },
    'mmcv': {
        'mmcv': Range('2.0.0', '2.1'),
        'mmcv-lite': Range('2.0.0', '2.1'),
        'onedl-mmcv': Range('2.3.0', '2.3'),
    },
    'mmdet': {'mmdet': Range('3.3.0', '3.3'), 'onedl-mmdetection': Range('3.4.0', '3.5')},
    'mmcls': {'mmcls': Range('1.0.0rc6', '1.0')},
    'mmselfsup': {'mmselfsup': Range('1.0.0', '1.0')},
}

REMEDY = (
    'A set that works together, in an environment of its own: pip install "mmpixcon[lite]" '
    '(in a checkout: make env, or pip install -c requirements/constraints.txt -e ".[lite]"). '
    'See "Install" in the documentation.'
)


def check_versions(installed: Installed = version) -> None:
    """Check the packages that mmpixcon builds on.

    Args:
        installed (Callable): Maps the name of a distribution to its version, and
            raises ``PackageNotFoundError`` where there is none.

    Raises:
        ImportError: A package is missing, too old, or known to break. The message
            lists all of them and the remedy.
    """
    problems: list[str] = []
    newer: list[str] = []
    present: dict[str, dict[str, Version]] = {}
    for package, distributions in PACKAGES.items():
        present[package] = {}
        for name, releases in distributions.items():
            try:
                text = installed(name)
                release = Version(text)
            except PackageNotFoundError:
                continue
            except InvalidVersion:
                problems.append(f'  {name}: its version, {text!r}, cannot be read')
                continue
            present[package][name] = release
            # A local build counts as its release: 2.1.0+cu121.
            if Version(release.public) < Version(releases.lowest):
                problems.append(f'  {name} {text}: {releases.lowest} or newer is needed')
            elif _is_newer(release, releases.tested):
                newer.append(f'{name} {text} (tested up to {releases.tested})')
        if not present[package] and not any(package in problem for problem in problems):
            names = ' or '.join(distributions)
            problems.append(f'  {package}: not installed ({names})')
    problems += _known_to_break(present)
    if problems:
        raise ImportError(
            'mmpixcon cannot run with the installed packages:\n'
            + '\n'.join(problems)
            + f'\n{REMEDY}'
        )
    if newer:
        warnings.warn(
            'mmpixcon has not been tested with ' + ', '.join(newer) + '. If something fails that '
            'should not, try a tested release.',
            stacklevel=2,
        )


def _is_newer(release: Version, tested: str) -> bool:
    """Tell whether a release is newer than the newest tested one."""
    limit = Version(tested).release
    return release.release[: len(limit)] > limit


def _known_to_break(present: dict[str, dict[str, Version]]) -> list[str]:
    """Name what cannot work, whatever mmpixcon does.

    Args:
        present (dict): Package: versions of its distributions that are installed.

    Returns:
        list[str]: A line for each.
    """
    lines = []
    for package in ('mmcv', 'mmengine', 'mmdet'):
        names = list(present[package])
        if len(names) > 1:
            lines.append(
                f'  {" and ".join(names)}: they install the same files, so that one has '
                f'overwritten parts of the other; pip uninstall {" ".join(names)}, then install '
                'the one that you want'
            )
    mmdet = present['mmdet'].get('mmdet')
    for name, release in present['mmcv'].items():
        if mmdet is not None and mmdet < Version('3.4') and release >= Version('2.2'):
            lines.append(
                f'  {name} {release}: mmdet {mmdet} refuses mmcv 2.2 and newer; mmcv-lite 2.1.0 '
                'or mmcv 2.1.0 work with it'
            )
    engine = present['mmengine']
    if ('mmengine' in engine or 'mmengine-lite' in engine) and not _has_pkg_resources():
        lines.append(
            '  setuptools: mmengine 0.10.7 imports pkg_resources, which setuptools 82 and newer '
            "do not have; pip install 'setuptools<81'"
        )
    return lines


def _has_pkg_resources() -> bool:
    """Tell whether setuptools still has ``pkg_resources``."""
    return importlib.util.find_spec('pkg_resources') is not None

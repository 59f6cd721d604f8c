"""Makes the pinned OpenMMLab set importable together.

Nothing installed is patched: versions are checked once, and mmcls and
mmselfsup, whose version checks stop just below the mmcv that mmdet 3.3 runs
with, are imported while mmcv reports a version that they accept.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from typing import Callable

from packaging.version import InvalidVersion, Version

# package: (lowest supported, first unsupported). Both ends of torch and the set
# of requirements/constraints.txt are tested; the rest are mmdet's own bounds.
SUPPORTED: dict[str, tuple[str, str]] = {
    'torch': ('2.1', '2.12'),
    'numpy': ('1.21', '2.0'),
    'mmengine': ('0.10.0', '0.11'),
    'mmcv': ('2.0.0', '2.2.0'),
    'mmdet': ('3.3.0', '3.4'),
    'mmcls': ('1.0.0rc6', '1.1'),
    'mmselfsup': ('1.0.0', '1.1'),
}

# What is known of versions outside the range, to say it before it is met.
REASONS: dict[str, str] = {
    'numpy': 'mmcv 2.1 overflows in color transforms under numpy 2',
    'mmcv': 'mmdet 3.3 stops at mmcv 2.1',
}

# The newest mmcv that mmcls 1.0.0rc6 and mmselfsup 1.0.0 accept. Their code
# runs on mmcv 2.1.0; only the check at import refuses it.
_ACCEPTED_MMCV = '2.0.1'


def check_versions(installed: Callable[[str], str] = version) -> None:
    """Check that every package that mmpixcon builds on is in its range.

    Args:
        installed (Callable): Maps a package name to its version and raises
            ``PackageNotFoundError`` where there is none.

    Raises:
        ImportError: A package is missing or outside the supported range. The
            message lists all of them and how to install the tested set.
    """
    problems = []
    for package, (low, high) in SUPPORTED.items():
        wanted = f'>={low},<{high}'
        try:
            found = installed(package)
            # A pre-release or local build counts as its release: 2.1.0+cu121.
            release = Version(found)
        except PackageNotFoundError:
            problems.append(f'  {package}: not installed, wanted {wanted}')
            continue
        except InvalidVersion:
            problems.append(f'  {package}: unreadable version {found!r}, wanted {wanted}')
            continue
        public = Version(release.public)
        if public < Version(low) or Version(public.base_version) >= Version(high):
            why = f' ({REASONS[package]})' if package in REASONS else ''
            problems.append(f'  {package} {found}: wanted {wanted}{why}')
    if problems:
        raise ImportError(
            'mmpixcon cannot run with the installed packages:\n'
            + '\n'.join(problems)
            + '\nInstall the tested set: pip install -c requirements/constraints.txt '
            '-r requirements.txt (see "Install" in README.md).'
        )


def import_mmselfsup() -> None:
    """Import mmcls and mmselfsup beside mmcv 2.1.

    Raises:
        ImportError: One of them fails to import for another reason.
    """
    import mmcv

    real = mmcv.__version__
    try:
        if Version(real) > Version(_ACCEPTED_MMCV):
            mmcv.__version__ = _ACCEPTED_MMCV
        for package in ('mmcls', 'mmselfsup'):
            importlib.import_module(package)
    finally:
        mmcv.__version__ = real
    _forget_missing_locations()


def _forget_missing_locations() -> None:
    """Keep mmengine from importing modules that mmselfsup names and does not have.

    mmselfsup 1.0.0 says that its runners and loops are in
    ``mmselfsup.engine.runner``, which is not there: any run in its scope would
    stop at the first loop that is looked up.
    """
    from mmengine.registry import Registry

    registries = importlib.import_module('mmselfsup.registry')
    for registry in vars(registries).values():
        if isinstance(registry, Registry) and registry.scope == 'mmselfsup':
            missing = [
                location
                for location in registry._locations
                if importlib.util.find_spec(location) is None
            ]
            registry._imported = registry._imported or bool(missing)


def register_package() -> None:
    """Let configs of any project say ``_base_ = 'mmpixcon::...'``.

    mmengine reads such a base only from the packages of a fixed table.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('mmpixcon', 'mmpixcon')

"""Which versions are accepted, and what is said about others."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mmcv
import pytest
from packaging.requirements import Requirement

from mmpixcon.compat import SUPPORTED, check_versions, import_mmselfsup

REQUIREMENTS = Path(__file__).parents[1] / 'requirements'


def with_versions(**changed: str):
    """The installed versions, some of them changed."""
    return lambda name: changed.get(name) or version(name)


def test_the_installed_set_is_accepted() -> None:
    check_versions()


@pytest.mark.parametrize(
    'name, found', [('torch', '2.1.2+cu121'), ('torch', '2.11.0'), ('mmcls', '1.0.0rc6')]
)
def test_both_ends_are_accepted(name: str, found: str) -> None:
    check_versions(with_versions(**{name: found}))


@pytest.mark.parametrize(
    'name, found',
    [
        ('torch', '2.0.1'),
        ('torch', '2.12.0.dev1'),
        ('numpy', '2.0.2'),
        ('mmcv', '2.2.0'),
        ('mmdet', '3.2.0'),
        ('mmselfsup', '0.10'),
        ('mmengine', 'unknown'),
    ],
)
def test_others_are_named_with_the_remedy(name: str, found: str) -> None:
    with pytest.raises(ImportError) as caught:
        check_versions(with_versions(**{name: found}))
    low, high = SUPPORTED[name]
    message = str(caught.value)
    assert name in message and found in message and f'>={low},<{high}' in message
    assert 'constraints.txt' in message


def test_all_problems_are_said_at_once() -> None:
    def installed(name: str) -> str:
        if name == 'mmcv':
            raise PackageNotFoundError(name)
        return '2.2' if name == 'numpy' else version(name)

    with pytest.raises(ImportError, match=r'(?s)numpy 2\.2.*mmcv: not installed'):
        check_versions(installed)


def test_mmselfsup_is_imported_and_mmcv_left_as_it_was() -> None:
    before = mmcv.__version__
    import_mmselfsup()
    assert mmcv.__version__ == before
    from mmselfsup.registry import MODELS

    assert MODELS.get('DenseCL') is not None


def test_every_pin_is_in_the_supported_range() -> None:
    lines = (REQUIREMENTS / 'constraints.txt').read_text().splitlines()
    pins = dict(line.split('#')[0].strip().split('==') for line in lines if '==' in line)
    check_versions(with_versions(**pins))
    for name in ('runtime.txt', 'mminstall.txt'):
        for line in (REQUIREMENTS / name).read_text().splitlines():
            if line and not line.startswith('#'):
                requirement = Requirement(line)
                if requirement.name in SUPPORTED:
                    low, high = SUPPORTED[requirement.name]
                    assert str(requirement.specifier) in (f'<{high},>={low}', f'>={low},<{high}')
                if requirement.name in pins:
                    assert requirement.specifier.contains(pins[requirement.name], prereleases=True)

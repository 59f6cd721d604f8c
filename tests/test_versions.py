"""Which versions are accepted, and what is said about others."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from mmpixcon import versions
from mmpixcon.versions import PACKAGES, Range, check_versions
from tests.helpers.configs import ROOT

REQUIREMENTS = ROOT / 'requirements'

TESTED = {
    'torch': '2.15.0',
    'torchvision': '0.29.2',
    'numpy': '2.5.5',
    'opencv-python': '5.0.0.93',
    'mmengine': '0.10.7',
    'mmcv-lite': '2.1.0',
    'mmdet': '3.3.0',
    'mmcls': '1.0.0rc6',
    'mmselfsup': '1.0.0',
}
FORK = {
    'mmengine': None,
    'onedl-mmengine': '0.10.12',
    'mmcv-lite': None,
    'onedl-mmcv': '2.3.6',
    'mmdet': None,
    'onedl-mmdetection': '3.5.1',
}


def environment(**changes: str | None):
    """An environment of the tested set with some distributions changed; None is not installed.

    Names have ``_`` for ``-``.
    """
    present = {**TESTED, **{name.replace('_', '-'): value for name, value in changes.items()}}

    def installed(name: str) -> str:
        if present.get(name) is None:
            raise PackageNotFoundError(name)
        return present[name]

    return installed


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield


def test_the_installed_set_is_accepted() -> None:
    check_versions()


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'torch': '2.1.2+cu121', 'torchvision': '0.16.2', 'numpy': '1.26.4'},
        {'torch': '2.15.3', 'numpy': '2.5.9', 'mmengine': '0.10.9'},
        {'opencv-python': None, 'opencv-contrib-python-headless': '4.8.1.78'},
        {'mmcv-lite': None, 'mmcv': '2.1.0'},
        FORK,
    ],
    ids=['newest', 'oldest', 'patch releases', 'another OpenCV', 'compiled', 'fork'],
)
def test_accepted_in_silence(changes: dict[str, str | None]) -> None:
    check_versions(environment(**changes))


def test_newer_than_tested_is_one_warning() -> None:
    with pytest.warns(UserWarning) as caught:
        check_versions(environment(torch='2.16.0', numpy='3.0.0', opencv_python='5.1.0.95'))
    assert len(caught) == 1
    message = str(caught[0].message)
    for words in ('torch 2.16.0 (tested up to 2.15)', 'numpy 3.0.0', 'opencv-python 5.1.0.95'):
        assert words in message


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'torch': '2.0.1'}, r'torch 2\.0\.1: 2\.1 or newer is needed'),
        ({'torch': '2.1.0.dev3'}, r'torch 2\.1\.0\.dev3: 2\.1 or newer'),
        ({'numpy': '1.25.2'}, r'numpy 1\.25\.2: 1\.26 or newer'),
        ({'mmengine': '0.10.5'}, r'mmengine 0\.10\.5: 0\.10\.7 or newer'),
        ({'mmselfsup': 'unknown'}, "mmselfsup: its version, 'unknown', cannot be read"),
        ({'mmcv-lite': '2.2.0'}, r'mmcv-lite 2\.2\.0: mmdet 3\.3\.0 refuses mmcv 2\.2'),
        ({'mmcv-lite': None, 'onedl-mmcv': '2.3.6'}, r'onedl-mmcv 2\.3\.6: mmdet 3\.3\.0 refuses'),
        ({'mmcv': '2.1.0'}, r'mmcv and mmcv-lite: they install the same files.*pip uninstall'),
        ({'onedl-mmdetection': '3.5.1'}, 'mmdet and onedl-mmdetection: they install the same'),
        ({'torchvision': None}, r'torchvision: not installed'),
        ({'mmcv-lite': None}, r'mmcv: not installed \(mmcv or mmcv-lite or onedl-mmcv\)'),
    ],
)
def test_what_breaks_is_named_with_the_remedy(changes: dict[str, str | None], message: str) -> None:
    with pytest.raises(ImportError, match=message) as caught:
        check_versions(environment(**changes))
    assert 'pip install "mmpixcon[lite]"' in str(caught.value)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(ImportError, match=r'(?s)torch 2\.0\.1.*mmdet: not installed'):
        check_versions(environment(torch='2.0.1', mmdet=None))


def test_setuptools_without_pkg_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, '_has_pkg_resources', lambda: False)
    with pytest.raises(ImportError, match=r"pkg_resources.*pip install 'setuptools<81'"):
        check_versions(environment())
    check_versions(environment(**FORK))


def pins(name: str) -> dict[str, list[str]]:
    """Versions that a file of constraints pins, by distribution."""
    actual: dict[str, list[str]] = {}
    for line in (REQUIREMENTS / name).read_text().splitlines():
        text = line.split('#')[0].strip()
        if '==' in text.split(';')[0]:
            package, pinned = text.split(';')[0].strip().split('==')
            actual.setdefault(package, []).append(pinned)
    return actual


def ranges() -> dict[str, Range]:
    """Ranges by distribution."""
    return {name: r for distributions in PACKAGES.values() for name, r in distributions.items()}


@pytest.mark.parametrize('name', ['constraints.txt', 'constraints-oldest.txt'])
def test_every_pin_is_in_the_supported_range(name: str) -> None:
    for package, pinned in pins(name).items():
        if package in ranges():
            lowest, tested = ranges()[package]
            for one in map(Version, pinned):
                assert Version(lowest) <= one
                assert one.release[:2] <= Version(tested).release


def test_both_ends_are_pinned_for_ci() -> None:
    """What is said to be tested is: the newest and the oldest of torch, numpy and OpenCV."""
    for package in ('torch', 'numpy', 'opencv-python'):
        lowest, tested = ranges()[package]
        newest = max(map(Version, pins('constraints.txt')[package]))
        (oldest,) = map(Version, pins('constraints-oldest.txt')[package])
        assert newest.release[:2] == Version(tested).release
        assert oldest.release[:2] == Version(lowest).release[:2]


def test_requirements_say_the_same() -> None:
    for path in REQUIREMENTS.glob('*.txt'):
        if path.name.startswith('constraints'):
            continue
        for line in path.read_text().splitlines():
            text = line.split('#')[0].strip()
            if not text or text.startswith('-'):
                continue
            requirement = Requirement(text)
            if requirement.name in ranges() and path.name != 'proposals.txt':
                bounds = {s.operator: s.version for s in requirement.specifier}
                assert bounds['>='] == ranges()[requirement.name].lowest, f'{path.name}: {text}'


def test_page_and_packaging_say_the_same() -> None:
    page = (ROOT / 'docs' / 'install.md').read_text()
    setup = (ROOT / 'setup.py').read_text()
    script = (ROOT / 'tools' / 'setup_env.sh').read_text()
    assert "python_requires='>=3.10'" in setup and 'range(10, 14)' in setup
    assert '3.10 | 3.11 | 3.12 | 3.13' in script
    paragraphs = (' '.join(text.split()) for text in page.split('\n\n'))
    start = 'These versions are supported: '
    supported = next(text for text in paragraphs if text.startswith(start))
    for package, label in (('torch', 'torch'), ('numpy', 'numpy'), ('opencv-python', 'OpenCV')):
        lowest, tested = ranges()[package]
        assert re.search(rf'{label} {lowest} to {tested}\b', supported), (label, supported)
    assert 'Python 3.10 to 3.13' in supported


def test_pip_installs_no_package_that_the_fork_replaces() -> None:
    """The base requirements name nothing whose files are the fork's or a compiled mmcv's."""
    lines = (REQUIREMENTS / 'runtime.txt').read_text().splitlines()
    names = {Requirement(text).name for line in lines if (text := line.split('#')[0].strip())}
    replaced = {name for package in ('mmcv', 'mmengine', 'mmdet') for name in PACKAGES[package]}
    assert names and not names & replaced


def test_the_oldest_and_newest_are_what_is_installed_or_between() -> None:
    for distributions in PACKAGES.values():
        for name, (lowest, _) in distributions.items():
            try:
                assert Version(version(name)) >= Version(lowest)
            except PackageNotFoundError:
                continue

"""Files that make a public project: versions that they repeat, links, what they call."""

from __future__ import annotations

import re

import pytest
import yaml
from PIL import Image

from mmpixcon import __version__
from tests.helpers.configs import ROOT

PAGES = ('README.md', 'CONTRIBUTING.md', 'RELEASING.md', 'SECURITY.md', 'CHANGELOG.md')


def test_the_readme_fits_a_screen_or_two():
    assert len((ROOT / 'README.md').read_text(encoding='utf-8').splitlines()) <= 130


@pytest.mark.parametrize('name', PAGES)
def test_links_of_front_pages_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding='utf-8')
    for target in re.findall(r'\]\((?!https?:|#)([^)#\s]+)', text):
        assert (ROOT / target).exists(), f'{name}: {target}'


def test_the_version_is_one():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text(encoding='utf-8'))
    assert citation['version'] == __version__
    assert citation['cff-version'] == '1.2.0' and citation['authors'] and citation['title']
    assert f'## [{__version__}]' in (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')


def test_linters_of_commits_are_those_of_make_lint():
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text(encoding='utf-8'))
    revisions = {repo['repo'].rsplit('/', 1)[1]: repo['rev'].lstrip('v') for repo in hooks['repos']}
    pins = dict(
        line.split('==') for line in (ROOT / 'requirements' / 'lint.txt').read_text().splitlines()
    )
    assert revisions['ruff-pre-commit'] == pins['ruff']
    assert revisions['codespell'] == pins['codespell']


def test_workflows_call_targets_that_exist():
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = set(re.findall(r'^([a-z-]+):', makefile, re.MULTILINE))
    for path in sorted((ROOT / '.github' / 'workflows').glob('*.yml')):
        workflow = yaml.safe_load(path.read_text(encoding='utf-8'))
        # YAML reads the key `on` as true.
        assert 'schedule' in workflow[True]
        steps = [step for job in workflow['jobs'].values() for step in job['steps']]
        called = {
            target
            for step in steps
            for target in re.findall(r'\bmake ([a-z-]+)', step.get('run', ''))
        }
        assert called and called <= targets
    for path in sorted((ROOT / '.github' / 'ISSUE_TEMPLATE').glob('*.yml')):
        assert yaml.safe_load(path.read_text(encoding='utf-8')), path


def test_every_target_of_make_is_explained():
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    phony = re.search(r'^\.PHONY: (.*)$', makefile, re.MULTILINE)[1].split()
    explained = re.findall(r'^([a-z-]+):.*## \S', makefile, re.MULTILINE)
    assert sorted(phony) == sorted(explained)


@pytest.mark.parametrize(
    'method',
    [
        'pixcon',
        'moco',
        'detco',
        'plrc',
        'barlow_twins',
        'vicreg',
        'siamese_detr',
        'updetr',
        'detreg',
    ],
)
def test_pages_of_methods_lead_to_their_code(method):
    page = ROOT / 'configs' / method / 'README.md'
    table = re.search(
        r'^\| code \| \|\n(.*?)\n\n', page.read_text('utf-8'), re.MULTILINE | re.DOTALL
    )[1]
    rows = dict(re.findall(r'^\| (\w+) \| (.*) \|$', table, re.MULTILINE))
    assert set(rows) == {'step', 'loss', 'views'}
    for name, target in re.findall(r'\[`([\w.]+)`\]\(([^)]+)\)', table):
        path = page.parent / target
        assert name.split('.')[0] in path.read_text(encoding='utf-8') or name == path.stem


def test_pictures_are_opaque():
    # Black text on nothing cannot be read on a dark page.
    pictures = sorted(path for end in ('png', 'jpg') for path in (ROOT / 'docs').glob(f'*.{end}'))
    assert pictures and not list((ROOT / 'docs').rglob('*.svg'))
    for path in pictures:
        with Image.open(path) as image:
            alpha = image.convert('RGBA').getchannel('A')
        assert alpha.getextrema() == (255, 255), path.name

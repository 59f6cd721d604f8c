"""What a recipe says, and what is wrong with others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from mmpixcon.apis.config import place_of_key
from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.recipe import find_recipe, resolved
from mmpixcon.recipes.state import flat
from tests.helpers.configs import CONFIGS

RECIPES = sorted(p for p in (CONFIGS / 'recipes').glob('*.py') if p.stem != 'paths')


def write(folder: Path, body: str) -> Path:
    """A recipe beside two configs."""
    for name in ('a', 'b'):
        (folder / f'{name}.py').write_text(f"model = dict(type='Tiny', width='{name}')\n")
    path = folder / 'recipe.py'
    path.write_text(body)
    return path


GOOD = """
seeds = (3, 4)
data = dict(photos='data/photos/')
options = dict(model=dict(depth=2))
stages = {
    'tune': dict(config='b.py', init={'model.init': 'pretrain'}, percent=10, data='photos'),
    'pretrain': dict(config='a.py', seeds=(3,), options=dict(model=dict(width='c'), x=[1, 2])),
    'test': dict(config='b.py', run='test', checkpoint='tune'),
}
rows = dict(one={'10%': 'tune'}, two={'all': 'test'})
tables = [dict(title='T', rows=rows, metrics=dict(AP='m'))]
"""


def test_stages_in_an_order_that_can_be_run(tmp_path):
    recipe = read_recipe(write(tmp_path, GOOD))
    assert list(recipe.stages) == ['pretrain', 'tune', 'test']
    tune, pretrain, test = (recipe.stages[name] for name in ('tune', 'pretrain', 'test'))
    assert tune.config == tmp_path / 'b.py' and tune.percent == 10
    assert tune.seeds == (3, 4) and pretrain.seeds == (3,)
    assert pretrain.seed_of(4) == 3 and tune.seed_of(4) == 4
    assert tune.options == {'model.depth': 2}
    assert pretrain.options == {'model.depth': 2, 'model.width': 'c', 'x': [1, 2]}
    assert tune.sources == ('pretrain',) and test.sources == ('tune',) and pretrain.sources == ()
    assert recipe.tables[0].columns == ('10%', 'all')
    assert recipe.data == {'photos': 'data/photos/'}


def test_the_command_line_comes_last(tmp_path):
    dominant = {'model.depth': 5, 'model.width': 'z'}
    recipe = read_recipe(
        write(tmp_path, GOOD), data=dict(photos='/p'), options=dominant, seeds=(4, 7)
    )
    assert recipe.data == {'photos': '/p'}
    assert recipe.stages['tune'].options['model.depth'] == 5
    assert recipe.stages['pretrain'].options['model.width'] == 'z'
    assert recipe.stages['tune'].seeds == (4, 7)
    # Of seeds of its own, those that are there; one at least.
    assert recipe.stages['pretrain'].seeds == (3,)


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ('x = 1', r'a recipe has stages, dict\(NAME=dict\(config=...\), ...\)'),
        ("stages = dict(a=dict(confg='a.py'))", "has a key 'confg': did you mean config"),
        ('stages = dict(a=dict(percent=3))', r'stages.a has no config; write config='),
        ("stages = dict(a=dict(config='c.py'))", r'stages.a.config = c.py: .*c.py does not exist'),
        ("stages = dict(a=dict(config='a.py', run='tune'))", "run = 'tune': choose one of"),
        ("stages = dict(a=dict(config='a.py', run='test'))", "run='test' and checkpoint=STAGE go"),
        (
            "stages = dict(a=dict(config='a.py', init=dict(load_from='pre')))",
            "stages.a builds on 'pre', which the recipe does not have; there is 'a'",
        ),
        (
            "stages = dict(pretrain=dict(config='a.py'), a=dict(config='a.py', "
            "init=dict(load_from='pretrian')))",
            "'pretrian', which the recipe does not have; did you mean 'pretrain'",
        ),
        (
            "stages = dict(a=dict(config='a.py', init=dict(load_from='b')), b=dict(config='b.py', "
            "init=dict(load_from='a')))",
            r'stages build on each other in a cycle, (a <- b <- a|b <- a <- b); take one',
        ),
        (
            "stages = dict()\nfor name, options in dict(a={}, b={'x': 1}).items():\n"
            "    stages[name] = dict(config='a.py', options=options)",
            'line 2: the loop leaves its last options behind, and options is a key of recipes',
        ),
        ("stages = dict(a=dict(config='a.py', percent=0))", 'percent = 0 must be above 0'),
        ("stages = dict(a=dict(config='a.py', seeds=()))", 'stages.a.seeds is empty'),
        ("stages = dict(a=dict(config='a.py', data='coco'))", "stages.a.data is 'coco', which"),
        (
            "stages = dict(a=dict(config='a.py'))\ntables = [dict(rows=dict(r=dict(c='z')), "
            "metrics=dict(AP='m'))]",
            "tables.0.rows.r.c is 'z', which the recipe does not have",
        ),
        (
            "stages = dict(a=dict(config='a.py'))\ntables = [dict(rows=dict(r=dict(c='a')), "
            "metrics=dict(AP='m'), paper=dict(r=dict(c=dict(AP5=1))))]",
            "tables.0.paper.r.c has 'AP5', which the recipe does not have; did you mean 'AP'",
        ),
        (
            "stages = dict(a=dict(config='a.py'))\ntables = [dict(rows=dict(r=dict(c='a')))]",
            'tables.0 needs rows',
        ),
    ],
)
def test_bad_recipes(body, message, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_recipe(write(tmp_path, body))


def test_missing_recipe():
    with pytest.raises(
        FileNotFoundError, match=r'nowhere\.py does not exist; .*/recipes has .*demo\.py'
    ):
        read_recipe('nowhere.py')


@pytest.mark.parametrize('name', ['demo.py', 'demo'])
def test_a_shipped_recipe_by_its_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(name).samefile(CONFIGS / 'recipes' / 'demo.py')
    with pytest.raises(FileNotFoundError, match=r'recipe elsewhere/demo\.py does not exist'):
        find_recipe('elsewhere/demo.py')


@pytest.mark.slow
@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_options_of_shipped_recipes_fit_their_configs(path):
    """Each kind of options once: a list that is indexed is long enough, a dict is one."""
    kinds = {}
    for stage in read_recipe(path).stages.values():
        if stage.options and not ('cityscapes' in stage.config.name and find_spec('mmseg') is None):
            # Of the tasks of one folder one.
            kinds.setdefault((stage.config.parent, tuple(stage.options)), stage)
    for stage in kinds.values():
        cfg = resolved(stage)
        settings = flat(cfg.to_dict())
        for key, value in flat(dict(stage.options)).items():
            if not key.endswith('._delete_'):
                assert settings[place_of_key(cfg, key)] == value, (stage.name, key)


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes(path):
    recipe = read_recipe(path)
    assert recipe.tables
    compared = {s for table in recipe.tables for row in table.rows.values() for s in row.values()}
    used = compared | {source for stage in recipe.stages.values() for source in stage.sources}
    assert used == set(recipe.stages)

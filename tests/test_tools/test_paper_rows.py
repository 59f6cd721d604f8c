"""Rows of the papers' tables, and stated settings beside those of the configs."""

from __future__ import annotations

import sys

import pytest
from mmengine.config import Config

from mmpixcon.recipes import read_recipe
from mmpixcon.recipes.papers import paper_results
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import load_tool, run_tool

TOOL = ROOT / 'tools' / 'misc' / 'paper_rows.py'
DETCO = 'detco/detco_r50_8xb32-200e_imagenet'
SETTINGS = """
paper: DetCo
title: DetCo
recipe: detco_tables
tables: []
groups:
  - title: Pretraining
    of: detco/*
    release: facebookresearch/moco, main_moco.py
    settings:
      - {what: learning rate, stated: 6e-2, source: A.4, key: optim_wrapper.optimizer.lr}
      - {what: images a step, stated: 256, option: --batch-size, derived: images_per_step}
"""


@pytest.fixture(scope='module')
def tools():
    """The modules of the tool, by name."""
    load_tool(TOOL)
    names = ('paper_checks', 'paper_files', 'paper_runs', 'paper_tables')
    return {name: sys.modules[name] for name in names}


@pytest.fixture
def paper_of(tools, tmp_path):
    """A function that reads a paper's file from its text."""

    def read(text: str):
        path = tmp_path / 'detco.yml'
        path.write_text(text)
        return tools['paper_files'].read_paper(path)

    return read


@pytest.fixture
def problems_of(tools, paper_of):
    """A function that says what is wrong with stated settings of DetCo's config, changed or not."""

    def check(text: str, **changes: object) -> list[str]:
        run = tools['paper_runs'].run_of_config('DetCo', DETCO, '')
        cfg = Config.fromfile(CONFIGS / f'{DETCO}.py')
        cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
        values = tools['paper_runs'].Values({run.stage.config: cfg})
        checked = tools['paper_checks'].check_settings(paper_of(text).settings, [run], values)
        return [problem for one in checked for problem in one.problems()]

    return check


def line_of(page: str, section: str, stage: str) -> str:
    """The line of a stage in a section of the page."""
    (part,) = [part for part in page.split('\n### ') if part.startswith(section)]
    (line,) = [line for line in part.splitlines() if line.startswith(f'| `{stage}`')]
    return line


def test_the_page_is_what_the_configs_say():
    code, out, err = run_tool(TOOL, '--check')
    assert code == 0, out + err
    page = (ROOT / 'docs' / 'rows.md').read_text()
    share = line_of(page, 'Figure 8: ', 'Siamese DETR conditional-detr-100q, 30% of VOC')
    assert '| 49.3 |' in share
    line_of(page, 'Figure 5: ', '100 epochs, 64 points, to VOC')
    best = line_of(page, 'Table 1: COCO val2017', 'alpha 0, beta 1')
    assert '| 44.4 | 63.5 | 48.6 | 27.0 | 47.6 | 59.2 |' in best
    assert '(../configs/pixcon/pixcon_deformable-detr_r50_4xb3-50e_coco.py)' in best
    few = line_of(page, 'Table I: ', 'DetCo, 1%')
    assert '| 12.4 | 23.5 | 11.8 | 12.1 | 21.9 | 12.0 |' in few
    assert 'mask-rcnn_r50_fpn_8xb2-12k_coco.py) from [detco_r50_8xb32-200e_imagenet]' in few
    assert line_of(page, 'Table 2: BDD100K', 'DN-Deformable-DETR, DC5').endswith('| as stated |')
    assert line_of(page, 'Table 2: BDD100K', 'DETR').endswith('| 39.9 | 4 |')
    for setting in (
        '| learning rate | appendix A.4 | 0.06 | 0.06 | all |',
        '| masks of a view | section 4.1 | 16 | 16 | all |',
        '| least IoU of the views | section 3.2 | 0.5 | 0.5 | all |',
    ):
        assert setting in page


def test_settings_that_agree(problems_of):
    assert problems_of(SETTINGS) == []


def test_a_changed_config_is_found(problems_of):
    (problem,) = problems_of(SETTINGS, optim_wrapper__optimizer__lr=0.03)
    assert problem == (
        f'detco.yml: groups.0.settings.0 (learning rate): {DETCO} (DetCo): A.4 says 0.06, ours is '
        '0.03; change the config, or give a reason'
    )
    (problem,) = problems_of(SETTINGS, train_dataloader__batch_size=64)
    assert 'release: `--batch-size` says 256, ours is 512' in problem


def test_a_reason_counts_until_it_is_needless(problems_of):
    text = SETTINGS.replace('stated: 256,', 'stated: 256, reason: More memory.,')
    assert problems_of(text, train_dataloader__batch_size=64) == []
    (problem,) = problems_of(text)
    assert 'the reason is needless, ours is 256 as stated in DetCo' in problem


def test_a_default_is_that_of_the_class(problems_of):
    share = '{what: one bank, stated: false, source: VI, key: model.head.share_bank}'
    text = f'{SETTINGS}      - {share}\n'
    assert problems_of(text) == []
    (problem,) = problems_of(text, model__head__share_bank=True)
    assert 'VI says no, ours is yes' in problem


def test_what_is_left_out_of_a_config_has_the_default_of_the_type(tools):
    cfg = Config(dict(model=dict(type='mmpixcon.PixelContrastDetector')))
    read_key = tools['paper_runs'].read_key
    assert read_key(cfg, 'model.loss_nce.temperature', 'mmpixcon.PixelNCELoss') == 0.3
    with pytest.raises(KeyError, match=r'no model\.loss_nce'):
        read_key(cfg, 'model.loss_nce.temperature')


@pytest.mark.parametrize(
    ('before', 'after', 'message'),
    [
        ('stated: 256', 'states: 256', "key 'states': did you mean stated?"),
        ('source: A.4, ', '', 'settings.0 (learning rate): give source, or option'),
        (', key: optim_wrapper.optimizer.lr', '', 'give one of key, derived, constant'),
        (
            '    release: facebookresearch/moco, main_moco.py\n',
            '',
            'the group names; it names none',
        ),
        ('title: DetCo\n', '', 'detco.yml has no title'),
    ],
)
def test_what_cannot_be_read_is_named(problems_of, before, after, message):
    assert before in SETTINGS
    with pytest.raises(ValueError) as error:
        problems_of(SETTINGS.replace(before, after, 1))
    assert str(error.value).startswith('detco.yml') and message in str(error.value)


def test_a_value_that_does_not_resolve_is_named(problems_of):
    text = SETTINGS.replace('optimizer.lr', 'optimizer.rate').replace('images_per_step', 'images')
    key, function = problems_of(text)
    where = f'detco.yml: groups.0.settings.0 (learning rate): {DETCO}: '
    assert key.startswith(f'{where}optim_wrapper.optimizer.rate does not resolve: KeyError')
    assert f'{DETCO}: images does not resolve' in function


def test_a_pattern_without_a_run(problems_of):
    problems = problems_of(SETTINGS.replace('detco/*', 'detco/gone*'))
    assert len(problems) == 2 and 'no run of a row is' in problems[0] and 'gone' in problems[0]


TABLES = """
paper: DetCo
title: DetCo
recipe: detco_tables
tables:
  - {table: VI, what: a bank, rows: [detco-shared-bank, 'detco-gg, 100 epochs']}
  - {table: VII, what: contrasts, rows: [detco-gg, detco-gg-gl, 'detco, 50 epochs']}
ours: {random weights: One, supervised: One, MoCo v1: One, MoCo v2: One, DetCo: One, DetCo-AA: One,
  detco-w0001: One, detco-w1111-norm: One, detco-w1111: One, detco-norm: One,
  'detco, 100 epochs': One}
groups: []
"""


@pytest.fixture
def rows_of(tools, paper_of):
    """A function that finds rows of tables VI and VII."""
    results = [r for r in paper_results() if r.paper == 'DetCo' and 'VI' in ''.join(r.tables)]
    recipe = read_recipe('detco_tables')

    def find(text: str):
        return tools['paper_tables'].rows_of(paper_of(text), recipe, results)

    return find


def test_rows_have_their_runs(rows_of):
    rows = rows_of(TABLES)
    assert rows.problems == []
    first = next(iter(rows.lines.values()))[0]
    assert first.stage == 'detco-shared-bank, VOC' and first.metrics['box AP'] == 56.2
    assert [run.config.rsplit('/', 1)[-1] for run in first.runs] == [
        'faster-rcnn_r50-c4_8xb2-24k_voc0712',
        'detco-shared-bank_r50_8xb32-100e_imagenet',
    ]


@pytest.mark.parametrize(
    ('before', 'after', 'message'),
    [
        ('[detco-gg, ', '[', "row 'detco-gg', PASCAL VOC 07+12, and no table here lists that row"),
        ('[detco-gg, ', '[detco-gone, ', "row 'detco-gone' has no stage in the recipe"),
        (
            "rows: [detco-gg, detco-gg-gl, 'detco, 50 epochs']",
            "rows: [detco-gg-gl, 'detco, 50 epochs'], missing: {detco-gg: No config.}",
            "missing lists 'detco-gg', which is there now; move it to rows",
        ),
        (
            "rows: [detco-gg, detco-gg-gl, 'detco, 50 epochs']",
            "rows: [detco-gg-gl, 'detco, 50 epochs'], others: [detco-gg]",
            "others lists 'detco-gg', which is there now; move it to rows",
        ),
        ('supervised: One, ', '', "the recipe has a row 'supervised' that no table here lists"),
        (
            'DetCo: One',
            'DetCo: One, gone: One',
            "ours lists 'gone', which the recipe does not have",
        ),
        ('DetCo: One', 'DetCo: One, detco-gg: One', "ours lists 'detco-gg', which rows lists, too"),
    ],
)
def test_rows_that_do_not_fit(rows_of, before, after, message):
    assert before in TABLES
    assert any(message in problem for problem in rows_of(TABLES.replace(before, after)).problems)


def test_a_config_without_mmsegmentation(tools, monkeypatch):
    monkeypatch.setattr(tools['paper_runs'], '_is_installed', lambda package: False)
    path = CONFIGS / 'finetune' / 'fcn-d6_r50-d16_8xb2-90k_cityscapes.py'
    cfg = tools['paper_runs'].read_or_without_base(path)
    assert cfg.train_cfg.max_iters == 90000 and cfg.model.decode_head.channels == 256

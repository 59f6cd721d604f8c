"""The site, built as strictly as it is published; its notebook; its example of a method."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmpixcon import registry
from mmpixcon.models.backbones.pixel_check import check_pixels
from mmpixcon.registry import DATASETS, MODELS
from tests.helpers.configs import CONFIGS, ROOT

DOCS = ROOT / 'docs'
EXTENSIONS = DOCS / 'extensions'
METHODS = ('pixcon', 'dn_detr', 'detco', 'plrc', 'barlow_twins_vicreg', 'siamese_detr')
TAG = re.compile(r'<[^>]*>')


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    """The site; any warning fails."""
    pytest.importorskip('sphinx', reason="the site needs pip install -e '.[docs]'")
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html']
    done = subprocess.run(
        [*command, '-d', out / 'doctrees', DOCS, out / 'html'],
        cwd=out,
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / 'html'


def text_of(page: Path) -> str:
    """What a page says, without tags."""
    return re.sub(r'\s+', ' ', unescape(TAG.sub('', page.read_text(encoding='utf-8'))))


@pytest.mark.slow
def test_every_page_is_there_and_in_the_menu(site):
    # The template of a method has a page of its own, for the method's folder.
    names = [page.relative_to(DOCS) for page in DOCS.rglob('*.md')]
    pages = [page.with_suffix('.html') for page in names if page.parts[0] != 'examples']
    assert len(pages) > 25
    menu = (site / 'index.html').read_text(encoding='utf-8')
    for page in pages:
        assert (site / page).is_file(), page
        assert page.name == 'index.html' or f'href="{page.as_posix()}"' in menu, page


@pytest.mark.slow
def test_methods_have_equation_code_and_readme(site):
    names = dict(
        pixcon=('L N C E i', 'class _PixelNCE', 'mim test mmdet STOCK_CONFIG'),
        dn_detr=('clamp', 'def noisy_boxes', 'num_patterns'),
        detco=('L i g g', 'class _InfoNCE', 'mocov2_r18_1xb32-100e_bccd'),
        plrc=('A i k t e a c h e r', 'class _Affinities', 'images_with_points'),
        barlow_twins_vicreg=('Var', 'def off_diagonal_square', 'measure_normalization.py'),
        siamese_detr=('MVCA', 'def global_discrimination', 'make_proposals.py'),
    )
    assert set(names) == set(METHODS)
    for name, (equation, code, readme) in names.items():
        page = site / 'methods' / f'{name}.html'
        formulas = re.findall(r'<math.*?</math>', page.read_text(encoding='utf-8'), re.DOTALL)
        said = [re.sub(r'\s+', ' ', unescape(TAG.sub(' ', formula))) for formula in formulas]
        assert any(equation in re.sub(r' +', ' ', one) for one in said), (name, said)
        assert code in text_of(page), name
        assert readme in text_of(page), name


@pytest.mark.slow
def test_reference_has_what_is_registered(site):
    from sphinx.util.inventory import InventoryFile

    with open(site / 'objects.inv', 'rb') as file:
        inventory = InventoryFile.load(file, '', os.path.join)
    described = {name.rpartition('.')[2] for name in inventory['py:class']}
    registered = {
        what.__name__
        for one in vars(registry).values()
        if isinstance(one, registry.Registry)
        for what in one.module_dict.values()
        if what.__module__.startswith('mmpixcon.')
    }
    assert len(registered) > 50
    assert registered - described == set()
    assert 'nearby cells of the other view with the distant ones.' in (
        text_of(site / 'reference' / 'losses.html')
    )


@pytest.mark.slow
def test_links_lead_to_files_and_headings_of_the_site(site):
    checked = 0
    for page in site.rglob('*.html'):
        for link in re.findall(
            r'(?:href|src)="([^"]+)"', page.read_text(encoding='utf-8', errors='replace')
        ):
            if re.match(r'[a-z]+:|#svg', link):
                continue
            file, _, heading = unescape(link).partition('#')
            target = (page.parent / file.partition('?')[0]).resolve() if file else page
            assert target.is_file(), f'{page.name}: {link}'
            if heading and target.suffix == '.html':
                assert f'id="{heading}"' in target.read_text(encoding='utf-8'), link
            checked += 1
    assert checked > 2000
    # Names that a docstring has without their module.
    siamese = (site / 'methods' / 'siamese_detr.html').read_text(encoding='utf-8')
    assert 'models.html#mmpixcon.models.heads.SiameseDETRHead' in siamese
    # No relative link of a README was left for the repository.
    finetune = (site / 'finetuning' / 'detection_transformers.html').read_text(encoding='utf-8')
    assert 'href="transfer.html"' in finetune
    detco = (site / 'methods' / 'detco.html').read_text(encoding='utf-8')
    assert re.search(r'href="(detco\.html)?#results-on-bccd-ours"', detco)


@pytest.mark.slow
def test_the_site_fetches_nothing(site):
    for page in site.rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//', text) == []


def test_traps_of_the_environment_are_told():
    page = (DOCS / 'troubleshooting.md').read_text(encoding='utf-8')
    for trap in (
        'MMCV_WITH_OPS=1',
        '--no-build-isolation',
        'undefined symbol',
        "No module named 'mmcv._ext'",
        'MMCV==2.1.0 is used but incompatible',
        'mmcls==1.0.0rc6',
        'adjust_hue',
        'setuptools<81',
        'C++20',
        'MMCV=compiled',
        'openxlab',
        'mim train mmpixcon',
        'auto_scale_lr',
        'Weights only load failed',
        'CPU build of torch',
        'selected index k out of range',
        'FORCE_CUDA=1',
    ):
        assert trap in page, trap


def test_links_of_readmes_are_rewritten(tmp_path):
    module = extension('readme_links')
    docs, folder = tmp_path / 'docs', tmp_path / 'configs' / 'one'
    for path in (docs / 'p' / 'one.md', docs / 'x.png', folder / 'README.md', folder / 'c.py'):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (docs / 'p' / 'one.md').write_text('```{include} ../../configs/one/README.md\n```\n')
    (docs / 'part.md').write_text('```{include} ../top.md\n:start-after: "## A"\n```\n')
    pages = module.pages_of_files(docs)
    assert pages == {'configs/one/README.md': 'p/one'}
    text = (
        '[a](README.md#h) [b](../one) ![c](../../docs/x.png) [d](c.py) [e](gone.md) [f](#h) '
        '[g](https://a.b/c.py) [h](../../top.md#h)'
    )
    pages['top.md#h'] = 'part'
    assert module.rewrite(text, folder, docs, pages) == (
        '[a](/p/one.md#h) [b](/p/one.md) ![c](/x.png) [d](/../configs/one/c.py) [e](gone.md) '
        '[f](#h) [g](https://a.b/c.py) [h](/part.md#h)'
    )


def test_stars_of_arguments_are_escaped():
    escape = extension('docstrings').escape_stars
    assert escape('*args, **kwargs: As stock.') == r'\*args, \*\*kwargs: As stock.'
    assert (
        escape('(Q, *out_shape) of the *second* view') == r'(Q, \*out_shape) of the *second* view'
    )
    for line in ('``**kwargs`` and a * b', '>>> call(*args)', r'already \*args'):
        assert escape(line) == line


def test_an_index_stands_beside_an_accented_letter():
    module = extension('mathml')
    nodes = pytest.importorskip('docutils.nodes')
    actual = module.convert(nodes.math('', r'\hat p_k'), as_block=False)
    assert re.sub(r'\s', '', TAG.sub('', actual)) == 'p\N{MODIFIER LETTER CIRCUMFLEX ACCENT}k'
    assert re.findall(r'<(m\w+)', actual) == ['math', 'msub', 'mover', 'mi', 'mo', 'mi']
    # What has no accent keeps its place below.
    limits = module.convert(nodes.math_block('', r'\sum_{k=1}^{n} k'), as_block=True)
    assert '<munderover>' in limits


def extension(name: str):
    """One of the site's extensions."""
    pytest.importorskip('sphinx', reason="the site needs pip install -e '.[docs]'")
    return type(name, (), runpy.run_path(str(EXTENSIONS / f'{name}.py')))


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    # Where it keeps its data.
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    nbformat = pytest.importorskip('nbformat', reason="pip install -e '.[docs]'")
    nbclient = pytest.importorskip('nbclient', reason="pip install -e '.[docs]'")
    pytest.importorskip('ipykernel', reason="pip install -e '.[docs]'")
    notebook = nbformat.read(DOCS / 'tour.ipynb', as_version=4)
    assert all(not cell.get('outputs') for cell in notebook.cells), 'keep it without outputs'
    nbclient.NotebookClient(
        notebook, timeout=120, resources={'metadata': {'path': str(DOCS)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get('outputs', ())]
    assert sum('image/png' in out.get('data', {}) for out in outputs) == 4
    printed = ''.join(out['text'] for out in outputs if out.get('name') == 'stdout')
    row = re.search(r'^loss_pixel_cos +(-?\d\.\d+) +(-?\d\.\d+)$', printed, re.MULTILINE)
    assert row and all(-1 <= float(value) <= 1 for value in row.groups())
    # Six steps of pretraining.
    assert re.search(r'^feature_std( +[01]\.\d+){6}$', printed, re.MULTILINE)
    assert "missing: []\nof the method: ['pixcon']" in printed
    assert re.search(r'VICReg, Faster R-CNN +faster-rcnn_r18\S+ +VICReg\n', printed)


def test_configs_of_own_data_are_read(tmp_path):
    page = (DOCS / 'extending.md').read_text(encoding='utf-8')
    blocks = re.findall(r"```python\n(_base_ = 'mmpixcon::.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    read = []
    for i, block in enumerate(blocks):
        (tmp_path / f'{i}.py').write_text(block)
        read.append(Config.fromfile(tmp_path / f'{i}.py'))
    detector, photos = read
    assert detector.model.type == 'mmpixcon.PixelContrastDetector'
    assert detector.model.detector.bbox_head.num_classes == 2
    assert detector.train_dataloader.dataset.type == 'mmpixcon.RobustCocoDataset'
    assert detector.train_dataloader.dataset.pipeline[-1].type == 'mmpixcon.PixelContrastViews'
    assert detector.val_dataloader.dataset.metainfo.classes == ('car', 'bicycle')
    assert detector.test_evaluator.ann_file == 'data/mine/val.json'
    assert detector.dataset_name == 'Cars and bicycles'
    assert photos.train_dataloader.dataset.type == 'mmpixcon.UnlabelledDataset'
    assert photos.train_dataloader.dataset.data_prefix == dict(img_path='')
    assert photos.train_dataloader.dataset.pipeline[0].type


@pytest.mark.slow
@pytest.mark.parametrize('name', ['faster-rcnn', 'dinov2_faster-rcnn', 'mocov2'])
def test_examples_over_timm(name):
    pytest.importorskip('timm', reason="pip install 'mmpixcon[timm]'")
    cfg = Config.fromfile(DOCS / 'examples' / f'timm_{name}.py')
    assert cfg.model.backbone.pretrained
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    # Their pixels are those that the weights know.
    check_pixels(model)
    model.backbone.pretrained = False
    model.init_weights()
    model.train()
    if name == 'mocov2':
        losses = model.loss([torch.randn(2, 3, 64, 64) for _ in range(2)], [])
    else:
        batch = demo_mm_inputs(1, [(3, 64, 96)], num_classes=3)
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        assert model.neck(model.backbone(torch.randn(1, 3, 64, 96)))[0].shape == (1, 64, 16, 24)
    total = sum(sum(v) if isinstance(v, list) else v for k, v in losses.items() if 'loss' in k)
    total.backward()
    learns = [weight for weight in model.backbone.parameters() if weight.requires_grad]
    assert (learns == []) == ('dinov2' in name)
    assert all(weight.grad is not None for weight in learns)


def test_the_example_of_a_method_keeps_the_contracts(scenes_root, monkeypatch):
    monkeypatch.syspath_prepend(DOCS / 'examples')
    cfg = Config.fromfile(DOCS / 'examples' / 'mean_feature_faster-rcnn.py')
    cfg.train_dataloader.dataset.data_root = str(scenes_root)
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    data = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), True)
    losses = model(**data, mode='loss')
    # Before the first step the average is the detector.
    torch.testing.assert_close(losses['loss_mean_feature'], torch.zeros(()), atol=1e-6, rtol=0)
    assert {'loss_rpn_cls', 'loss_cls', 'loss_bbox'} <= set(losses)
    stock = MODELS.build(
        Config.fromfile(CONFIGS / 'stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py').model
    )
    result = stock.load_state_dict(model.state_dict(), strict=False)
    assert result.missing_keys == []
    assert {key.split('.')[0] for key in result.unexpected_keys} == {'mean_feature'}


def test_the_loss_of_the_example_is_its_equation(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / 'examples')
    from mean_feature import mean_feature_loss

    query, key = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64).unbind()
    query.requires_grad_()
    expected = 0.0
    for q, k in zip(query, key):
        q, k = q.flatten(1).mean(1), k.flatten(1).mean(1)
        expected = expected + (q / q.norm() - k / k.norm()).square().sum() / 3
    actual = mean_feature_loss(query, key)
    torch.testing.assert_close(actual, expected)
    grads = [torch.autograd.grad(x, query, retain_graph=True)[0] for x in (actual, expected)]
    torch.testing.assert_close(*grads)
    assert 0 <= actual <= 4

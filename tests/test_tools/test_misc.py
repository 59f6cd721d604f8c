"""tools/misc: which file sets a value of a config, and how readable the configs are."""

from __future__ import annotations

import re

import pytest
from mmengine.config import Config

from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

MISC = ROOT / 'tools' / 'misc'
SMALL = CONFIGS / 'pixcon' / 'pixcon_deformable-detr_r18_1xb8-12e_scenes.py'


@pytest.mark.parametrize(
    'key,value,file,name',
    [
        ('model.detector.backbone.depth', '18', 'models/deformable-detr_r18.py', 'backbone.depth'),
        ('model.levels', '(-1,)', '_base_/pixcon.py', 'pixcon_model.levels'),
        ('model.S', '9.0', '_base_/pixcon.py', 'pixcon_model.S'),
        ('model.detector.bbox_head.num_classes', '4', SMALL.name, 'bbox_head.num_classes'),
        ('train_dataloader.batch_size', '8', 'datasets/scenes.py', 'train_dataloader.batch_size'),
        (
            'train_dataloader.dataset.pipeline.PixelContrastViews.momentum.scale',
            '(160, 128)',
            'datasets/scenes.py',
            'views.momentum.scale',
        ),
        ('default_hooks.logger.interval', '50', 'default_runtime.py', 'default_hooks.logger'),
    ],
)
def test_why_names_the_file_and_line_that_set_a_value(key, value, file, name):
    status, out, err = run_tool(MISC / 'print_config.py', SMALL, '--why', key)
    assert status == 0, err
    said, source, *_ = out.splitlines()
    assert said == f'{key} = {value}'
    match = re.fullmatch(rf'  (.*{re.escape(file)}):(\d+) sets (.*)', source)
    assert match and name in match[3], source
    last = key.rsplit('.', 1)[-1]
    lines = (ROOT / match[1]).read_text().splitlines()
    assert last in lines[int(match[2]) - 1]


def test_a_key_that_is_not_there_is_named():
    status, _, err = run_tool(MISC / 'print_config.py', SMALL, '--why', 'model.levls')
    assert status == 1 and '--why model.levls' in err


def test_what_is_printed_is_what_a_run_reads(tmp_path):
    written = tmp_path / 'config.py'
    status, out, err = run_tool(
        *(MISC / 'print_config.py', SMALL, '--save-path', written),
        *('--cfg-options', 'custom_hooks.PlainCheckpointHook.min_loaded=0.25'),
    )
    assert status == 0, err
    cfg = Config.fromfile(written)
    assert 'pixcon_model' not in cfg and 'pixcon_model' not in out
    assert cfg.custom_hooks[1].min_loaded == 0.25 and cfg.model.levels == (-1,)


@pytest.mark.slow
def test_configs_stay_readable():
    status, out, err = run_tool(MISC / 'measure_configs.py')
    assert status == 0, err
    figures = dict(re.findall(r'^(.*?) +median \S+, max (\d+)$', out, re.M))
    assert int(figures['in a dump']) == 0
    assert int(figures['files read']) <= 14
    assert re.search(r'^positional references +0$', out, re.M), out

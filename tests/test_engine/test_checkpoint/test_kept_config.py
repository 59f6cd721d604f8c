"""The config of a checkpoint is read, and not run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmpixcon.apis.detection import load_detector
from mmpixcon.engine.checkpoint.kept_config import KeptConfigError, read_kept_config
from tests.helpers.configs import ROOT

pytestmark = pytest.mark.torch_versions

CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').glob('*/*.py')
    if path.parent.name not in ('_base_', 'recipes')
)


@pytest.mark.parametrize('path', CONFIGS[::7], ids=lambda path: path.stem)
def test_what_runners_keep_is_read_as_mmengine_reads_it(path: Path) -> None:
    text = Config.fromfile(path).pretty_text
    theirs = Config.fromstring(text, '.py')
    assert read_kept_config(text, 'a.pth').to_dict() == theirs.to_dict()


def test_every_setting_is_read() -> None:
    text = (
        "a = dict(b=-1, c=(1.5, None), d=[True, 'x'], e={3: b'y'}, f={1, 2})\n"
        "name = 'two '  'parts'\nempty = ()\n"
    )
    assert read_kept_config(text, 'a.pth').to_dict() == Config.fromstring(text, '.py').to_dict()
    (tuple_, list_) = read_kept_config(text, 'a.pth').a.c, read_kept_config(text, 'a.pth').a.d
    assert tuple_ == (1.5, None) and list_ == [True, 'x']


PROGRAMS = [
    'import os\nos.mkdir({target})',
    "a = __import__('os').mkdir({target})",
    'a = dict(b=[open({target}, "w")])',
    'a = dict(**open({target}, "w"))',
    'a = [open(path, "w") for path in [{target}]]',
    'a = (lambda: 3)()',
    'a = f"{{open({target}, 1)}}"',
    'a = b = 3',
    'a.b = 3',
    'open({target}, "w")',
    'def a(): pass',
    'a = dict([(1, 2)])',
    'a = list(3)',
    'a = {{**dict(b=1)}}',
    'a = ' + '[' * 5000,
    'a = ',
]


@pytest.mark.parametrize('program', PROGRAMS)
def test_what_is_more_than_settings_is_refused(tmp_path: Path, program: str) -> None:
    target = tmp_path / 'executed'
    with pytest.raises(KeptConfigError, match=r'a\.pth keeps a config .*more than settings'):
        read_kept_config(program.format(target=repr(str(target))), 'a.pth')
    assert not target.exists()


@pytest.mark.parametrize(
    'part',
    [
        "model = dict(type='FasterRCNN', neck=dict(type='os.mkdir', path={target}))",
        "test_dataloader = dict(dataset=dict(pipeline=[dict(type='os.mkdir', path={target})]))",
        "visualizer = dict(type='pathlib.Path.touch')",
        # mmcv evaluates it.
        'model = dict(nms=dict(type="os.mkdir({target}) or ops.nms"))',
    ],
)
def test_what_is_built_has_to_be_registered(tmp_path: Path, part: str) -> None:
    """Mmengine builds whatever a type names, functions of Python included."""
    with pytest.raises(KeptConfigError, match=r'a\.pth keeps a config of (os|pathlib)\..*--config'):
        read_kept_config(part.format(target=repr(str(tmp_path / 'a'))), 'a.pth')
    # Names of classes, as configs of mmdet's new kind have them, and layers of torch.
    text = "model = dict(type='mmdet.models.detectors.FasterRCNN', act=dict(type='torch.nn.GELU'))"
    assert read_kept_config(text, 'a.pth').model.act.type == 'torch.nn.GELU'


def test_a_detector_of_a_stranger(tmp_path: Path) -> None:
    target, path = tmp_path / 'executed', tmp_path / 'a.pth'
    cfg = Config.fromfile(ROOT / 'configs/stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py')
    cfg.model.neck = dict(type='os.mkdir', path=str(target))
    for text in (f'import os\nos.mkdir({str(target)!r})\n{cfg.pretty_text}', cfg.pretty_text):
        torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
        with pytest.raises(KeptConfigError, match='--config CONFIG'):
            load_detector(path, device='cpu')
    assert not target.exists()

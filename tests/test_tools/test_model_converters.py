"""The command line of tools/model_converters/convert.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.config import Config

from mmpixcon.registry import MODELS
from tests.helpers.configs import CONFIGS, ROOT
from tests.helpers.processes import run_tool

CONVERT = ROOT / 'tools' / 'model_converters' / 'convert.py'
DETECTOR = CONFIGS / 'finetune' / 'faster-rcnn_r18_fpn_1xb4-200i_scenes.py'


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as MoCo's release writes it."""
    state = {
        f'module.encoder_q.{k}': v for k, v in ResNet(18, base_channels=32).state_dict().items()
    }
    state |= {'module.encoder_q.fc.0.bias': torch.zeros(1), 'module.queue': torch.zeros(1)}
    path = tmp_path_factory.mktemp('moco') / 'moco.pth.tar'
    torch.save(dict(state_dict=state, arch='resnet18'), path)
    return path


def test_report(pretrained: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out.pth'
    arguments = (pretrained, '--to', 'mmdet', '--out', out, '--config', DETECTOR)
    status, printed, shown = run_tool(CONVERT, *arguments)
    assert status == 0, shown
    lines = printed.splitlines()
    assert lines[0] == f'{pretrained}: moco, resnet18 of width 32 -> {out}: mmdet'
    rows = [line.split() for line in lines]
    assert ['encoder_q', '120', '1'] in rows and ['all', '120', '2'] in rows
    assert 'left out, the projection head: encoder_q.fc.0.bias' in lines
    assert 'left out, the momentum encoder and its queue: queue' in lines
    assert ['backbone', '100', '0', '0', '0'] in rows and ['neck', '0', '16', '0', '0'] in rows
    assert lines[-1] == f'report: {out}.json'
    report = json.loads(Path(f'{out}.json').read_text())
    assert report['source'] == 'moco' and report['target'] == 'mmdet'
    assert report['backbone'] == 'resnet18 of width 32'
    assert report['converted']['backbone.bn1.bias'] == 'encoder_q.bn1.bias'
    assert report['left_out']['the projection head'] == ['encoder_q.fc.0.bias']
    assert len(report['config']['loaded']) == 100 and not report['config']['mismatched']

    # What it wrote is what the config starts from.
    model = MODELS.build(Config.fromfile(DETECTOR).model)
    state = torch.load(out, weights_only=True)['state_dict']
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and not any(name.startswith('backbone.') for name in missing)

    status, _, shown = run_tool(CONVERT, *arguments)
    assert status == 1 and shown == f'convert: {out} exists; give --overwrite to replace it\n'
    assert run_tool(CONVERT, *arguments, '--overwrite')[0] == 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ('--to', 'mmdet', '--out', 'o.onnx'),
            'o.onnx: the suffix must be .pth, .pt, .safetensors',
        ),
        (('--to', 'timm', '--out', 'o.pkl'), 'o.pkl: the suffix must be .pth, .pt, .safetensors'),
        (('--to', 'mmdet', '--out', 'o.pth', '--source', 'detr'), 'not in the layout detr'),
        (('--to', 'mmdet', '--out', 'o.pth', '--momentum'), '--momentum takes a bare backbone'),
        (('--to', 'mmdet', '--out', 'o.pth', '--coco-classes'), 'it has no class layer'),
        (('--to', 'mmdet', '--out', 'o.pth', '--config', 'no.py'), '--config no.py does not exist'),
        (
            ('--to', 'timm', '--out', 'o.pth', '--config', 'no.py'),
            'it goes with --to mmdet, not timm',
        ),
        (('--to', 'timm', '--out', 'o.pth'), 'width 32: torchvision and timm have the width 64'),
        (('--to', 'detr', '--out', 'o.pth'), 'it is none of these, not a detr'),
        (
            ('--to', 'mmdet', '--out', 'o.pth', '--backbone', 'resnet50'),
            'its backbone is resnet18 of width 32, not resnet50 as --backbone says',
        ),
    ],
)
def test_bad_input(
    options: tuple, message: str, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, shown = run_tool(CONVERT, pretrained, *options)
    assert status == 1 and shown.startswith('convert: ') and message in shown, shown
    assert not list(tmp_path.iterdir())


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    status, _, shown = run_tool(CONVERT, 'no.pth', '--to', 'mmdet', '--out', tmp_path / 'o.pth')
    assert status == 1 and shown == 'convert: no.pth does not exist\n'


def test_help_names_the_layouts() -> None:
    status, printed, _ = run_tool(CONVERT, '--help')
    assert status == 0
    assert '\n  updetr: ' in printed and '\n  detectron2: ' in printed

"""Checkpoints that would run code, read in every way that there is."""

from __future__ import annotations

import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.apis import init_detector
from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.runner import load_checkpoint
from torch import nn

from mmpixcon.apis import detection, inspection
from mmpixcon.apis.backbones import load_backbone
from mmpixcon.conversion.files import read_checkpoint
from mmpixcon.engine.checkpoint import ReportingPretrainedInit
from mmpixcon.fitting.results import publish
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool
from tests.helpers.writing_module import WritingModule

pytestmark = [pytest.mark.torch_versions, pytest.mark.slow]

HERE = Path(__file__).parent
CONFIG = HERE / 'tiny_config.py'
DETECTOR = ROOT / 'configs/stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def write_zip(path: Path, target: Path) -> None:
    """Write what torch saves today."""
    torch.save({'state_dict': {}, 'meta': Hostile(target)}, path)


def write_legacy(path: Path, target: Path) -> None:
    """Write what torch saved before 1.6."""
    content = {'state_dict': {}, 'meta': Hostile(target)}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_pickle(path: Path, target: Path) -> None:
    """Write no more than a pickle."""
    path.write_bytes(pickle.dumps(Hostile(target)))


def write_tar(path: Path, target: Path) -> None:
    """Write what torch saved before 0.1.10: an archive of pickles."""
    parts = dict(storages=[0, []], tensors=[0], pickle=[Hostile(target)])
    with tarfile.open(path, 'w:', format=tarfile.PAX_FORMAT) as archive:
        for name, objects in parts.items():
            part = path.with_name(name)
            # In the protocol that weights_only knows.
            part.write_bytes(b''.join(pickle.dumps(item, 2) for item in objects))
            archive.add(part, name)
            part.unlink()


def write_script(path: Path, target: Path) -> None:
    """Write TorchScript, whose code runs when it is read."""
    torch.jit.save(torch.jit.script(WritingModule(str(target))), str(path))


WRITERS = dict(
    zip=write_zip, legacy=write_legacy, pickle=write_pickle, tar=write_tar, script=write_script
)


def tool(name: str, *arguments: object) -> None:
    """Run a tool in this process; raise with what it printed if it fails."""
    status, _, error = run_tool(ROOT / 'tools' / name, *arguments)
    if status:
        raise RuntimeError(error)


def train(path: Path, *arguments: object) -> None:
    """Train the tiny config."""
    tool('train.py', CONFIG, '--work-dir', path.parent, *arguments)


def resume_newest(path: Path) -> None:
    """Go on from the newest checkpoint of a folder."""
    shutil.copy(path, path.with_name('iter_2.pth'))
    path.with_name('last_checkpoint').write_text(str(path.with_name('iter_2.pth')))
    train(path, '--resume')


def evaluate(path: Path) -> None:
    """Test with a checkpoint."""
    config = path.with_name('config.py')
    config.write_text(
        f"_base_ = '{CONFIG}'\ntest_cfg = dict()\n"
        'test_dataloader = {{_base_.train_dataloader}}\n'
        "test_evaluator = dict(type='mmengine.DumpResults', out_file_path='out.pkl')\n"
    )
    tool('test.py', config, path, '--work-dir', path.parent)


def stock_config() -> Config:
    """A detector that begins from random weights."""
    cfg = Config.fromfile(DETECTOR)
    cfg.model.backbone.init_cfg = None
    return cfg


READERS: dict[str, Callable[[Path], Any]] = {
    'train --resume PATH': lambda path: train(path, '--resume', path),
    'train --resume': resume_newest,
    'load_from': lambda path: train(
        path.rename(path.with_name('other')), '--cfg-options', f'load_from={path.parent}/other'
    ),
    'test': evaluate,
    'init_cfg': lambda path: ReportingPretrainedInit(str(path))(nn.Linear(1, 1)),
    'init_cfg with a prefix': lambda path: ReportingPretrainedInit(str(path), 'a.')(
        nn.Linear(1, 1)
    ),
    "mmengine's init_cfg": lambda path: PretrainedInit(str(path))(nn.Linear(1, 1)),
    "mmengine's load_checkpoint": lambda path: load_checkpoint(nn.Linear(1, 1), str(path)),
    "mmdet's init_detector": lambda path: init_detector(stock_config(), str(path), device='cpu'),
    'detect': lambda path: detection.load_detector(path),
    'detect with a config': lambda path: detection.load_detector(path, DETECTOR),
    'inspection': lambda path: inspection.load_for_inspection(DETECTOR, path),
    'backbones': lambda path: load_backbone(DETECTOR, path),
    'fit': lambda path: publish(path, path.with_name('out.pth')),
    'convert': read_checkpoint,
    'convert .pkl': lambda path: read_checkpoint(path.rename(path.with_suffix('.pkl'))),
    'convert .pth.tar': lambda path: read_checkpoint(path.rename(path.with_suffix('.pth.tar'))),
}


@pytest.mark.parametrize('written', WRITERS)
@pytest.mark.parametrize('reader', READERS)
def test_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, written: str
) -> None:
    monkeypatch.syspath_prepend(HERE)
    path, target = tmp_path / 'hostile.pth', tmp_path / 'executed'
    WRITERS[written](path, target)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        READERS[reader](path)
    assert not target.exists()
    message = str(caught.value)
    refused = ('is not loaded', 'may run code', 'cannot be read', 'can be read')
    assert any(part in message for part in refused), message


@pytest.mark.parametrize('written', [name for name in WRITERS if name != 'tar'])
def test_they_would_run_code(tmp_path: Path, written: str) -> None:
    """Else the test above would not notice."""
    path, target = tmp_path / 'hostile.pth', tmp_path / 'executed'
    WRITERS[written](path, target)
    assert not target.exists()
    if written == 'script':
        torch.jit.load(str(path))
    elif written == 'pickle':
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert target.exists()

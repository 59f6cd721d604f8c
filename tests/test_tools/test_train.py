"""The train and test tools, run as users run them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmpixcon.engine.hooks import InterruptionHook
from mmpixcon.registry import MODELS
from tests.helpers.configs import ROOT
from tests.helpers.detectors import save_detector
from tests.helpers.processes import in_two_processes, run_tool

HERE = Path(__file__).parent
CONFIG = HERE / 'tiny_config.py'
SCENES = ROOT / 'configs/stock/faster-rcnn_r18_fpn_1xb8-12e_scenes.py'


def run(*command: object) -> str:
    """Run a program; return what it printed."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        'PORT': str(port),
        'PYTHONPATH': os.pathsep.join((str(ROOT), str(HERE))),
        'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    }
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def weights(path: Path) -> list[float]:
    """Slope and intercept."""
    state = torch.load(path, weights_only=True)['state_dict']
    return [state['line.weight'].item(), state['line.bias'].item()]


def expected(batch: int, steps: int, lr: float = 0.1) -> list[float]:
    """Gradient descent on the line, by hand."""
    w = b = 0.0
    for step in range(steps):
        xs = [(step * batch + i) % 16 / 16 for i in range(batch)]
        errors = [w * x + b - 2 * x for x in xs]
        w, b = (
            w - lr * 2 * sum(e * x for e, x in zip(errors, xs)) / batch,
            b - lr * 2 * sum(errors) / batch,
        )
    return [w, b]


@pytest.mark.slow
@pytest.mark.torch_versions
def test_train_and_resume(tmp_path: Path) -> None:
    command = (sys.executable, ROOT / 'tools/train.py', CONFIG, '--work-dir', tmp_path)
    run(*command, '--cfg-options', 'train_cfg.max_iters=2')
    assert weights(tmp_path / 'iter_2.pth') == pytest.approx(expected(4, 2))
    printed = run(*command, '--resume')
    assert '2 of 2 tensors of TinyLine (100%) found in' in printed
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))
    run(*command, '--resume', tmp_path / 'iter_2.pth')
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))


def train(folder: Path, *arguments: object) -> str:
    """Train the tiny config in this process; return its log."""
    status, _, error = run_tool(ROOT / 'tools/train.py', CONFIG, '--work-dir', folder, *arguments)
    assert status == 0, error
    return max(folder.glob('*/*.log')).read_text()


def test_resume_takes_the_newest_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    saving = ('--cfg-options', 'default_hooks.checkpoint.interval=1', 'train_cfg.max_iters=3')
    train(tmp_path / 'run', *saving)
    newest = tmp_path / 'run' / 'iter_3.pth'
    newest.write_bytes(newest.read_bytes()[:-200])
    # As after a kill, and in a folder of another name.
    (tmp_path / 'run' / 'last_checkpoint').write_text('')
    (tmp_path / 'run').rename(tmp_path / 'moved')
    log = train(tmp_path / 'moved', '--resume')
    assert f'Not resumed from {tmp_path}/moved/iter_3.pth: it is cut off' in log
    assert f'Resumed from {tmp_path}/moved/iter_2.pth, the newest that can be read' in log
    assert weights(tmp_path / 'moved' / 'iter_4.pth') == pytest.approx(expected(4, 4))
    for path in (tmp_path / 'moved').glob('*.pth'):
        path.write_bytes(b'')
    printed = refused('train.py', CONFIG, '--work-dir', tmp_path / 'moved', '--resume')
    assert 'no checkpoint of' in printed and 'iter_4.pth: it is empty' in printed


def test_resume_before_the_first_checkpoint_keeps_load_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    train(tmp_path / 'start', '--cfg-options', 'train_cfg.max_iters=2')
    start = tmp_path / 'start' / 'iter_2.pth'
    options = ('--resume', '--cfg-options', f'load_from={start}', 'train_cfg.max_iters=1')
    log = train(tmp_path / 'run', *options)
    assert f'{tmp_path}/run has no checkpoint yet. The run begins from {start}.' in log
    slope, intercept = weights(tmp_path / 'run' / 'iter_1.pth')
    assert [slope, intercept] != pytest.approx(expected(4, 1))
    # The data begin anew as well: two steps, then the first again.
    xs = [i / 16 for i in range(4)]
    w, b = expected(4, 2)
    errors = [w * x + b - 2 * x for x in xs]
    w -= 0.1 * 2 * sum(e * x for e, x in zip(errors, xs, strict=True)) / 4
    assert slope == pytest.approx(w)


def test_a_second_run_in_a_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)
    train(tmp_path, '--cfg-options', 'train_cfg.max_iters=2')
    printed = refused('train.py', CONFIG, '--work-dir', tmp_path)
    assert f'{tmp_path} has checkpoints of a run before, such as iter_2.pth' in printed
    assert weights(tmp_path / 'iter_2.pth') == pytest.approx(expected(4, 2))
    log = train(tmp_path, '--overwrite', '--cfg-options', 'train_cfg.max_iters=1')
    assert 'checkpoints of the run before are in' in log
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']
    (before,) = tmp_path.glob('before_*')
    assert weights(before / 'iter_2.pth') == pytest.approx(expected(4, 2))
    # A restart by torchrun does not move away what was trained before it.
    with monkeypatch.context() as restarted:
        restarted.setenv('TORCHELASTIC_RESTART_COUNT', '1')
        printed = refused('train.py', CONFIG, '--work-dir', tmp_path, '--overwrite')
    assert f'{tmp_path} has checkpoints of a run before, such as iter_1.pth' in printed
    # While a run has the folder, no other begins.
    monkeypatch.setattr('fcntl.lockf', busy)
    assert 'is in use by process' in refused('train.py', CONFIG, '--work-dir', tmp_path, '--resume')


def busy(*arguments: object) -> None:
    """Answer as the system does where another process holds the lock."""
    raise BlockingIOError


def test_the_learning_rate_follows_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    status, _, error = run_tool(
        *(ROOT / 'tools/train.py', CONFIG, '--work-dir', tmp_path),
        *('--auto-scale-lr', '--cfg-options', 'train_cfg.max_iters=1'),
    )
    assert status == 0, error
    assert weights(tmp_path / 'iter_1.pth') == pytest.approx(expected(4, 1, lr=0.05))


@pytest.mark.slow
@pytest.mark.torch_versions
def test_two_processes_on_cpus_equal_one(tmp_path: Path) -> None:
    # Two processes with batches of 2 see, in turn, the items of one batch of 4.
    run(
        *(ROOT / 'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path),
        *('--cfg-options', 'train_dataloader.batch_size=2'),
    )
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))


@pytest.mark.slow
@pytest.mark.torch_versions
def test_torchrun_goes_on_after_a_lost_process(tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = '{CONFIG}'\ncustom_hooks = [dict(type='LostProcess')]\n")
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    printed = run(
        *(sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2'),
        *('--max-restarts=1', f'--master_port={port}', ROOT / 'tools/train.py', config),
        *('--launcher', 'pytorch', '--resume', '--work-dir', tmp_path / 'run'),
        *('--cfg-options', 'train_dataloader.batch_size=2'),
    )
    assert 'resumed epoch: 0, iter: 2' in printed
    assert weights(tmp_path / 'run' / 'iter_4.pth') == pytest.approx(expected(4, 4))


def train_rank(rank: int, port: int, folder: Path, told: bool) -> None:
    """Train as one of two processes; if ``told``, the second one gets SIGTERM in the first step."""
    place = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=2, MASTER_ADDR='127.0.0.1')
    os.environ.update({name: str(value) for name, value in place.items()}, MASTER_PORT=str(port))
    sys.path.insert(0, str(HERE))
    look = InterruptionHook.after_train_iter

    def tell(hook, runner, *args, **kwargs):
        if told and rank == 1 and runner.iter == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        look(hook, runner, *args, **kwargs)

    InterruptionHook.after_train_iter = tell
    status, _, error = run_tool(
        *(ROOT / 'tools/train.py', CONFIG, '--work-dir', folder, '--launcher', 'pytorch'),
        *('--resume', '--cfg-options', 'train_dataloader.batch_size=2'),
        *('custom_hooks.InterruptionHook.interval=3', 'default_hooks.checkpoint.interval=10'),
    )
    (folder / f'rank{rank}').write_text(f'{status}\n{error}')


def test_two_processes_end_after_the_same_step(tmp_path: Path) -> None:
    def statuses() -> list[int]:
        return [int((tmp_path / f'rank{r}').read_text().split()[0]) for r in range(2)]

    in_two_processes(train_rank, tmp_path, True)
    assert statuses() == [143, 143]
    # They agree every three steps.
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_3.pth']
    in_two_processes(train_rank, tmp_path, False)
    assert statuses() == [0, 0]
    assert weights(tmp_path / 'iter_4.pth') == pytest.approx(expected(4, 4))


def refused(tool: str, *arguments: object) -> str:
    """Run a tool in this process, which stops with an error; return that."""
    status, _, printed = run_tool(ROOT / 'tools' / tool, *arguments)
    assert status != 0
    return printed


def test_what_is_missing_is_named_before_anything_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    printed = refused('train.py', tmp_path / 'no.py')
    assert f'Config {tmp_path}/no.py does not exist' in printed
    printed = refused('train.py', SCENES, '--data-root', tmp_path / 'none')
    assert f'{tmp_path}/none  (train_dataloader.dataset.' in printed
    assert 'data_root)' in printed and 'make_scenes.py' in printed
    printed = refused('train.py', CONFIG, '--resume', tmp_path / 'no.pth')
    assert f'Checkpoint {tmp_path}/no.pth, given by --resume, does not exist' in printed


def test_the_test_tool_names_a_missing_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    assert f'Checkpoint {tmp_path}/no.pth' in refused('test.py', CONFIG, tmp_path / 'no.pth')
    printed = refused('test.py', CONFIG, 'x.pth', '--out', 'x.txt')
    assert '--out writes a pickle file' in printed


def test_the_test_tool_refuses_a_checkpoint_of_another_model(
    tmp_path: Path, scenes_root: Path
) -> None:
    # A stock config, without hooks of ours: its head would be tested with random weights.
    other = MODELS.build(dict(type='mmdet.ResNet', depth=18, base_channels=32))
    tensors = {f'backbone.{name}': value for name, value in other.state_dict().items()}
    torch.save(dict(state_dict=tensors), tmp_path / 'other.pth')
    printed = refused(
        *('test.py', SCENES, tmp_path / 'other.pth'),
        *('--data-root', scenes_root, '--work-dir', tmp_path),
    )
    assert 'tensors of FasterRCNN' in printed and 'the others would keep random values' in printed


def test_the_test_tool_augments(tmp_path: Path, scenes_root: Path) -> None:
    checkpoint = save_detector(SCENES, tmp_path / 'random.pth')
    arguments = (checkpoint, '--data-root', scenes_root, '--work-dir', tmp_path, '--tta')
    printed = refused('test.py', SCENES, *arguments)
    assert '--tta needs tta_model and tta_pipeline in the config' in printed
    # As the message has it.
    augmented = tmp_path / 'augmented.py'
    augmented.write_text(f"_base_ = ['{SCENES}', 'mmdet::retinanet/retinanet_tta.py']\n")
    scales = 'tta_pipeline.TestTimeAug.transforms.0'
    sizes = [f'{scales}.{i}.scale=({96 + 32 * i},96)' for i in range(3)]
    status, logged, printed = run_tool(
        ROOT / 'tools' / 'test.py', augmented, *arguments, '--cfg-options', *sizes
    )
    assert status == 0, printed
    printed = f'{logged}{printed}'
    assert re.search(r'(\d+) of \1 tensors of FasterRCNN \(100%\)', printed)
    assert 'coco/bbox_mAP: ' in printed

"""Command lines of the proposals: finding them, and their recall."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.evaluation import eval_recalls

from mmpixcon.datasets.proposals.store import Proposals, write_proposals
from mmpixcon.evaluation.proposal_recall import IOUS, proposal_recall
from tests.helpers.configs import ROOT
from tests.helpers.processes import run_tool

MAKE = ROOT / 'tools' / 'dataset_converters' / 'make_proposals.py'
RECALL = ROOT / 'tools' / 'analysis_tools' / 'proposal_recall.py'


def test_random_proposals_of_a_list(tmp_path: Path) -> None:
    images, out = tmp_path / 'images', tmp_path / 'out'
    images.mkdir()
    for name in ('a.png', 'b.png', 'c.png'):
        cv2.imwrite(str(images / name), np.zeros((30, 40, 3), np.uint8))
    (images / 'b.png').write_bytes(b'')
    (tmp_path / 'list.txt').write_text('a.png\nb.png\n')
    common = (images, '--out', out, '--method', 'random', '--workers', 1)
    listed = ('--ann-file', tmp_path / 'list.txt')
    status, printed, shown = run_tool(MAKE, *common, *listed, '--shard', '1/1', '--max-boxes', 3)
    assert status == 0 and '0 images are left to other shards' in printed, shown
    status, printed, shown = run_tool(MAKE, *common, *listed, '--merge', '--max-boxes', 3)
    assert status == 0 and 'images: 2, 2 of them done before, 1 unreadable\nboxes: 3' in printed
    assert 'make_proposals: no boxes of b.png: the file is empty' in shown
    assert len(Proposals(out)) == 1
    status, _, shown = run_tool(MAKE, *common)
    assert status == 1 and shown.startswith('make_proposals: ') and '--overwrite to' in shown
    assert shown.count('\n') == 1


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """Processes that a process has started, and those that these have."""
    actual = []
    for status in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything; the state and the parent follow it.
            if int(status.read_text().rpartition(')')[2].split()[1]) == pid:
                child = int(status.parent.name)
                actual += [child, *children_of(child)]
    return actual


def lives(pid: int) -> bool:
    """Whether a process runs, and is not merely waiting to be reaped."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='looks into /proc')
def test_killed_it_goes_on_where_it_was(tmp_path: Path) -> None:
    images, out = tmp_path / 'images', tmp_path / 'out'
    images.mkdir()
    picture = cv2.imencode('.png', np.zeros((30, 40, 3), np.uint8))[1].tobytes()
    names = [f'{i}.png' for i in range(8)]
    for name in names:
        (images / name).write_bytes(picture)
    listed = tmp_path / 'list.txt'
    listed.write_text('\n'.join(names))
    command = ['--ann-file', listed, '--method', 'random', '--workers', 2]
    assert run_tool(MAKE, images, '--out', tmp_path / 'whole', *command)[0] == 0
    stuck = [images / '6.png', images / '7.png']
    parts = [tmp_path / 'out.parts' / f'{number:08d}.npy' for number in range(8)]

    def start() -> tuple[subprocess.Popen, list[int]]:
        """Do all images but the last two: whoever reads their files waits for a writer."""
        shutil.rmtree(tmp_path / 'out.parts', ignore_errors=True)
        for path in stuck:
            path.unlink()
            os.mkfifo(path)
        arguments = [sys.executable, MAKE, images, '--out', out, *command]
        tool = subprocess.Popen([str(a) for a in arguments], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: sum(part.exists() for part in parts) == 6, 'six images are not done')
        workers = children_of(tool.pid)
        assert len(workers) == 2 and tool.poll() is None
        return tool, workers

    tool, workers = start()
    tool.kill()
    tool.wait(30)
    # The workers get what they wait for, and then nobody to tell it.
    for path in stuck:
        path.write_bytes(b'')
    wait_for(lambda: not any(map(lives, workers)), 'workers outlive a killed parent')
    # A worker that is killed, for lack of memory perhaps, is not waited for.
    tool, workers = start()
    os.kill(workers[0], signal.SIGKILL)
    assert 'a worker process died' in tool.communicate(timeout=30)[1] and tool.returncode == 1
    assert not any(part.exists() for part in parts[6:]) and not out.exists()
    for path in stuck:
        path.unlink()
        path.write_bytes(picture)
    before = [part.stat().st_mtime_ns for part in parts if part.exists()]
    status, printed, shown = run_tool(MAKE, images, '--out', out, *command, '--shard', '1/1')
    assert status == 0 and 'images: 8, 6 of them done before, 0 unreadable' in printed, shown
    # What is shown: done, of how many, and the time that it took and that is left.
    assert 'random: 2/2 images, ' in shown and shown.rstrip().endswith(' 0 s left')
    assert [part.stat().st_mtime_ns for part in parts[:6]] == before
    assert run_tool(MAKE, images, '--out', out, *command, '--merge')[0] == 0
    for path in (tmp_path / 'whole').iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--shard', '3/2'), "'3/2' is no i/n"),
        (('--shard', '1/2', '--merge'), 'not allowed with'),
        (('--method', 'random', '--side', '9'), '--side is of selective_search, not of random'),
        (('--method', 'edge_boxes', '--seed', '1'), '--seed is of selective_search and random'),
        (('--ann-file', 'no/list.txt'), 'no/list.txt does not exist'),
    ],
)
def test_options_that_do_not_fit(options: tuple, message: str, tmp_path: Path) -> None:
    status, _, shown = run_tool(MAKE, tmp_path, '--out', tmp_path / 'out', *options)
    assert status == 2 and message in shown


def test_recall_by_hand() -> None:
    objects = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], float)
    # Of the first object 0.5 and, third, all; of the second 0.6.
    actual = np.array([[0, 0, 10, 5], [20, 20, 30, 26], [0, 0, 10, 10]], float)
    none = np.zeros((0, 4))
    result = proposal_recall([(objects, actual), (objects[:1], none), (none, actual)], (1, 2, 3))
    assert result.objects == 3 and result.images == 3 and result.proposals == 6
    assert np.allclose(result.at(0.5), [1 / 3, 2 / 3, 2 / 3])
    assert np.allclose(result.average(), np.array([1, 1 + 3, 10 + 3]) / 30)
    # A proposal finds one object only.
    twice = np.repeat(objects[:1], 2, 0)
    assert proposal_recall([(twice, objects[:1])], (10,)).at(0.5).tolist() == [0.5]


def test_recall_is_mmdets() -> None:
    random = np.random.default_rng(0)

    def boxes(count: int) -> np.ndarray:
        corners = np.sort(random.uniform(0, 50, (count, 2, 2)), axis=1)
        return corners.reshape(count, 4)

    # The same numbers in each image: others it cannot do.
    pairs = [(boxes(6), boxes(40)) for _ in range(4)]
    ious = np.array(IOUS, np.float32)
    expected = eval_recalls(*map(list, zip(*pairs)), np.array([10, 40]), ious, logger='silent')
    assert np.allclose(proposal_recall(pairs, (10, 40)).recalls, expected)
    assert 0 < expected[1, 0] < 1


def test_the_recall_of_a_data_set(tmp_path: Path) -> None:
    box = [[1, 2, 31, 42]]
    write_proposals(tmp_path / 'found', ['a.jpg'], [box])
    write_proposals(tmp_path / 'others', ['z.jpg'], [box])
    annotations = [
        dict(image_id=1, bbox=[1, 2, 30, 40]),
        dict(image_id=1, bbox=[100, 100, 30, 40], iscrowd=1),
        dict(image_id=2, bbox=[1, 2, 30, 40], iscrowd=0),
    ]
    images = [dict(id=1, file_name='a.jpg'), dict(id=2, file_name='b.jpg')]
    coco = tmp_path / 'coco.json'
    coco.write_text(json.dumps(dict(images=images, annotations=annotations)))
    status, printed, shown = run_tool(RECALL, tmp_path / 'found', coco)
    assert status == 0 and '1 images have no proposals, such as b.jpg' in shown
    lines = [line.split() for line in printed.splitlines()]
    assert lines[1:4] == [[num, '0.500', '0.500'] for num in ('10', '30', '100')]
    assert printed.endswith('2 images, 2 objects, 0.5 proposals an image\n')
    assert '1.000' in run_tool(RECALL, tmp_path / 'found', coco, '--images', 1)[1]
    for arguments, message in (
        ((tmp_path / 'others', coco), 'they are of other images'),
        ((tmp_path / 'none', coco), 'does not exist'),
        ((tmp_path / 'found', coco, '--nums', 0), 'must be at least 1'),
        ((tmp_path / 'found', coco, '--images', 0), 'must be at least 1'),
    ):
        status, _, shown = run_tool(RECALL, *arguments)
        assert status == 1 and message in shown

"""Find object proposals in the images of a data set, in pieces of one image that survive a kill.

``OUT.parts/00000012.npy`` holds what was found in an image, the twelfth by name from zero: boxes
(k, 4) float32, or the reason why it has none, as bytes. It appears when it is whole, and a later
run skips the images whose files are there. When none is missing, they are packed into ``OUT``, as
:mod:`.store` reads it. What the boxes depend on is in ``settings.json`` of both folders, so files
of different settings never mix. The result depends neither on the number of processes or machines
nor on interruptions.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TextIO

import cv2
import numpy as np

from mmpixcon.utils.files import replace_file
from mmpixcon.utils.images import read_image
from mmpixcon.utils.progress import track_progress

from ..unlabelled import UnlabelledDataset
from .finders import Finder, ProposalSettings
from .store import write_sorted

RECORD = 'settings.json'

_FORMAT = 1
# Seconds between two looks at whether the worker processes live.
_PATIENCE = 1.0

# File to write, image to read, and name of the image.
Task = tuple[Path, str, bytes]


class ProposalCounts(NamedTuple):
    """Proposals after a run; those of its shard alone where it has done a shard.

    Attributes:
        images (int): images of the whole list.
        boxes (int): boxes.
        unreadable (dict[str, str]): images without boxes because they could not be read, with the
            reasons.
        kept (int): images that an earlier run had done.
        missing (int): images of the whole list that are left to other shards.
    """

    images: int
    boxes: int
    unreadable: dict[str, str]
    kept: int
    missing: int


def find_proposals(
    out: str | os.PathLike,
    settings: ProposalSettings,
    dataset: UnlabelledDataset,
    *,
    workers: int = 1,
    shard: tuple[int, int] | None = None,
    merge: bool = False,
    overwrite: bool = False,
    stream: TextIO | None = None,
) -> ProposalCounts:
    """Find the proposals of all images, or of a shard, or pack those of all shards.

    Run again with the same arguments, it keeps the images that are done and does the missing ones;
    finished proposals are left as they are.

    Args:
        out (str | os.PathLike): folder to write; ``OUT.parts`` beside it until then.
        settings (ProposalSettings): method and its options.
        dataset (UnlabelledDataset): list of the images. Their names are relative to its folder,
            where they lie in it.
        workers (int): processes. Defaults to 1.
        shard (tuple[int, int], optional): (i, n), to do each n-th image from the i-th on, i from 1,
            and pack nothing. Defaults to None, everything.
        merge (bool): whether only to pack, once every shard is done. Defaults to False.
        overwrite (bool): whether to replace other proposals of ``out``. Defaults to False.
        stream (TextIO, optional): stream that progress is shown on. Defaults to None, stdout.

    Returns:
        ProposalCounts: numbers of images and boxes, and unreadable images.

    Raises:
        FileExistsError: ``out`` or its parts were made otherwise and ``overwrite`` is False, or
            ``out`` is something else.
        FileNotFoundError: ``merge`` is True, but images are missing.
        RuntimeError: A worker process died.
        ValueError: An argument cannot be used, an image is listed twice, a part is damaged, or no
            image could be read.
    """
    if workers < 1:
        raise ValueError(f'workers is {workers}, but must be at least 1')
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise ValueError(f'shard {shard[0]}/{shard[1]} is not valid: give i/n with i from 1 to n')
    out = Path(os.path.abspath(out))
    folder = out.with_name(f'{out.name}.parts')
    paths = _list_images(dataset)
    record = {
        'format': _FORMAT,
        **settings.record(),
        'images': len(paths),
        'list': hashlib.sha256(b'\n'.join(paths)).hexdigest()[:16],
    }
    if _is_finished(out, record, overwrite):
        content = json.loads((out / RECORD).read_text())
        return ProposalCounts(
            len(paths), content['boxes'], content['unreadable'], kept=len(paths), missing=0
        )
    # Before anything is written, so that a file that is no model stops the run.
    finder = settings.finder()
    _prepare_parts(folder, record, overwrite, merge)
    tasks = [(folder / f'{i:08d}.npy', path, name) for i, (name, path) in enumerate(paths.items())]
    shard_tasks = tasks[shard[0] - 1 :: shard[1]] if shard else tasks
    present = {path.name for path in folder.iterdir()}
    todo = [] if merge else [task for task in shard_tasks if task[0].name not in present]
    written = _work_off(todo, settings, finder, min(workers, len(todo)))
    for _ in track_progress(written, settings.method, len(todo), stream or sys.stdout):
        pass
    present = {path.name for path in folder.iterdir()}
    missing = [task for task in tasks if task[0].name not in present]
    if missing and not shard:
        raise FileNotFoundError(
            f'{folder}: {len(missing)} of {len(tasks)} images are missing, such as '
            f'{missing[0][2].decode()}. Run each --shard again, which skips what is done, or the '
            'same command without --merge to find them here'
        )
    boxes, unreadable = _pack(None if shard else out, folder, shard_tasks, record)
    return ProposalCounts(len(tasks), boxes, unreadable, len(shard_tasks) - len(todo), len(missing))


def _list_images(dataset: UnlabelledDataset) -> dict[bytes, str]:
    """List the images, sorted by name."""
    folder = PurePath(os.path.abspath(dataset.folder or '.'))
    paths: dict[bytes, str] = {}
    for index in range(len(dataset)):
        path = dataset.get_data_info(index)['img_path']
        whole = PurePath(os.path.abspath(path))
        name = (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
        if name.encode() in paths:
            raise ValueError(f'{dataset.listed_in} lists {name} twice: take one out')
        paths[name.encode()] = path
    return dict(sorted(paths.items()))


def _difference(folder: Path, record: dict[str, Any]) -> str:
    """Name the settings of a folder that differ from these; '' if none does."""
    try:
        previous = dict(json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return f'it has no readable {RECORD}'
    return ', '.join(
        f'{key} is {previous.get(key)} there, {value} here'
        for key, value in record.items()
        if previous.get(key) != value
    )


def _is_finished(out: Path, record: dict[str, Any], overwrite: bool) -> bool:
    """Return whether these proposals are there already; refuse to replace others."""
    if not out.exists():
        return False
    if not (out / 'offsets.npy').is_file() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f'{out} exists and holds no proposals: give another --out')
    difference = '' if overwrite else _difference(out, record)
    if difference:
        raise FileExistsError(
            f'{out} holds other proposals ({difference}): give another --out, or --overwrite to '
            'replace them'
        )
    return not overwrite


def _prepare_parts(folder: Path, record: dict[str, Any], overwrite: bool, merge: bool) -> None:
    """Make the folder of parts, or check that it is of the same settings."""
    if overwrite and (folder / RECORD).exists() and _difference(folder, record):
        shutil.rmtree(folder)
    if not (folder / RECORD).exists():
        if merge:
            raise FileNotFoundError(
                f'{folder} holds no parts to merge: run the shards first, and bring their '
                'parts together there'
            )
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f'{folder} is not empty and has no {RECORD}: remove it')
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / RECORD, (json.dumps(record, indent=1) + '\n').encode())
    # Read again: of two shards that begin at once, the later may have written it.
    difference = _difference(folder, record)
    if difference:
        raise FileExistsError(
            f'{folder} holds the parts of other settings ({difference}): go on with those, '
            'give another --out, or --overwrite to start again'
        )


def _work_off(
    tasks: Sequence[Task], settings: ProposalSettings, finder: Finder, workers: int
) -> Iterator[None]:
    """Do the tasks, in any order; yields after each."""
    if workers <= 1:
        for task in tasks:
            _write_part(task, finder, settings.seed)
            yield
        return
    others = multiprocessing.active_children()
    # Forked, OpenCV's threads would be gone, and it would wait for them.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with multiprocessing.Pool(workers, _start_worker, (settings,)) as pool:
            crew = [worker for worker in multiprocessing.active_children() if worker not in others]
            results = pool.imap_unordered(_work, tasks)
            for _ in tasks:
                while True:
                    try:
                        yield results.next(_PATIENCE)
                        break
                    except multiprocessing.TimeoutError:
                        # The pool replaces a killed worker, but waits for its image forever.
                        if not all(worker.is_alive() for worker in crew):
                            raise RuntimeError(
                                'a worker process died, killed perhaps for lack of memory: run the '
                                f'same command again to go on, with fewer than {workers} workers '
                                'if it recurs'
                            ) from None
    finally:
        cv2.setNumThreads(threads)


_worker: dict[str, Any] = {}


def _start_worker(settings: ProposalSettings) -> None:
    # An interrupt reaches the parent alone, which then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _worker.update(finder=settings.finder(), seed=settings.seed)


def _work(task: Task) -> None:
    _write_part(task, **_worker)


def _write_part(task: Task, finder: Finder, seed: int) -> None:
    """Find the boxes of an image and write them, or the reason why there are none."""
    part, path, name = task
    image, reason = read_image(path)
    array = np.array((reason or '').encode())
    if image is not None:
        try:
            # By name, so that an image's boxes do not depend on the others.
            array = finder(image, zlib.crc32(name, seed) & 0x7FFFFFFF)
        except cv2.error as error:
            array = np.array(f'no boxes can be found in it: {error}'.strip().encode())
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    replace_file(part, file.getvalue())


def _read_part(part: Path) -> np.ndarray:
    """Read boxes, (k, 4) float32, or a reason, () bytes."""
    try:
        array = np.load(part, allow_pickle=False)
        if array.dtype.kind == 'S' or (array.dtype == np.float32 and array.shape[1:] == (4,)):
            return array
    except (ValueError, EOFError):
        pass
    raise ValueError(
        f'{part} is damaged: remove it and run again without --merge to find its boxes anew'
    )


def _pack(
    out: Path | None, folder: Path, tasks: Sequence[Task], record: dict[str, Any]
) -> tuple[int, dict[str, str]]:
    """Count the boxes of the parts and write them as proposals; without ``out``, only count."""
    counts: dict[Task, int] = {}
    unreadable: dict[str, str] = {}
    for task in tasks:
        array = _read_part(task[0])
        if array.dtype.kind == 'S':
            unreadable[task[2].decode()] = array.item().decode()
        else:
            counts[task] = len(array)
    boxes = sum(counts.values())
    if out is None:
        return boxes, unreadable
    if not counts:
        raise ValueError(
            f'none of {len(tasks)} images can be read, such as {tasks[0][1]}: '
            f'{next(iter(unreadable.values()))}. Restore them, remove {folder} and run again.'
        )
    content = {**record, 'boxes': boxes, 'unreadable': unreadable}
    write_sorted(
        out,
        [name for _, _, name in counts],
        np.array([*counts.values()], np.int64),
        (_read_part(part) for part, _, _ in counts),
        {RECORD: (json.dumps(content, indent=1) + '\n').encode()},
    )
    shutil.rmtree(folder)
    return boxes, unreadable

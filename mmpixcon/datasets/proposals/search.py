"""Finds object proposals in the images of a data set, in pieces that survive a kill.

The images, sorted by name, are cut into chunks; ``OUT.parts/00012.npy`` holds
what was found in one, and appears when it is whole. A later run skips the chunks that are
there, and when none is missing joins them to ``OUT``, as :mod:`.proposals` reads it. What the
boxes depend on is in ``settings.json`` of both folders, so pieces of different settings never
mix. The result depends neither on the number of processes or machines nor on interruptions.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path, PurePath
from typing import Any, TextIO

import cv2

from mmpixcon.utils.files import Progress, replace_file

from ..unlabelled import UnlabelledDataset
from .finders import Finder, ProposalSettings
from .parts import RECORD, Job, join, read_head, unreadable_of, what_is_missing, write_part

CHUNK = 32

_FORMAT = 1


@dataclass(frozen=True)
class ProposalSummary:
    """What a run did.

    Attributes:
        out (Path): The proposals.
        finished (bool): They are there; False where other shards are left.
        images (int): Images of the list.
        boxes (int): Boxes, of this run's shard where it is not finished.
        unreadable (dict[str, str]): Images without boxes because they could not
            be read, with the reasons; of this run's shard where it is not finished.
        kept (int): Images whose boxes an earlier run had found.
        missing (int): Images that other shards have yet to do.
        seconds (float): Time that this run took.
    """

    out: Path
    finished: bool
    images: int
    boxes: int
    unreadable: dict[str, str]
    kept: int
    missing: int
    seconds: float

    def table(self) -> str:
        """The summary as text."""
        lines = [
            f'images: {self.images}, {self.kept} of them done before, '
            f'{len(self.unreadable)} unreadable',
            f'boxes: {self.boxes}',
        ]
        if not self.finished:
            lines.append(
                f'{self.missing} images are left to other shards; --merge joins them when all '
                'are done'
            )
        return '\n'.join([*lines, f'{self.seconds:.1f} seconds, in {self.out}'])


def find_proposals(
    out: str | os.PathLike,
    settings: ProposalSettings,
    dataset: UnlabelledDataset,
    *,
    workers: int = 1,
    shard: tuple[int, int] | None = None,
    merge: bool = False,
    overwrite: bool = False,
    chunk: int = CHUNK,
    stream: TextIO | None = None,
) -> ProposalSummary:
    """Find the proposals of all images, or of a shard, or join those of all shards.

    Run again with the same arguments, it keeps the chunks that are there and does
    the missing ones; finished proposals are left as they are.

    Args:
        out (str | os.PathLike): Folder to write; ``OUT.parts`` beside it until then.
        settings (ProposalSettings): What is found.
        dataset (UnlabelledDataset): Lists the images. Their names are relative to
            its folder, where they lie in it.
        workers (int): Processes. Defaults to 1.
        shard (tuple[int, int], optional): (i, n): only the i-th of n parts of the
            work, i from 1, and no joining. Defaults to None, everything.
        merge (bool): Only join, once every shard is done. Defaults to False.
        overwrite (bool): Replace other proposals of ``out``. Defaults to False.
        chunk (int): Images of a chunk, the same for all shards. Defaults to 32.
        stream (TextIO, optional): Where progress is shown, stdout by default.

    Returns:
        ProposalSummary: What there is now.

    Raises:
        FileExistsError: ``out`` or its parts were made otherwise and ``overwrite``
            is False, or ``out`` is something else.
        FileNotFoundError: ``merge``, but chunks are missing.
        RuntimeError: A worker process died.
        ValueError: An argument cannot be used, an image is listed twice, a part is
            damaged, or no image could be read.
    """
    start = time.monotonic()
    out, stream = Path(os.path.abspath(out)), stream or sys.stdout
    _check(workers, shard, merge, chunk)
    job = _list_images(dataset, chunk, out.with_name(f'{out.name}.parts'))
    record = {
        'format': _FORMAT,
        **settings.record(),
        'images': len(job.names),
        'list': hashlib.sha256(b'\n'.join(job.names)).hexdigest()[:16],
        'chunk': chunk,
    }
    if _is_finished(out, record, overwrite):
        content = json.loads((out / RECORD).read_text())
        kept = len(job.names)
        return ProposalSummary(
            out, True, kept, content['boxes'], content['unreadable'], kept, 0, 0.0
        )
    # Before anything is written: a model that is none is an error.
    finder = None if merge else settings.finder()
    _prepare_parts(job, record, overwrite, merge)
    mine = [c for c in job.chunks if shard is None or c % shard[1] == shard[0] - 1]
    todo = [] if merge else [c for c in mine if not job.part(c).exists()]
    if shard is not None:
        replace_file(job.parts / f'shard_{shard[0]}_of_{shard[1]}', b'')
    progress = Progress(settings.method, job.images(todo), stream)
    done = 0
    for number in _each(job, settings, finder, todo, min(workers, len(todo))):
        done += job.size(number)
        progress.show(done)
    missing = [c for c in job.chunks if not job.part(c).exists()]
    kept = job.images(mine) - job.images(todo)
    if shard is not None:
        boxes, unreadable = 0, {}
        for number in mine:
            counts, reasons, size = read_head(job, number)
            boxes += size
            unreadable.update(unreadable_of(job, number, counts, reasons))
        finished, left = False, job.images(missing)
    else:
        if missing:
            raise FileNotFoundError(what_is_missing(job, missing))
        boxes, unreadable = join(job, out, record)
        finished, left = True, 0
    seconds = time.monotonic() - start
    return ProposalSummary(out, finished, len(job.names), boxes, unreadable, kept, left, seconds)


def _check(workers: int, shard: tuple[int, int] | None, merge: bool, chunk: int) -> None:
    for name, value in (('workers', workers), ('chunk', chunk)):
        if value < 1:
            raise ValueError(f'{name} is {value}, but must be at least 1')
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise ValueError(f'shard {shard[0]}/{shard[1]} is none: give i/n with i from 1 to n')
    if shard is not None and merge:
        raise ValueError('shard finds and merge joins: give one of them')


def _list_images(dataset: UnlabelledDataset, chunk: int, parts: Path) -> Job:
    """The images in the order of their names."""
    folder = PurePath(os.path.abspath(dataset.folder or '.'))
    found: dict[bytes, str] = {}
    for index in range(len(dataset)):
        path = dataset.get_data_info(index)['img_path']
        whole = PurePath(os.path.abspath(path))
        name = (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
        if name.encode() in found:
            raise ValueError(f'{dataset.listed_in} lists {name} twice: take one out')
        found[name.encode()] = path
    names = sorted(found)
    return Job([found[name] for name in names], names, chunk, parts)


def _read_record(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name the settings that differ; '' if none does."""
    keys = [*wanted, *(key for key in found if key not in wanted)]
    return ', '.join(
        f'{key} is {found.get(key)} there, {wanted.get(key)} here'
        for key in keys
        if found.get(key) != wanted.get(key)
    )


def _is_finished(out: Path, record: dict[str, Any], overwrite: bool) -> bool:
    """Whether these proposals are there already; refuse to replace others."""
    if not out.exists():
        return False
    found = _read_record(out)
    if (
        found is None
        and not (out / 'offsets.npy').is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise FileExistsError(f'{out} is there and holds no proposals: give another --out')
    if overwrite:
        return False
    if found is None:
        difference = f'it has no {RECORD}'
    else:
        result = ('boxes', 'unreadable')
        difference = _difference({k: v for k, v in found.items() if k not in result}, record)
    if difference:
        raise FileExistsError(
            f'{out} holds other proposals ({difference}): give another --out, or --overwrite to '
            'replace them'
        )
    return True


def _prepare_parts(job: Job, record: dict[str, Any], overwrite: bool, merge: bool) -> None:
    """Make the folder of parts, or check that it is of the same settings."""
    found = _read_record(job.parts)
    if found is not None and overwrite and _difference(found, record):
        shutil.rmtree(job.parts)
        found = None
    if found is None:
        if merge:
            raise FileNotFoundError(
                f'{job.parts} holds no parts to merge: run the shards first, and bring their '
                'parts together there'
            )
        if job.parts.exists() and any(job.parts.iterdir()):
            raise FileExistsError(f'{job.parts} is not empty and has no {RECORD}: remove it')
        job.parts.mkdir(parents=True, exist_ok=True)
        replace_file(job.parts / RECORD, (json.dumps(record, indent=1) + '\n').encode())
        # Of two shards that begin at once with different settings, one reads the other's.
        found = _read_record(job.parts) or {}
    difference = _difference(found, record)
    if difference:
        raise FileExistsError(
            f'{job.parts} holds the parts of other settings ({difference}): go on with those, '
            'give another --out, or --overwrite to begin anew'
        )


def _each(
    job: Job, settings: ProposalSettings, finder: Finder | None, todo: Sequence[int], workers: int
) -> Iterator[int]:
    """Do chunks, in any order; gives their numbers as they are written."""
    tasks = {
        c: (job.paths[c * job.chunk :][: job.chunk], job.names[c * job.chunk :][: job.chunk])
        for c in todo
    }
    if workers <= 1:
        assert finder is not None
        for number, (paths, names) in tasks.items():
            write_part(job.part(number), paths, names, finder, settings.seed)
            yield number
        return
    # Forked, OpenCV's threads would be gone, and it would wait for them.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    pool = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(settings,))
    try:
        futures = {
            pool.submit(_work, job.part(c), paths, names): c for c, (paths, names) in tasks.items()
        }
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker process died, killed perhaps for lack of memory: run the same command '
            f'again to go on, with fewer than {workers} workers if it recurs'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


_worker: dict[str, Any] = {}


def _start_worker(settings: ProposalSettings) -> None:
    # An interrupt reaches the parent alone, which lets the workers end their chunks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker.update(finder=settings.finder(), seed=settings.seed)


def _end_with_parent() -> None:
    """A killed parent leaves no workers behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work(part: Path, paths: Sequence[str], names: Sequence[bytes]) -> None:
    write_part(part, paths, names, _worker['finder'], _worker['seed'])

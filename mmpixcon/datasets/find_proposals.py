"""Finds object proposals in the images of a data set, in pieces that survive a kill.

Finders give boxes (k, 4) float32: x1, y1, x2, y2 in pixels of the raw image, outer edges,
the best first. The images, sorted by name, are cut into chunks; ``OUT.parts/00012.npy`` holds
what was found in one, and appears when it is whole. A later run skips the chunks that are
there, and when none is missing joins them to ``OUT``, as :mod:`.proposals` reads it. What the
boxes depend on is in ``settings.json`` of both folders, so pieces of different settings never
mix. The result depends neither on the number of processes or machines nor on interruptions.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from io import BytesIO
from multiprocessing.connection import wait
from pathlib import Path, PurePath
from typing import Any, TextIO

import cv2
import numpy as np

from mmpixcon.utils.progress import Progress, replace_file

from .proposals import write_sorted
from .unlabelled import UnlabelledDataset

# Boxes of an image where nothing else is asked for: as Siamese DETR, DETReg and (as many as
# DETReg) the random ones.
MAX_BOXES = {'edge_boxes': 512, 'selective_search': 30, 'random': 30}
RECORD = 'settings.json'
INSTALL = 'pip install --no-deps -r requirements/proposals.txt'
CHUNK = 32

_FORMAT = 1
_UNREADABLE = -1
# Blur before the gradient, in pixels: gradients answer to noise, a trained forest does not.
_SIGMA = 2.0
# The least unit of gradients, of which a step from black to white has 0.2 after the blur: an
# even image has no edges.
_LEAST_EDGE = 0.005
_LEAST_SIDE = 8
# Of an image that a structured forest can be asked about, whose patches have 32 pixels.
_LEAST_FOREST_SIDE = 16

Finder = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class ProposalSettings:
    """What the boxes of an image depend on.

    Args:
        method (str): 'edge_boxes', 'selective_search' or 'random'.
        max_boxes (int, optional): Boxes of an image at most. Defaults to None:
            512, 30 or 30, by method.
        model (str, optional): Of Edge Boxes, the structured forest that finds
            edges, OpenCV's ``model.yml.gz``. Defaults to None, edges are gradients.
        min_area (float): Of Edge Boxes, the least area in square pixels. Defaults to 1000.
        side (int): Of Selective Search, the side in pixels of the square that the
            image is resized to; 0 leaves it as it is. Defaults to 128, as DETReg.
        seed (int): Of Selective Search, which ranks at random, and of random
            boxes. Defaults to 0.

    Raises:
        ValueError: A value cannot be used.
        FileNotFoundError: There is no such model.
        ModuleNotFoundError: OpenCV lacks the module that finds.
    """

    method: str
    max_boxes: int | None = None
    model: str | None = None
    min_area: float = 1000.0
    side: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in MAX_BOXES:
            raise ValueError(f'method {self.method!r} is none of {", ".join(MAX_BOXES)}')
        if self.max_boxes is None:
            object.__setattr__(self, 'max_boxes', MAX_BOXES[self.method])
        for name, ok, rule in (
            ('max_boxes', self.max_boxes >= 1, 'at least 1'),
            ('min_area', self.min_area > 0, 'above 0'),
            ('side', self.side == 0 or self.side >= _LEAST_SIDE, f'0 or at least {_LEAST_SIDE}'),
            ('seed', 0 <= self.seed < 2**31, 'from 0 to 2 ** 31 - 1'),
        ):
            if not ok:
                raise ValueError(f'{name} is {getattr(self, name)}, but must be {rule}')
        if self.model is not None and self.method != 'edge_boxes':
            raise ValueError(f'model is given, but {self.method} needs none: only edge_boxes does')
        if self.model is not None and not Path(self.model).is_file():
            raise FileNotFoundError(f'{self.model} does not exist: give a structured forest')
        if self.method != 'random' and not hasattr(cv2, 'ximgproc'):
            raise ModuleNotFoundError(
                f'{self.method} needs cv2.ximgproc, of opencv-contrib-python: {INSTALL}'
            )

    def record(self) -> dict[str, Any]:
        """What is written down: what matters to the method; the model by its content."""
        used = {
            'edge_boxes': ('method', 'max_boxes', 'model', 'min_area'),
            'selective_search': ('method', 'max_boxes', 'side', 'seed'),
            'random': ('method', 'max_boxes', 'seed'),
        }[self.method]
        record = {name: value for name, value in asdict(self).items() if name in used}
        if self.model is not None:
            record['model'] = hashlib.sha256(Path(self.model).read_bytes()).hexdigest()[:16]
        record['opencv'] = cv2.__version__
        return record

    def finder(self) -> Finder:
        """Make the finder.

        Returns:
            Finder: Takes an image, (h, w, 3) uint8 BGR, and a seed of its own, and
            gives its boxes, (k, 4) float32 with an area above 0 and inside the image.

        Raises:
            ValueError: The model is none.
        """
        find = {
            'edge_boxes': _edge_boxes,
            'selective_search': _selective_search,
            'random': _random,
        }[self.method](self)

        def clipped(image: np.ndarray, seed: int) -> np.ndarray:
            height, width = image.shape[:2]
            boxes = np.asarray(find(image, seed), np.float32).reshape(-1, 4)
            boxes = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
            has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
            return boxes[has_area][: self.max_boxes]

        return clipped


def gradient_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges for Edge Boxes without a trained forest.

    The gradient of the blurred image, in each pixel of the channel where it is
    largest, thinned across the edge; in units of the image's largest, so that Edge
    Boxes' thresholds fit pale images too.

    Args:
        image (np.ndarray): (h, w, 3) uint8.

    Returns:
        tuple[np.ndarray, np.ndarray]: Strength, (h, w) float32, 0 to 1, and
        direction across the edge, (h, w) float32, in radians, 0 to pi.
    """
    blurred = cv2.GaussianBlur(image.astype(np.float32) / 255, (0, 0), _SIGMA)
    # The scale makes it the difference of two pixels that are two apart.
    x, y = (cv2.Sobel(blurred, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
    squares = x * x + y * y
    channel = squares.argmax(2)[..., None]
    x, y, squares = (np.take_along_axis(v, channel, 2)[..., 0] for v in (x, y, squares))
    strength = np.sqrt(squares)
    strength /= max(strength.max(), np.float32(_LEAST_EDGE))
    across = np.mod(np.arctan2(y, x), np.pi).astype(np.float32)
    rows, columns = np.indices(strength.shape, dtype=np.float32)
    thin = np.ones(strength.shape, bool)
    for step in (-1, 1):
        beside = cv2.remap(
            strength,
            columns + step * np.cos(across),
            rows + step * np.sin(across),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        thin &= strength >= beside
    return np.where(thin, strength, np.float32(0)), across


def _edge_boxes(settings: ProposalSettings) -> Finder:
    """Edge Boxes of Zitnick and Dollár (ECCV 2014), as Siamese DETR calls OpenCV's."""
    finder = cv2.ximgproc.createEdgeBoxes()
    finder.setMaxBoxes(settings.max_boxes)
    finder.setMinBoxArea(settings.min_area)
    forest = None if settings.model is None else _forest(settings.model)
    least = _LEAST_SIDE if forest is None else _LEAST_FOREST_SIDE

    def find(image: np.ndarray, _: int) -> np.ndarray:
        if min(image.shape[:2]) < least:
            return np.zeros((0, 4))
        if forest is not None:
            edges = forest.detectEdges(image[..., ::-1].astype(np.float32) / 255)
            across = forest.computeOrientation(edges)
            edges = forest.edgesNms(edges, across)
        else:
            edges, across = gradient_edges(image)
        return _corners(finder.getBoundingBoxes(edges, across)[0])

    return find


def _forest(path: str) -> Any:
    """The structured forest in a file."""
    try:
        # Without these OpenCV loads an empty one, and dies at the first image.
        file = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
        if all(not file.getNode(name).empty() for name in ('options', 'childs', 'edgeBins')):
            return cv2.ximgproc.createStructuredEdgeDetection(path)
    except (cv2.error, SystemError):
        pass
    raise ValueError(f"{path} is no structured forest, such as OpenCV's model.yml.gz")


def _selective_search(settings: ProposalSettings) -> Finder:
    """Selective Search of Uijlings et al. (IJCV 2013), 'fast', as DETReg calls OpenCV's."""
    set_seed = _c_library().srand

    def find(image: np.ndarray, seed: int) -> np.ndarray:
        height, width = image.shape[:2]
        small = cv2.resize(image, (settings.side,) * 2) if settings.side else image
        # Made anew: it adds to its strategies with each image.
        finder = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        finder.setBaseImage(small)
        finder.switchToSelectiveSearchFast()
        # It ranks with rand() of C.
        set_seed(seed)
        scale = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        return _corners(finder.process()) * scale

    return find


def _random(settings: ProposalSettings) -> Finder:
    """Boxes as UP-DETR draws its patches: sides of 8 pixels to the image's less 8."""

    def find(image: np.ndarray, seed: int) -> np.ndarray:
        size = np.array(image.shape[1::-1])
        if size.min() <= 2 * _LEAST_SIDE:
            return np.zeros((0, 4))
        random = np.random.default_rng(seed)
        sides = random.integers(_LEAST_SIDE, size - _LEAST_SIDE + 1, (settings.max_boxes, 2))
        corner = random.integers(0, size - sides + 1)
        return np.concatenate([corner, corner + sides], 1)

    return find


def _corners(rectangles: Any) -> np.ndarray:
    """x1, y1, x2, y2 from x, y, width, height; OpenCV gives a tuple where there are none."""
    boxes = np.array(rectangles, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _c_library() -> Any:
    return ctypes.cdll.ucrtbase if sys.platform == 'win32' else ctypes.CDLL(None)


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


@dataclass(frozen=True)
class _Job:
    """The images, cut into chunks."""

    paths: Sequence[str]
    names: Sequence[bytes]
    chunk: int
    parts: Path

    @property
    def chunks(self) -> range:
        return range(-(-len(self.names) // self.chunk))

    def size(self, number: int) -> int:
        return min(self.chunk, len(self.names) - number * self.chunk)

    def part(self, number: int) -> Path:
        return self.parts / f'{number:05d}.npy'

    def images(self, numbers: Iterable[int]) -> int:
        return sum(map(self.size, numbers))


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
            counts, reasons, size = _read_head(job, number)
            boxes += size
            unreadable.update(_reasons(job, number, counts, reasons))
        finished, left = False, job.images(missing)
    else:
        if missing:
            raise FileNotFoundError(_what_is_missing(job, missing))
        boxes, unreadable = _join(job, out, record)
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


def _list_images(dataset: UnlabelledDataset, chunk: int, parts: Path) -> _Job:
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
    return _Job([found[name] for name in names], names, chunk, parts)


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


def _prepare_parts(job: _Job, record: dict[str, Any], overwrite: bool, merge: bool) -> None:
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
    job: _Job, settings: ProposalSettings, finder: Finder | None, todo: Sequence[int], workers: int
) -> Iterator[int]:
    """Do chunks, in any order; gives their numbers as they are written."""
    tasks = {
        c: (job.paths[c * job.chunk :][: job.chunk], job.names[c * job.chunk :][: job.chunk])
        for c in todo
    }
    if workers <= 1:
        for number, (paths, names) in tasks.items():
            _write_part(job.part(number), paths, names, finder, settings.seed)
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
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _work(part: Path, paths: Sequence[str], names: Sequence[bytes]) -> None:
    _write_part(part, paths, names, _worker['finder'], _worker['seed'])


def _write_part(
    part: Path, paths: Sequence[str], names: Sequence[bytes], finder: Finder, seed: int
) -> None:
    """Find the boxes of a chunk and write them: counts, reasons and boxes, one after another."""
    counts, reasons, rows = [], [], [np.zeros((0, 4), np.float32)]
    for path, name in zip(paths, names):
        image, reason = _read_image(path)
        if image is not None:
            try:
                # By name, so that an image's boxes do not depend on the others.
                rows.append(finder(image, zlib.crc32(name, seed) & 0x7FFFFFFF))
                counts.append(len(rows[-1]))
            except cv2.error as error:
                image, reason = None, f'no boxes can be found in it: {error}'.strip()
        if image is None:
            counts.append(_UNREADABLE)
        reasons.append(reason.encode())
    file = BytesIO()
    for array in (np.array(counts, np.int64), np.array(reasons, np.bytes_), np.concatenate(rows)):
        np.save(file, array, allow_pickle=False)
    replace_file(part, file.getvalue())


def _read_image(path: str) -> tuple[np.ndarray | None, str]:
    """An image as training decodes it, (h, w, 3) uint8 BGR, or None and why not."""
    try:
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except (OSError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return None, reason or str(error).strip() or type(error).__name__
    if image is None:
        return None, 'the content is no image' if len(content) else 'the file is empty'
    return image, ''


def _read_head(job: _Job, number: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts and reasons of a part, and how many boxes it has."""
    with job.part(number).open('rb') as file:
        return _load_head(job, number, file)


def _load_head(job: _Job, number: int, file: Any) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        counts, reasons = (np.load(file, allow_pickle=False) for _ in range(2))
        if counts.shape == reasons.shape == (job.size(number),) and counts.dtype == np.int64:
            return counts, reasons, int(counts.clip(min=0).sum())
    except (ValueError, EOFError):
        pass
    raise _damaged(job, number)


def _load_boxes(job: _Job, number: int) -> np.ndarray:
    with job.part(number).open('rb') as file:
        size = _load_head(job, number, file)[2]
        try:
            boxes = np.load(file, allow_pickle=False)
            if boxes.shape == (size, 4) and boxes.dtype == np.float32:
                return boxes
        except (ValueError, EOFError):
            pass
    raise _damaged(job, number)


def _damaged(job: _Job, number: int) -> ValueError:
    return ValueError(
        f'{job.part(number)} is damaged: remove it and run again without --merge to find it anew'
    )


def _reasons(job: _Job, number: int, counts: np.ndarray, reasons: np.ndarray) -> dict[str, str]:
    first = number * job.chunk
    return {
        job.names[first + i].decode(): reasons[i].decode()
        for i in np.flatnonzero(counts == _UNREADABLE).tolist()
    }


def _what_is_missing(job: _Job, missing: Sequence[int]) -> str:
    """Say which chunks are missing, and of which shards if that is known."""
    shown = ', '.join(job.part(c).name for c in missing[:5])
    text = (
        f'{job.parts}: {len(missing)} of {len(job.chunks)} parts are missing, '
        f'{job.images(missing)} images: {shown}{", ..." if len(missing) > 5 else ""}'
    )
    matches = (re.fullmatch(r'shard_\d+_of_(\d+)', path.name) for path in job.parts.iterdir())
    totals = {int(match[1]) for match in matches if match}
    if len(totals) == 1:
        (total,) = totals
        shards = sorted({c % total + 1 for c in missing})
        text += f'. Run {", ".join(f"--shard {i}/{total}" for i in shards[:20])}'
        return text + (f' and {len(shards) - 20} more' if len(shards) > 20 else '')
    return text + '. Run the same command without --merge to find them'


def _join(job: _Job, out: Path, record: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Write the proposals from the parts, which are then removed."""
    names: list[bytes] = []
    counts: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    for number in job.chunks:
        found, reasons, _ = _read_head(job, number)
        unreadable.update(_reasons(job, number, found, reasons))
        readable = found != _UNREADABLE
        names += [job.names[number * job.chunk + i] for i in np.flatnonzero(readable).tolist()]
        counts.append(found[readable])
    if not names:
        raise ValueError(
            f'none of {len(job.names)} images can be read, such as {job.paths[0]}: '
            f'{next(iter(unreadable.values()))}. Restore them, remove {job.parts} and run again.'
        )
    total = np.concatenate(counts)
    content = {**record, 'boxes': int(total.sum()), 'unreadable': unreadable}
    write_sorted(
        out,
        names,
        total,
        (_load_boxes(job, number) for number in job.chunks),
        {RECORD: (json.dumps(content, indent=1) + '\n').encode()},
    )
    shutil.rmtree(job.parts)
    return content['boxes'], unreadable

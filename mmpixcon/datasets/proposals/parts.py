"""Pieces of a search for proposals: a chunk of images each, written whole, joined at the end."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmpixcon.utils.files import replace_file

from .finders import Finder
from .store import write_sorted

RECORD = 'settings.json'
_UNREADABLE = -1


@dataclass(frozen=True)
class Job:
    """The images, cut into chunks.

    Attributes:
        paths (Sequence[str]): Files, in the order of their names.
        names (Sequence[bytes]): What the proposals call them, sorted.
        chunk (int): Images of a chunk; the last may have fewer.
        parts (Path): Folder of what was found.
    """

    paths: Sequence[str]
    names: Sequence[bytes]
    chunk: int
    parts: Path

    @property
    def chunks(self) -> range:
        """Numbers of the chunks."""
        return range(-(-len(self.names) // self.chunk))

    def size(self, number: int) -> int:
        """Images of a chunk."""
        return min(self.chunk, len(self.names) - number * self.chunk)

    def part(self, number: int) -> Path:
        """File of a chunk."""
        return self.parts / f'{number:05d}.npy'

    def images(self, numbers: Iterable[int]) -> int:
        """Images of some chunks."""
        return sum(map(self.size, numbers))


def write_part(
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


def read_head(job: Job, number: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts and reasons of a part, and how many boxes it has."""
    with job.part(number).open('rb') as file:
        return _load_head(job, number, file)


def _load_head(job: Job, number: int, file: Any) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        counts, reasons = (np.load(file, allow_pickle=False) for _ in range(2))
        if counts.shape == reasons.shape == (job.size(number),) and counts.dtype == np.int64:
            return counts, reasons, int(counts.clip(min=0).sum())
    except (ValueError, EOFError):
        pass
    raise _damaged(job, number)


def _load_boxes(job: Job, number: int) -> np.ndarray:
    with job.part(number).open('rb') as file:
        size = _load_head(job, number, file)[2]
        try:
            boxes = np.load(file, allow_pickle=False)
            if boxes.shape == (size, 4) and boxes.dtype == np.float32:
                return boxes
        except (ValueError, EOFError):
            pass
    raise _damaged(job, number)


def _damaged(job: Job, number: int) -> ValueError:
    return ValueError(
        f'{job.part(number)} is damaged: remove it and run again without --merge to find it anew'
    )


def unreadable_of(job: Job, number: int, counts: np.ndarray, reasons: np.ndarray) -> dict[str, str]:
    """Names of the images of a part that could not be read, with the reasons."""
    first = number * job.chunk
    return {
        job.names[first + i].decode(): reasons[i].decode()
        for i in np.flatnonzero(counts == _UNREADABLE).tolist()
    }


def what_is_missing(job: Job, missing: Sequence[int]) -> str:
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


def join(job: Job, out: Path, record: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Write the proposals from the parts, which are then removed."""
    names: list[bytes] = []
    counts: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    for number in job.chunks:
        found, reasons, _ = read_head(job, number)
        unreadable.update(unreadable_of(job, number, found, reasons))
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

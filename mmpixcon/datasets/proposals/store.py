"""Object proposals of a data set, memory-mapped: a folder of three arrays.

``names.npy`` (n, ) bytes: paths of the images in UTF-8, sorted; ``offsets.npy`` (n + 1, )
int64: where the boxes of each image begin; ``boxes.npy`` (M, 4) float32: x1, y1, x2, y2 in
pixels of the raw image, outer edges, the best of an image first. No pickle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from mmpixcon.utils.files import replacing

ARRAYS = ('names', 'offsets', 'boxes')
REMEDY = (
    'Write it with tools/dataset_converters/make_proposals.py, or boxes of your own with '
    'mmpixcon.datasets.proposals.store.write_proposals.'
)


class Proposals:
    """Proposals of the images of a data set, read from disk as they are asked for.

    Args:
        folder (str | Path): Written by :func:`write_proposals`.

    Raises:
        FileNotFoundError: The folder or an array is missing.
        ValueError: The arrays are not of this format, or do not fit together.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        arrays = {}
        for name in ARRAYS:
            path = self.folder / f'{name}.npy'
            if not path.is_file():
                raise FileNotFoundError(f'{path} does not exist: proposals are a folder. {REMEDY}')
            arrays[name] = np.load(path, mmap_mode='r', allow_pickle=False)
        self._names, self._offsets, self._boxes = arrays.values()
        fits = (
            self._names.dtype.kind == 'S'
            and self._offsets.dtype == np.int64
            and self._offsets.shape == (len(self._names) + 1,)
            and self._boxes.dtype == np.float32
            and self._boxes.shape[1:] == (4,)
            and self._offsets[0] == 0
            and self._offsets[-1] == len(self._boxes)
        )
        if not fits:
            layout = {k: f'{v.dtype} {v.shape}' for k, v in arrays.items()}
            raise ValueError(f'{self.folder}: the arrays are no proposals, {layout}. {REMEDY}')

    def __reduce__(self) -> tuple:
        """Other processes map the files again instead of getting a copy."""
        return type(self), (self.folder,)

    def __len__(self) -> int:
        return len(self._names)

    def find(self, path: str | Path) -> np.ndarray | None:
        """Boxes of an image.

        Args:
            path (str | Path): image file. The longest ending of it that is
                among the names counts, so that the data set may have moved.

        Returns:
            np.ndarray | None: (k, 4) float32; None if the image is not listed.
        """
        parts = PurePath(path).parts
        for start in range(len(parts)):
            name = PurePath(*parts[start:]).as_posix().encode()
            if len(name) > self._names.itemsize:
                # Not only in vain: it would have all names copied as long as it is.
                continue
            place = int(np.searchsorted(self._names, name))
            if place < len(self._names) and self._names[place] == name:
                return np.array(self._boxes[self._offsets[place] : self._offsets[place + 1]])
        return None


def write_proposals(folder: str | Path, names: Iterable[str], boxes: Iterable[np.ndarray]) -> None:
    """Write proposals, complete or not at all; what was there is replaced.

    Args:
        folder (str | Path): folder to write; its parent must exist.
        names (Iterable[str]): Paths of the images, relative to where all images
            lie; each once, in any order.
        boxes (Iterable[np.ndarray]): boxes of each image, (k, 4), x1, y1, x2, y2 in
            pixels of the raw image, the best first; k may be 0.

    Raises:
        ValueError: A name is there twice, names and boxes are not as many, or
            boxes have another shape or are not finite.
    """
    encoded = [PurePath(name).as_posix().encode() for name in names]
    rows = [np.asarray(row, dtype=np.float32).reshape(-1, 4) for row in boxes]
    if len(encoded) != len(rows) or len(set(encoded)) != len(encoded):
        raise ValueError(
            f'proposals of {len(rows)} images for {len(encoded)} names, {len(set(encoded))} of '
            'them different'
        )
    for name, row in zip(encoded, rows):
        if not np.isfinite(row).all():
            raise ValueError(f'proposals of {name.decode()} are not finite')
    order = sorted(range(len(encoded)), key=encoded.__getitem__)
    counts = np.array([len(row) for row in rows], np.int64)[order]
    write_sorted(folder, [encoded[i] for i in order], counts, (rows[i] for i in order))


def write_sorted(
    folder: str | Path,
    names: Sequence[bytes],
    counts: np.ndarray,
    blocks: Iterable[np.ndarray],
    extra: Mapping[str, bytes] | None = None,
) -> None:
    """Write proposals that are in order, without holding all boxes in memory.

    Complete or not at all; what was there is replaced.

    Args:
        folder (str | Path): folder to write; its parent must exist.
        names (Sequence[bytes]): (n, ) paths of the images in UTF-8, sorted, each once.
        counts (np.ndarray): (n, ) int64, boxes of each.
        blocks (Iterable[np.ndarray]): (k, 4) float32 each, of any k; one after
            the other they are the boxes of all images in the order of the names.
        extra (Mapping[str, bytes], optional): Further files by name, with their content.

    Raises:
        ValueError: The blocks do not have as many boxes as the counts say.
    """
    folder = Path(folder)
    with replacing(folder) as part:
        part.mkdir()
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        np.save(part / 'names.npy', np.array(names, dtype=np.bytes_), allow_pickle=False)
        np.save(part / 'offsets.npy', offsets, allow_pickle=False)
        with (part / 'boxes.npy').open('wb') as file:
            layout = np.lib.format.header_data_from_array_1_0(np.zeros((0, 4), np.float32))
            layout['shape'] = (int(offsets[-1]), 4)
            np.lib.format.write_array_header_1_0(file, layout)
            num_boxes = 0
            for block in blocks:
                file.write(np.ascontiguousarray(block, np.float32).tobytes())
                num_boxes += len(block)
        if num_boxes != offsets[-1]:
            raise ValueError(f'{num_boxes} boxes, but the counts say {offsets[-1]}')
        for name, content in (extra or {}).items():
            (part / name).write_bytes(content)

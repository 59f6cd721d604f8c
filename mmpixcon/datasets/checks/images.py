"""Checks of the images that annotations list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from .problems import Level, Report

Entry = dict[str, Any]
# Width and height of an image file by its name in the annotations, or None.
SizeOf = Callable[[str], tuple[int, int] | None]


def clean_images(
    images: Iterable[Entry], report: Report, size_of: SizeOf | None = None
) -> tuple[list[Entry], dict[Any, Any]]:
    """Check and mend the images of a COCO file.

    Args:
        images (Iterable[dict]): entries of the file; they are not changed.
        report (Report): report to add problems to.
        size_of (Callable, optional): reads width and height of a file that the annotations give
            none of. Defaults to None, none is read.

    Returns:
        tuple[list[dict], dict]: images with unique ids and names, and for each id of the file the
        id that stands for it.
    """
    images = [dict(image) for image in images]
    unnamed = [i for i in images if not isinstance(i.get('file_name'), str) or not i['file_name']]
    report.add(
        'image without a file',
        Level.LEFT_OUT,
        '{count} images have no file_name',
        [f'id {image.get("id")!r}' for image in unnamed],
    )
    images = [image for image in images if image not in unnamed] if unnamed else images
    _mend_paths(images, report)
    if not _ids_are_good(images, report):
        return images, {}
    images, stands_for = _merge_files(images, report)
    _mend_sizes(images, report, size_of)
    return images, stands_for


def _mend_paths(images: list[Entry], report: Report) -> None:
    """Write slashes where a file was made on Windows."""
    with_backslash = [image['file_name'] for image in images if '\\' in image['file_name']]
    for image in images:
        image['file_name'] = image['file_name'].replace('\\', '/')
    report.add(
        'backslash in a path',
        Level.MENDED,
        '{count} images have a file_name with backslashes, which are read as slashes',
        with_backslash,
    )
    urls = [image['file_name'] for image in images if '://' in image['file_name']]
    report.add(
        'address in place of a file',
        Level.FATAL,
        '{count} images have an address as their file_name',
        urls,
        'Download them, and write paths below the image folder.',
    )


def _ids_are_good(images: list[Entry], report: Report) -> bool:
    """Return whether each image can be told by its id."""
    without = [image['file_name'] for image in images if image.get('id') is None]
    report.add(
        'missing image id',
        Level.FATAL,
        '{count} images have no id, so that no object can belong to them',
        without,
        'Export the annotations again, or give every image an id of its own.',
    )
    names = defaultdict(list)
    for image in images:
        if image.get('id') is not None:
            names[image['id']].append(image['file_name'])
    shared = {key: files for key, files in names.items() if len(set(files)) > 1}
    report.add(
        'duplicate image id',
        Level.FATAL,
        '{count} image ids belong to several files, of which all but one would vanish',
        [f'id {key!r}: {", ".join(files[:3])}' for key, files in shared.items()],
        'Give every image an id of its own, and its objects that image_id.',
    )
    kinds = {type(key).__name__ for key in names}
    if len(kinds) > 1:
        report.add(
            'image ids of several types',
            Level.FATAL,
            f'image ids are of {len(kinds)} types, {" and ".join(sorted(kinds))}',
            [repr(key) for key in list(names)[:3]],
            'Write all of them as integers.',
            count=len(names),
        )
    return not (without or shared or len(kinds) > 1)


def _merge_files(images: list[Entry], report: Report) -> tuple[list[Entry], dict[Any, Any]]:
    """Keep one entry of a file that is listed several times: its objects belong together."""
    first: dict[str, Entry] = {}
    stands_for, repeated = {}, []
    for image in images:
        kept = first.setdefault(image['file_name'], image)
        stands_for[image['id']] = kept['id']
        if kept is not image:
            repeated.append(image['file_name'])
    report.add(
        'file listed twice',
        Level.MENDED,
        '{count} images are listed again under another id; their objects are put together',
        repeated,
    )
    return list(first.values()), stands_for


def _mend_sizes(images: list[Entry], report: Report, size_of: SizeOf | None) -> None:
    """Read width and height where the annotations do not have them."""
    without = [i for i in images if not (_is_size(i.get('width')) and _is_size(i.get('height')))]
    unknown, mended = [], []
    for image in without:
        size = size_of(image['file_name']) if size_of else None
        if size is None:
            unknown.append(image['file_name'])
        else:
            image['width'], image['height'] = size
            mended.append(image['file_name'])
    report.add(
        'missing size',
        Level.MENDED,
        '{count} images have no width or height, which are read from their files',
        mended,
    )
    report.add(
        'missing size',
        Level.FATAL,
        '{count} images have no width or height, and their files could not be asked',
        unknown,
        'Put the images there, or write width and height into the annotations.',
    )


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, float)) and value >= 1 and value == int(value)

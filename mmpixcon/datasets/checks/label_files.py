"""Labels in YOLO's, PASCAL VOC's, Labelme's and CVAT's formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mmpixcon.datasets.unlabelled import SUFFIXES
from mmpixcon.limits import check_annotation_size

from .box_files import class_names, read_voc, read_yolo
from .files import read_header
from .image_labels import ImageLabels
from .shape_files import read_cvat, read_labelme
from .source import OTHER_NAMES, SPLITS, Source, head_of, one_a_split, split_of, to_coco

CLASS_FILES = ('classes.txt', 'obj.names', '_darknet.labels')

# YOLO


def find_yolo(data: Path, images: Path | None) -> list[Source]:
    """Find YOLO's labels: by a ``data.yaml``, or by folders.

    Args:
        data (Path): folder.
        images (Path, optional): image folder.

    Returns:
        list[Source]: labels by split; none if there are no such files.
    """
    for name in ('data.yaml', 'data.yml', 'dataset.yaml'):
        if (data / name).is_file():
            return read_yolo_yaml(data / name)
    sources = []
    for split in (*SPLITS, *OTHER_NAMES):
        for folder in (data / 'images' / split, data / split / 'images', data / split):
            if _has_yolo_labels(folder):
                sources.append(_yolo_source(split_of(split), folder, None, data))
                break
    folder = images or (data / 'images' if (data / 'images').is_dir() else data)
    if not sources and _has_yolo_labels(folder):
        sources.append(_yolo_source('all', folder, None, data))
    return one_a_split(sources)


def read_yolo_yaml(path: Path) -> list[Source]:
    """Read splits and class names from the file that YOLO trainings are given.

    Args:
        path (Path): ``data.yaml``.

    Returns:
        list[Source]: labels by split.

    Raises:
        FileNotFoundError: A folder that it names does not exist.
        ValueError: It names no classes or no splits.
    """
    content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    content = content if isinstance(content, dict) else {}
    names = class_names(content.get('names'))
    if names is None:
        raise ValueError(f'{path} has no names: list the classes, such as names: [cat, dog]')
    keypoints = bool(content.get('kpt_shape'))
    root = path.parent / str(content.get('path') or '')
    root = root if root.is_dir() else path.parent
    sources = []
    for key in (*SPLITS, *OTHER_NAMES):
        value = content.get(key)
        if not isinstance(value, str):
            continue
        # Roboflow writes ../train/images, from a folder that is not there.
        folder = next(
            (f for f in (root / value, path.parent / value.replace('../', '')) if f.is_dir()), None
        )
        if folder is None:
            raise FileNotFoundError(f'{root / value} does not exist. It is {key} of {path}')
        sources.append(_yolo_source(split_of(key), folder, names, path.parent, keypoints))
    if not sources:
        raise ValueError(f'{path} names no split: write train: and val: with image folders')
    return one_a_split(sources)


def _yolo_source(
    split: str,
    folder: Path,
    names: Mapping[str, str] | None,
    root: Path,
    keypoints: bool = False,
) -> Source:
    def read() -> dict[str, Any]:
        listed = names or _class_file(root, folder)

        def annotation(photo: Path) -> ImageLabels:
            labels = _label_of(photo)
            header = read_header(photo)
            size = header.shown_size if header else (1, 1)
            name = photo.relative_to(folder).as_posix()
            if labels is None:
                return ImageLabels(name, size, [])
            return _parse(read_yolo, labels, name, size, keypoints)

        return to_coco(map(annotation, _photos(folder)), listed)

    return Source(split, 'YOLO', folder, folder, read)


def _label_of(photo: Path) -> Path | None:
    """Find the label file of a photo: in labels/ in place of the last images/, or beside it."""
    parts = photo.with_suffix('.txt').parts
    beside = Path(*parts)
    if 'images' in parts:
        last = len(parts) - 1 - parts[::-1].index('images')
        apart = Path(*parts[:last], 'labels', *parts[last + 1 :])
        if apart.is_file():
            return apart
    return beside if beside.is_file() else None


def _has_yolo_labels(folder: Path) -> bool:
    return folder.is_dir() and any(_label_of(photo) for photo in _photos(folder))


def _photos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES)


def _class_file(*folders: Path) -> Mapping[str, str] | None:
    for folder in folders:
        for name in CLASS_FILES:
            if (folder / name).is_file():
                lines = (folder / name).read_text(encoding='utf-8-sig').splitlines()
                return class_names([line.strip() for line in lines if line.strip()])
    return None


# One file an image


def find_voc(data: Path, images: Path | None) -> list[Source]:
    """Find PASCAL VOC's labels, split by lists in ImageSets/Main or by folders.

    Args:
        data (Path): folder.
        images (Path, optional): image folder.

    Returns:
        list[Source]: labels by split; none if there are no such files.
    """
    folder = data / 'Annotations' if (data / 'Annotations').is_dir() else data
    files = [path for path in sorted(folder.glob('*.xml')) if b'<annotation>' in head_of(path)]
    if not files:
        folders = [f for f in sorted(data.iterdir()) if f.is_dir() and split_of(f.name) != 'all']
        return one_a_split(
            replace(source, split=split_of(folder.name))
            for folder in folders
            for source in find_voc(folder, images)
        )
    photos = images or (data / 'JPEGImages' if (data / 'JPEGImages').is_dir() else folder)
    listed = {path.stem: path for path in sorted((data / 'ImageSets' / 'Main').glob('*.txt'))}
    lists = {split: listed[split] for split in SPLITS if split in listed}
    if not lists:
        return [_files_source('all', 'PASCAL VOC', folder, photos, files, read_voc)]
    sources = []
    for split, path in lists.items():
        names = {line.split()[0] for line in path.read_text().splitlines() if line.strip()}
        part = [file for file in files if file.stem in names]
        sources.append(_files_source(split, 'PASCAL VOC', path, photos, part, read_voc))
    return sources


def find_labelme(data: Path, images: Path | None) -> list[Source]:
    """Find the labels that Labelme writes beside photos, split by folders.

    Args:
        data (Path): folder.
        images (Path, optional): image folder.

    Returns:
        list[Source]: labels by split; none if there are no such files.
    """
    sources = []
    for folder in (data, *(f for f in sorted(data.iterdir()) if f.is_dir())):
        files = [path for path in sorted(folder.glob('*.json')) if b'"shapes"' in head_of(path)]
        if files:
            split = 'all' if folder is data else split_of(folder.name)
            sources.append(
                _files_source(split, 'Labelme', folder, images or folder, files, read_labelme)
            )
    return one_a_split(sources)


def _files_source(
    split: str,
    format_name: str,
    path: Path,
    images: Path,
    files: list[Path],
    parser: Callable[[Path, Path], ImageLabels],
) -> Source:
    def read() -> dict[str, Any]:
        return to_coco((_parse(parser, file, images) for file in files), None)

    return Source(split, format_name, path, images, read)


# CVAT


def find_cvat(data: Path, images: Path | None) -> list[Source]:
    """Find CVAT's labels, a file a split.

    Args:
        data (Path): folder.
        images (Path, optional): image folder.

    Returns:
        list[Source]: labels by split; none if there are no such files.
    """
    files = [path for path in sorted(data.glob('*.xml')) if b'<annotations' in head_of(path)]
    folder = images or (data / 'images' if (data / 'images').is_dir() else data)
    return one_a_split(cvat_source(path, folder) for path in files)


def cvat_source(path: Path, images: Path) -> Source:
    """Make a source of a CVAT file.

    Args:
        path (Path): ``.xml`` of images.
        images (Path): image folder.

    Returns:
        Source: labels.
    """

    def read() -> dict[str, Any]:
        check_annotation_size(path)
        try:
            return to_coco(read_cvat(path), None)
        except ValueError as error:
            raise ValueError(f'{path} cannot be read: {error}. Export or correct it.') from error

    return Source(split_of(path.stem), 'CVAT', path, images, read)


def _parse(parser: Callable[..., ImageLabels], path: Path, *arguments: Any) -> ImageLabels:
    """Read one label file, and name it if that fails."""
    check_annotation_size(path)
    try:
        return parser(path, *arguments)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} cannot be read: {error}. Export or correct this file.') from error

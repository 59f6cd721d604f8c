"""Labels in whatever format a folder has them, as COCO content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from globox import Annotation, AnnotationSet
from globox.errors import FileParsingError, ParsingError

from mmpixcon.datasets.unlabelled import SUFFIXES

from .files import read_header
from .reading import read_coco

SPLITS = ('train', 'val', 'test')
# What others call a split.
OTHER_NAMES = {'valid': 'val', 'validation': 'val', 'training': 'train', 'testing': 'test'}
CLASS_FILES = ('classes.txt', 'obj.names', '_darknet.labels')
FORMATS = (
    "COCO (train.json, val.json and images/; annotations/*.json; or Roboflow's "
    'train/_annotations.coco.json), YOLO (data.yaml, or images/ and labels/), PASCAL VOC '
    '(Annotations/*.xml), Labelme (a .json beside each image) or CVAT (an .xml with images)'
)
Reader = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Source:
    """Labels of one split.

    Attributes:
        split (str): 'train', 'val', 'test', or 'all' where there are no splits.
        format (str): name of the format.
        path (Path): file or folder of the labels.
        images (Path): folder that file names start from.
        read (Callable): returns the labels as COCO content.
    """

    split: str
    format: str
    path: Path
    images: Path
    read: Reader

    @property
    def is_coco(self) -> bool:
        """Whether the labels are a COCO file already."""
        return self.format == 'COCO'


def find_sources(data: str | Path, images: str | Path | None = None) -> list[Source]:
    """Find the labels below a folder, or in a file.

    Args:
        data (str | Path): folder, or a COCO, CVAT or ``data.yaml`` file.
        images (str | Path, optional): image folder of a file. Defaults to None, found by the names.

    Returns:
        list[Source]: labels by split, the training's first.

    Raises:
        FileNotFoundError: ``data`` or ``images`` does not exist.
        ValueError: No labels of a known format are there.
    """
    data = Path(data)
    given = None if images is None else Path(images)
    for path in filter(None, (data, given)):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist')
    if data.is_file():
        sources = _of_file(data, given)
    else:
        finders = (_coco, _yolo, _voc, _cvat, _labelme)
        sources = next(filter(None, (finder(data, given) for finder in finders)), [])
    if not sources:
        raise ValueError(f'{data} has no labels of a known format: {FORMATS}')
    return sorted(sources, key=lambda source: (*SPLITS, 'all').index(source.split))


def split_of(name: str) -> str:
    """Tell a split by a file or folder name: the word for it, or else 'all'."""
    for word in re.split(r'[^a-z]+', name.lower()):
        word = OTHER_NAMES.get(word, word)
        if word in SPLITS:
            return word
    return 'all'


def _of_file(path: Path, images: Path | None) -> list[Source]:
    suffix = path.suffix.lower()
    if suffix in ('.yaml', '.yml'):
        return _yolo_yaml(path)
    if suffix == '.xml':
        return [_cvat_source(path, images or path.parent)]
    if suffix == '.json':
        return [_coco_source(path, images or _image_folder(path))]
    return []


# COCO


def _coco(data: Path, images: Path | None) -> list[Source]:
    files = [*data.glob('annotations/*.json'), *data.glob('*/_annotations.coco.json')]
    files += [path for path in data.glob('*.json') if split_of(path.stem) != 'all']
    files = [path for path in sorted(files) if _looks_like_coco(path)]
    if not files:
        files = [path for path in sorted(data.glob('*.json')) if _looks_like_coco(path)]
    # Captions and keypoints of the same photos are other tasks.
    instances = [path for path in files if path.stem.startswith('instances')]
    sources = [_coco_source(path, images or _image_folder(path)) for path in instances or files]
    return _one_a_split(sources)


def _coco_source(path: Path, images: Path) -> Source:
    name = path.parent.name if path.stem.startswith('_') else path.stem
    return Source(split_of(name), 'COCO', path, images, lambda: read_coco(path))


def _looks_like_coco(path: Path) -> bool:
    """Whether the beginning of a file has a key of COCO: other JSON files lie about as well."""
    with path.open('rb') as file:
        head = file.read(4096)
    return any(key in head for key in (b'"images"', b'"annotations"', b'"categories"', b'"info"'))


def _image_folder(path: Path) -> Path:
    """Find the folder that the file names of a COCO file start from."""
    try:
        first = next(image['file_name'] for image in read_coco(path)['images'][:1])
    except (StopIteration, KeyError, ValueError, TypeError):
        first = ''
    split = path.stem.rsplit('_', 1)[-1]
    root = path.parent.parent if path.parent.name == 'annotations' else path.parent
    folders = [
        path.parent,
        *(root / name for name in ('images', split, f'images/{split}', f'{split}/images', '')),
        *(sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else ()),
    ]
    name = str(first).replace('\\', '/')
    return next((f for f in folders if name and (f / name).is_file()), root / 'images')


# YOLO


def _yolo(data: Path, images: Path | None) -> list[Source]:
    for name in ('data.yaml', 'data.yml', 'dataset.yaml'):
        if (data / name).is_file():
            return _yolo_yaml(data / name)
    sources = []
    for split in (*SPLITS, *OTHER_NAMES):
        for folder in (data / 'images' / split, data / split / 'images', data / split):
            if folder.is_dir() and _label_files(folder):
                sources.append(_yolo_source(split_of(split), folder, None, data))
                break
    folder = images or (data / 'images' if (data / 'images').is_dir() else data)
    if not sources and _label_files(folder):
        sources.append(_yolo_source('all', folder, None, data))
    return _one_a_split(sources)


def _yolo_yaml(path: Path) -> list[Source]:
    """Read splits and class names from the file that YOLO trainings are given."""
    content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    names = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, dict):
        names = [str(names[key]) for key in sorted(names)]
    if not isinstance(names, list):
        raise ValueError(f'{path} has no names: list the classes, such as names: [cat, dog]')
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
        sources.append(_yolo_source(split_of(key), folder, names, path.parent))
    if not sources:
        raise ValueError(f'{path} names no split: write train: and val: with image folders')
    return _one_a_split(sources)


def _yolo_source(split: str, folder: Path, names: list[str] | None, root: Path) -> Source:
    def read() -> dict[str, Any]:
        listed = names or _class_file(root, folder)
        files = {path.stem: path for path in _label_files(folder)}
        photos = _photos(folder)

        def annotation(photo: Path) -> Annotation | None:
            labels = files.get(photo.stem)
            header = read_header(photo)
            size = header.shown_size if header else (1, 1)
            name = photo.relative_to(folder).as_posix()
            if labels is None or not labels.read_text().strip():
                return Annotation(name, size)
            return _parse(_read_yolo, labels, name, size)

        return to_coco(map(annotation, photos), listed)

    return Source(split, 'YOLO', folder, folder, read)


def _read_yolo(path: Path, name: str, size: tuple[int, int]) -> Annotation:
    """Read boxes, or polygons, whose lines have more than five numbers."""
    longest = max(len(line.split()) for line in path.read_text().splitlines())
    if longest > 6:
        return Annotation.from_yolo_seg(path, image_id=name, image_size=size)
    return Annotation.from_yolo_darknet(path, image_id=name, image_size=size)


def _label_files(folder: Path) -> list[Path]:
    """Find the label files of an image folder: in labels/ in place of images/, or beside."""
    parts = list(folder.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == 'images':
            labels = Path(*parts[:index], 'labels', *parts[index + 1 :])
            files = sorted(labels.rglob('*.txt')) if labels.is_dir() else []
            if files:
                return files
    return [p for p in sorted(folder.glob('*.txt')) if any(_beside(p))]


def _beside(labels: Path) -> Iterable[bool]:
    return (labels.with_suffix(suffix).is_file() for suffix in SUFFIXES)


def _class_file(*folders: Path) -> list[str] | None:
    for folder in folders:
        for name in CLASS_FILES:
            if (folder / name).is_file():
                return [line.strip() for line in (folder / name).read_text().split('\n') if line]
    return None


# One file an image


def _voc(data: Path, images: Path | None) -> list[Source]:
    folder = data / 'Annotations' if (data / 'Annotations').is_dir() else data
    files = [path for path in sorted(folder.glob('*.xml')) if b'<annotation>' in _head(path)]
    if not files:
        split_folders = [f for f in sorted(data.iterdir()) if split_of(f.name) != 'all']
        found = [source for f in split_folders if f.is_dir() for source in _voc(f, images)]
        return _one_a_split(
            Source(split_of(s.images.name), s.format, s.path, s.images, s.read) for s in found
        )
    photos = images or (data / 'JPEGImages' if (data / 'JPEGImages').is_dir() else folder)
    listed = {path.stem: path for path in sorted((data / 'ImageSets' / 'Main').glob('*.txt'))}
    lists = {split: listed[split] for split in SPLITS if split in listed}
    if not lists:
        return [_files_source('all', 'PASCAL VOC', folder, photos, files, Annotation.from_xml)]
    sources = []
    for split, path in lists.items():
        names = {line.split()[0] for line in path.read_text().splitlines() if line.strip()}
        part = [file for file in files if file.stem in names]
        sources.append(_files_source(split, 'PASCAL VOC', path, photos, part, Annotation.from_xml))
    return sources


def _labelme(data: Path, images: Path | None) -> list[Source]:
    sources = []
    for folder in (data, *(f for f in sorted(data.iterdir()) if f.is_dir())):
        files = [path for path in sorted(folder.glob('*.json')) if b'"shapes"' in _head(path)]
        if files:
            split = 'all' if folder is data else split_of(folder.name)
            sources.append(
                _files_source(split, 'Labelme', folder, images or folder, files, _read_labelme)
            )
    return _one_a_split(sources)


def _read_labelme(path: Path) -> Annotation:
    return Annotation.from_labelme(path, include_poly=True)


def _files_source(
    split: str,
    format_name: str,
    path: Path,
    images: Path,
    files: list[Path],
    parser: Callable[[Path], Annotation],
) -> Source:
    def read() -> dict[str, Any]:
        return to_coco((_parse(parser, file) for file in files), None)

    return Source(split, format_name, path, images, read)


def _head(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(4096)


# CVAT


def _cvat(data: Path, images: Path | None) -> list[Source]:
    files = [path for path in sorted(data.glob('*.xml')) if b'<annotations' in _head(path)]
    folder = images or (data / 'images' if (data / 'images').is_dir() else data)
    return _one_a_split(_cvat_source(path, folder) for path in files)


def _cvat_source(path: Path, images: Path) -> Source:
    def read() -> dict[str, Any]:
        try:
            return to_coco(AnnotationSet.from_cvat(path), None)
        except (ParsingError, AssertionError) as error:
            raise ValueError(f'{path} is no CVAT file: {error}') from error

    return Source(split_of(path.stem), 'CVAT', path, images, read)


# What all share


def _parse(parser: Callable[..., Annotation], path: Path, *arguments: Any) -> Annotation:
    """Read one label file, and name it if that fails."""
    try:
        return parser(path, *arguments)
    except (FileParsingError, ParsingError, UnicodeDecodeError, KeyError) as error:
        raise ValueError(f'{path} cannot be read: {error}. Export or correct this file.') from error


def _photos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES)


def _one_a_split(sources: Iterable[Source]) -> list[Source]:
    """Keep the first source of each split; labels without a split only if there is no other."""
    by_split: dict[str, Source] = {}
    for source in sources:
        by_split.setdefault(source.split, source)
    if len(by_split) > 1:
        by_split.pop('all', None)
    return list(by_split.values())


def to_coco(annotations: Iterable[Annotation | None], classes: list[str] | None) -> dict[str, Any]:
    """Put label files together in COCO format.

    Args:
        annotations (Iterable[Annotation]): labels of an image each.
        classes (list[str], optional): names by number where labels are numbers. Defaults to None,
            the labels are names, which are sorted.

    Returns:
        dict: COCO content.

    Raises:
        ValueError: A label is a number without a name.
    """
    present = [annotation for annotation in annotations if annotation is not None]
    labels = sorted({str(box.label) for a in present for box in a.boxes})
    if classes is None:
        names = {label: label for label in labels}
        order = labels
    else:
        names = {str(number): name for number, name in enumerate(classes)}
        order = list(classes)
    unknown = [label for label in labels if label not in names]
    if unknown:
        raise ValueError(
            f'labels have the class numbers {", ".join(unknown[:5])}, and there are names for 0 to '
            f'{len(order) - 1} only: {", ".join(order[:10])}'
        )
    ids = {name: number for number, name in enumerate(order, 1)}
    content: dict[str, Any] = dict(
        images=[],
        annotations=[],
        categories=[dict(id=number, name=name) for name, number in ids.items()],
    )
    for number, annotation in enumerate(present, 1):
        size = annotation.image_size or (None, None)
        content['images'].append(
            dict(id=number, file_name=annotation.image_id, width=size[0], height=size[1])
        )
        for box in annotation.boxes:
            rectangle = [box.xmin, box.ymin, box.width, box.height]
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=number,
                    category_id=ids[names[str(box.label)]],
                    bbox=rectangle,
                    area=rectangle[2] * rectangle[3],
                    iscrowd=0,
                )
            )
    return content

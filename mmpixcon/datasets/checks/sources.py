"""Labels in whatever format a folder has them, as COCO content."""

from __future__ import annotations

from pathlib import Path

from .label_files import cvat_source, find_cvat, find_labelme, find_voc, find_yolo, read_yolo_yaml
from .reading import read_coco
from .source import SPLITS, Source, head_of, one_a_split, split_of

FORMATS = (
    "COCO (train.json, val.json and images/; annotations/*.json; or Roboflow's "
    'train/_annotations.coco.json), YOLO (data.yaml, or images/ and labels/), PASCAL VOC '
    '(Annotations/*.xml), Labelme (a .json beside each image) or CVAT (an .xml with images)'
)


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
        finders = (_coco, find_yolo, find_voc, find_cvat, find_labelme)
        sources = next(filter(None, (finder(data, given) for finder in finders)), [])
    if not sources:
        raise ValueError(f'{data} has no labels of a known format: {FORMATS}')
    return sorted(sources, key=lambda source: (*SPLITS, 'all').index(source.split))


def _of_file(path: Path, images: Path | None) -> list[Source]:
    suffix = path.suffix.lower()
    if suffix in ('.yaml', '.yml'):
        return read_yolo_yaml(path)
    if suffix == '.xml':
        return [cvat_source(path, images or path.parent)]
    if suffix == '.json':
        return [_coco_source(path, images or _image_folder(path))]
    return []


def _coco(data: Path, images: Path | None) -> list[Source]:
    files = [*data.glob('annotations/*.json'), *data.glob('*/_annotations.coco.json')]
    files += [path for path in data.glob('*.json') if split_of(path.stem) != 'all']
    files = [path for path in sorted(files) if _looks_like_coco(path)]
    if not files:
        files = [path for path in sorted(data.glob('*.json')) if _looks_like_coco(path)]
    # Captions and keypoints of the same photos are other tasks.
    instances = [path for path in files if path.stem.startswith('instances')]
    sources = [_coco_source(path, images or _image_folder(path)) for path in instances or files]
    return one_a_split(sources)


def _coco_source(path: Path, images: Path) -> Source:
    name = path.parent.name if path.stem.startswith('_') else path.stem
    return Source(split_of(name), 'COCO', path, images, lambda: read_coco(path))


def _looks_like_coco(path: Path) -> bool:
    """Return whether a file begins with a key of COCO: other JSON files lie about as well."""
    head = head_of(path)
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

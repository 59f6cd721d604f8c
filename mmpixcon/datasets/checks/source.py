"""Labels of one split, and their way into COCO content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .image_labels import ImageLabels

SPLITS = ('train', 'val', 'test')
# What others call a split.
OTHER_NAMES = {'valid': 'val', 'validation': 'val', 'training': 'train', 'testing': 'test'}


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
    read: Callable[[], dict[str, Any]]


def split_of(name: str) -> str:
    """Tell a split by a file or folder name: the word for it, or else 'all'."""
    for word in re.split(r'[^a-z]+', name.lower()):
        word = OTHER_NAMES.get(word, word)
        if word in SPLITS:
            return word
    return 'all'


def one_a_split(sources: Iterable[Source]) -> list[Source]:
    """Keep the first source of each split; labels without a split only if there is no other."""
    by_split: dict[str, Source] = {}
    for source in sources:
        by_split.setdefault(source.split, source)
    if len(by_split) > 1:
        by_split.pop('all', None)
    return list(by_split.values())


def head_of(path: Path) -> bytes:
    """Read the beginning of a file, which tells its format."""
    with path.open('rb') as file:
        return file.read(4096)


def to_coco(
    annotations: Iterable[ImageLabels], classes: Mapping[str, str] | None
) -> dict[str, Any]:
    """Put label files together in COCO format.

    Args:
        annotations (Iterable[ImageLabels]): labels of an image each.
        classes (Mapping[str, str], optional): names by number where labels are numbers. None takes
            the labels as names, and sorts them.

    Returns:
        dict: COCO content.

    Raises:
        ValueError: A label is a number without a name.
    """
    present = list(annotations)
    labels = sorted({str(box.label) for a in present for box in a.boxes})
    names = {label: label for label in labels} if classes is None else classes
    unknown = [label for label in labels if label not in names]
    if unknown:
        named = ', '.join(f'{number}: {name}' for number, name in list(names.items())[:10])
        raise ValueError(
            f'labels have the class numbers {", ".join(unknown[:5])}, and there are names only for '
            f'{named or "none"}'
        )
    # Two classes of one name stay two, for the check to tell.
    ids = {label: number for number, label in enumerate(names, 1)}
    content: dict[str, Any] = dict(
        images=[],
        annotations=[],
        # What the formats have besides boxes, for the check to count.
        left_out=[kind for labels in present for kind in labels.left_out],
        categories=[dict(id=ids[label], name=name) for label, name in names.items()],
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
                    category_id=ids[str(box.label)],
                    bbox=rectangle,
                    area=rectangle[2] * rectangle[3],
                    iscrowd=0,
                )
            )
    return content

"""Reads the labels of BDD100K in the three forms they were given out in.

They are told apart by what the path holds: the list of 2018
(``bdd100k_labels_images_train.json``), the list of 2020 (``det_train.json``),
and a folder of one file an image. What is read is the same for all three; the
names of the categories stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from mmpixcon.utils.files import Progress

WHAT_TO_GIVE = (
    'Give a list file of BDD100K (bdd100k_labels_images_train.json, det_train.json) or the '
    'folder of one .json an image (labels/100k/train).'
)
_KINDS = {
    dict: 'an object',
    list: 'a list',
    str: 'a text',
    bool: 'true or false',
    type(None): 'null',
}
_SPACE = re.compile(r'\s*')
# Characters; the list of 2018 has more than 10 ** 9.
_CHUNK = 1 << 22
# An error further than this from the end of what was read is no cut-off value.
_CUT_OFF = 1 << 16


@dataclass(frozen=True)
class BDDFrame:
    """An image of the labels, whichever form they have.

    Attributes:
        where (str): File, number in it and name, for messages.
        name (str): File name of the image.
        attributes (dict): What is said of the whole image, such as the weather.
        timestamp (Any): Its time in the video, None where it is not given.
        labels (list): Boxes, lanes and areas, not checked.
    """

    where: str
    name: str
    attributes: dict
    timestamp: Any
    labels: list


def read_frames(labels: Path, stream: TextIO) -> Iterator[BDDFrame]:
    """Read the images of any form of labels, one by one.

    Args:
        labels (Path): List file, or folder of one file an image.
        stream (TextIO): Where progress is shown.

    Yields:
        BDDFrame: An image: in the order of the list, or by name of the file.

    Raises:
        ValueError: The labels are not what they should be.
    """
    if labels.is_dir():
        yield from _read_folder(labels, stream)
        return
    number = 0
    for number, frame in enumerate(_read_list(labels, stream), 1):
        where = f'{labels}, frame {number}'
        if not isinstance(frame, dict):
            raise ValueError(
                f'{where} is {_kind(frame)}, not an object with name and labels. {WHAT_TO_GIVE}'
            )
        if 'frames' in frame and 'labels' not in frame:
            raise ValueError(
                f'{where} has frames of its own, as the file of one image has: give the folder '
                'that holds one such file an image.'
            )
        yield _frame(where, frame, frame, 'labels')
    if number == 0:
        raise ValueError(f'{labels} is an empty list: is the download complete? {WHAT_TO_GIVE}')


def _read_folder(folder: Path, stream: TextIO) -> Iterator[BDDFrame]:
    """Read a folder of one file an image, by name of the file."""
    paths = sorted(folder.glob('*.json'))
    if not paths:
        inner = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = f' It has the folders {", ".join(inner)}: give one of them.' if inner else ''
        raise ValueError(f'{folder} holds no .json file.{hint} {WHAT_TO_GIVE}')
    progress = Progress(f'reading {folder.name}', len(paths), stream, 'files')
    for number, path in enumerate(paths, 1):
        try:
            content = json.loads(path.read_text(encoding='utf-8-sig'))
        except ValueError as error:
            raise _not_json(path, str(error)) from error
        if not isinstance(content, dict) or not isinstance(content.get('frames'), list):
            raise ValueError(
                f'{path} is {_kind(content)}, not the labels of one image (an object with name '
                f'and a list of frames): take it out of the folder. {WHAT_TO_GIVE}'
            )
        frames = content['frames']
        if len(frames) > 1:
            raise ValueError(
                f'{path} holds {len(frames)} frames, not one: it labels a video, take it out of '
                'the folder'
            )
        inner = frames[0] if frames else {}
        if not isinstance(inner, dict):
            raise ValueError(f'{path}: its frame is {_kind(inner)}, not an object with objects')
        yield _frame(str(path), content, inner, 'objects')
        progress.show(number)


def _frame(where: str, outer: dict, inner: dict, key: str) -> BDDFrame:
    """Check the parts of an image's labels.

    Args:
        where (str): For messages.
        outer (dict): Has the name and the attributes.
        inner (dict): Has the timestamp and the labels.
        key (str): What the labels are called.

    Returns:
        BDDFrame: The image.

    Raises:
        ValueError: A part is missing or of another type.
    """
    name = outer.get('name')
    if not isinstance(name, str) or not name:
        raise ValueError(
            f'{where} has no name: without it the labels belong to no image. Restore the labels '
            'from the download, or take it out.'
        )
    # The files of one image leave the suffix out.
    if not name.lower().endswith(('.jpg', '.jpeg', '.png')):
        name += '.jpg'
    where = f'{where} ({name})'
    attributes, labels = outer.get('attributes') or {}, inner.get(key) or []
    for part, value, kind in ((key, labels, list), ('attributes', attributes, dict)):
        if not isinstance(value, kind):
            raise ValueError(
                f'{where}: {part} is {_kind(value)}, not {_KINDS[kind]}. Restore the labels from '
                'the download.'
            )
    return BDDFrame(where, name, attributes, inner.get('timestamp'), labels)


def _read_list(path: Path, stream: TextIO) -> Iterator[Any]:
    """Read the elements of a JSON list one by one: the whole would not fit into memory.

    Args:
        path (Path): File.
        stream (TextIO): Where progress is shown.

    Yields:
        Any: Element.

    Raises:
        ValueError: The file is no JSON, or no list.
    """
    decoder = json.JSONDecoder()
    progress = Progress(f'reading {path.name}', max(1, path.stat().st_size >> 20), stream, 'MB')
    text, at = '', 0
    with open(path, encoding='utf-8-sig') as file:

        def more() -> bool:
            nonlocal text, at
            try:
                chunk = file.read(_CHUNK)
            except UnicodeDecodeError as error:
                raise _not_json(path, str(error)) from error
            text, at = text[at:] + chunk, 0
            if chunk:
                progress.show(file.buffer.tell() >> 20)
            return bool(chunk)

        def following() -> str:
            """Go to the next character that is no space; '' at the end."""
            nonlocal at
            while True:
                at = _SPACE.match(text, at).end()
                if at < len(text) or not more():
                    return text[at : at + 1]

        def value() -> Any:
            nonlocal at
            while True:
                try:
                    element, at = decoder.raw_decode(text, at)
                    return element
                except json.JSONDecodeError as error:
                    if error.pos < len(text) - _CUT_OFF or not more():
                        raise _not_json(
                            path, f'{error.msg}, near {text[at : at + 40]!r}'
                        ) from error

        first = following()
        if first == '{':
            raise ValueError(f'{path} is an object, not a list of frames. {WHAT_TO_GIVE}')
        if first != '[':
            raise _not_json(path, f'it begins with {text[at : at + 20]!r}')
        at += 1
        if following() == ']':
            return
        while True:
            yield value()
            separator = following()
            at += 1
            if separator == ']':
                break
            if separator != ',':
                raise _not_json(path, f'{separator!r} where a comma or ] should be')
            following()
        if following():
            raise _not_json(path, f'text after the list: {text[at : at + 20]!r}')


def _not_json(path: Path, reason: str) -> ValueError:
    return ValueError(f'{path} is not JSON ({reason}): is the download complete? {WHAT_TO_GIVE}')


def _kind(value: Any) -> str:
    """Say in JSON's words what a value is."""
    return _KINDS.get(type(value), 'a number')
